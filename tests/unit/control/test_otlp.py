"""Spans on their way to a collector: what arrives is strict OTLP, and no run waits for it."""

import asyncio
import socket

import pytest

from evalkit.control.session import ControlSession
from evalkit.control.telemetry.otlp import QUEUE_TRACES, OtlpExporter
from evalkit.errors import PolicyBlocked
from evalkit.records.asset import Tool
from evalkit.records.call import ToolCall
from evalkit.records.case import Case, Document
from evalkit.records.span import trace_id_of
from tests.servers.otlp_server import Collector, attributes, collector
from tests.unit.control.fakes import FakeProvider, World, ask, error_of, reply_of, route_with

WHO = "ada.lovelace@example.org"
KEY = "sk-ant-api03-" + "a1B2" * 22
LOOKUP = Tool(name="lookup", effect="read", description="Look up.", parameters={"type": "object"})


def exporter(url: str, **fields: object) -> OtlpExporter:
    given: dict[str, object] = {"headers": {}, "timeout_s": 2.0, "service": "s", "version": "1"}
    return OtlpExporter(f"{url}/v1/traces", **(given | fields))  # type: ignore[arg-type]


def workflow() -> ControlSession:
    """A session with everything in it, and personal data and a key in every text."""
    said = f"write to {WHO} with {KEY}"
    call = ToolCall(name="lookup", arguments={"who": said}, id="1")
    documents = (Document(id="kb-1", index="kb", text=said),)
    world = World(
        route=route_with(max_tokens=50),
        one=FakeProvider(error_of("timeout"), name="first", identity="openai http://127.0.0.1:9"),
        two=FakeProvider(
            reply_of(said, tool_calls=(call,)),
            name="second",
            identity="anthropic https://a.example",
        ),
        case=Case(id="c1", input={"text": said}, documents=documents, identity={"user": WHO}),
    )
    session = world.open()
    asyncio.run(session.retrieve("kb", said))
    ask(session, said, tools=[LOOKUP])
    session.authorize(call)
    session.tool_result(call, {"found": said})
    with pytest.raises(PolicyBlocked):
        session.authorize(ToolCall(name="wire_money", arguments={"to": said}))
    return session


def send(found: Collector, *, content: bool) -> None:
    sender = exporter(found.url, headers={"x-token": "t"})
    session = workflow()
    sender.take(trace_id_of("a"), session.spans(content=content), session.decisions)
    told = sender.close()
    assert (told.sent, told.lost, told.warning) == (6, 0, None)


def test_a_strict_collector_takes_every_span() -> None:
    with collector() as found:
        send(found, content=False)
        assert found.check() == []
        assert found.resources[0]["service.name"] == "s"
        assert found.headers[0]["x-token"] == "t"
        names = [span.name for span in found.spans]
        assert names == [
            "invoke_workflow work",
            "retrieval kb",
            "chat one-id",
            "chat two-id",
            "execute_tool lookup",
            "execute_tool wire_money",
        ]
        assert attributes(found.spans[1])["gen_ai.retrieval.documents"] == '[{"id": "kb-1"}]'
        assert attributes(found.spans[3])["gen_ai.provider.name"] == "anthropic"
        assert attributes(found.spans[0])["enduser.pseudo.id"].startswith("u-")


@pytest.mark.parametrize("content", [False, True])
def test_neither_personal_data_nor_a_key_arrives(content: bool) -> None:
    with collector() as found:
        send(found, content=content)
        assert found.check() == []
        for body in found.bodies:
            assert WHO.encode() not in body
            assert KEY.encode() not in body
            assert (b"[EMAIL_1]" in body) is content


def test_the_same_attempt_has_the_same_ids_however_often_it_is_sent() -> None:
    with collector() as first:
        send(first, content=False)
    with collector() as second:
        send(second, content=False)
    ids = [[(span.trace_id, span.span_id) for span in each.spans] for each in (first, second)]
    assert ids[0] == ids[1]


def test_a_collector_that_is_not_there_costs_one_warning() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sender = exporter(f"http://127.0.0.1:{port}", timeout_s=0.5)
    session = workflow()
    for number in range(50):
        sender.take(trace_id_of(number), session.spans(), session.decisions)
    told = sender.close()
    assert (told.sent, told.lost) == (0, 300)
    assert told.warning is not None
    assert told.warning.startswith("300 spans did not reach the collector (http://127.0.0.1:")


def test_what_a_collector_refuses_is_counted() -> None:
    with collector() as found:
        found.status = 400
        sender = exporter(found.url)
        session = workflow()
        sender.take(trace_id_of("a"), session.spans(), session.decisions)
        assert (sender.close().lost, sender.close().lost) == (6, 6)


def test_a_collector_that_does_not_answer_does_not_hold_anybody_up() -> None:
    with collector() as found:
        found.answers.clear()
        sender = exporter(found.url, timeout_s=0.3)
        session = workflow()
        spans, decisions = session.spans(), session.decisions
        for number in range(QUEUE_TRACES + 500):
            sender.take(trace_id_of(number), spans, decisions)
        told = sender.close(patience_s=1.0)
        assert told.sent + told.lost == 6 * (QUEUE_TRACES + 500)
        assert told.lost > 0  # dropped: nobody waited until it answered


def test_what_comes_after_the_end_is_counted_as_lost() -> None:
    with collector() as found:
        sender = exporter(found.url)
        sender.close()
        session = workflow()
        sender.take(trace_id_of("a"), session.spans(), session.decisions)
        assert sender.close().lost == 6
