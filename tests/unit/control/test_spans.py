"""What a session did, as spans: one for each act and each try, with the decisions made in it."""

import asyncio
from typing import Any

import msgspec
import pytest

from evalkit.control.session import ControlSession
from evalkit.control.telemetry import attributes as names
from evalkit.control.telemetry.describing import provider_of
from evalkit.errors import PolicyBlocked, ProviderError
from evalkit.records.asset import Tool
from evalkit.records.call import Message, ToolCall
from evalkit.records.case import Case, Document
from evalkit.records.span import Span, span_id_of, trace_id_of
from tests.unit.control.fakes import DictCache, FakeProvider, World, ask, error_of, reply_of

LOOKUP = Tool(name="lookup", effect="read", description="Look up.", parameters={"type": "object"})
WHO = "ada.lovelace@example.org"


def ops(spans: tuple[Span, ...]) -> list[tuple[str, str | None]]:
    return [(span.operation, span.error) for span in spans]


def rules(session: ControlSession, span: Span) -> list[str]:
    return [session.decisions[place].rule for place in span.decisions]


def test_every_act_is_a_span_below_the_session_and_holds_its_decisions() -> None:
    documents = (Document(id="kb-1", index="kb", text="hello"),)
    world = World(case=Case(id="c1", input={"text": "hello"}, documents=documents))
    call = ToolCall(name="lookup", arguments={}, id="call-1")
    world.one = FakeProvider(reply_of(tool_calls=(call,)), name="first")
    world.__post_init__()
    session = world.open()
    asyncio.run(session.retrieve("kb", "hello"))
    ask(session, tools=[LOOKUP])
    session.authorize(call)
    root, retrieval, chat, tool = session.spans()
    assert ops((root, retrieval, chat, tool)) == [
        ("invoke_workflow", None),
        ("retrieval", None),
        ("chat", None),
        ("execute_tool", None),
    ]
    assert [span.parent for span in (root, retrieval, chat, tool)] == [None, 0, 0, 0]
    assert rules(session, retrieval) == ["retrieval.allow_indexes", "retrieval.max_chunks"]
    assert rules(session, chat) == ["budgets", "live"]
    assert rules(session, tool) == ["tools.declared"]
    assert rules(session, root) == ["models.primary"]
    assert retrieval.attributes[names.RETRIEVED] == [{"id": "kb-1"}]
    assert tool.attributes[names.TOOL_CALL_ID] == "call-1"
    assert tool.attributes[names.TOOL_EFFECT] == "read"
    assert chat.attributes[names.INPUT_TOKENS] == 100
    assert chat.attributes[names.COST_USD] == pytest.approx(180e-6)
    assert root.attributes[names.COST_USD] == pytest.approx(180e-6)
    assert root.attributes[names.PROMPT_NAME] == "p"
    assert root.attributes[names.PROMPT_VERSION] == "v1"


def test_each_try_and_each_model_has_a_span_of_its_own() -> None:
    world = World(
        one=FakeProvider(error_of("timeout", retryable=True), name="first"),
        two=FakeProvider(reply_of(), name="second"),
        retries=1,
    )
    session = world.open()
    ask(session)
    spans = session.spans()
    assert ops(spans)[1:] == [("chat", "timeout"), ("chat", "timeout"), ("chat", None)]
    assert [span.name for span in spans[1:]] == ["one", "one", "two"]
    assert spans[1].attributes[names.ERROR_TYPE] == "timeout"
    assert spans[1].end_ns <= spans[2].start_ns <= spans[2].end_ns <= spans[3].start_ns
    assert spans[0].end_ns >= spans[3].end_ns


def test_a_denied_tool_is_a_span_that_failed_by_its_rule() -> None:
    session = World().open()
    with pytest.raises(PolicyBlocked):
        session.authorize(ToolCall(name="wire_money", arguments={}))
    root, tool = session.spans()
    assert tool.error == "tools.declared"
    assert root.attributes[names.DENIED] == 1


def test_a_tools_span_goes_on_until_its_result() -> None:
    world = World()
    session = world.open()
    ask(session, tools=[LOOKUP])
    call = ToolCall(name="lookup", arguments={"who": WHO}, id="7")
    session.authorize(call)
    asyncio.run(world.clock.sleep(2.0))
    session.tool_result(call, None, error=f"no such user {WHO}")
    (tool,) = (span for span in session.spans(content=True) if span.operation == "execute_tool")
    assert (tool.error, tool.message) == ("tool_error", "no such user [EMAIL_1]")
    assert tool.duration_s == pytest.approx(2.0)
    assert rules(session, tool) == ["tools.declared", "tools.result"]
    assert tool.attributes[names.TOOL_ARGUMENTS] == {"who": "[EMAIL_1]"}
    assert tool.attributes[names.TOOL_RESULT] == "no such user [EMAIL_1]"


def test_a_stored_reply_is_a_span_that_says_so() -> None:
    world = World(cache=DictCache())
    ask(world.open())
    session = world.open()
    ask(session)
    assert session.spans()[1].attributes[names.ORIGIN] == "cache"
    assert session.spans()[0].attributes[names.BILLED_USD] == 0


def test_nothing_that_was_said_is_in_a_span_unless_it_is_asked_for_and_then_redacted() -> None:
    call = ToolCall(name="lookup", arguments={"who": WHO}, id="1")
    world = World(one=FakeProvider(reply_of(f"Dear {WHO}", tool_calls=(call,)), name="first"))
    session = world.open()
    ask(session, f"write to {WHO}", tools=[LOOKUP])
    session.authorize(call)
    without = msgspec.json.encode(session.spans()).decode()
    assert "write to" not in without
    assert not names.CONTENT & {key for span in session.spans() for key in span.attributes}
    whole = msgspec.json.encode(session.spans(content=True)).decode()
    assert "write to [EMAIL_1]" in whole
    assert WHO not in whole


def test_long_texts_are_redacted_whole_and_then_cut() -> None:
    text = "word " * 3_998 + WHO + " and so on" * 2_000
    world = World(one=FakeProvider(reply_of("fine"), name="first"))
    session = world.open()
    ask(session, text)
    chat = session.spans(content=True)[1]
    (part,) = chat.attributes[names.INPUT_MESSAGES][-1]["parts"]
    assert len(part["content"]) < 20_100
    assert part["content"].endswith("more characters)")
    assert "ada" not in part["content"]
    call = ToolCall(name="lookup", arguments={"rows": ["x" * 100] * 1_000}, id="1")
    with pytest.raises(PolicyBlocked):
        session.authorize(call)
    arguments = session.spans(content=True)[2].attributes[names.TOOL_ARGUMENTS]
    assert arguments.startswith('{"rows": ["xxx')
    assert len(arguments) < 20_100


def test_an_error_message_that_quotes_personal_data_is_redacted() -> None:
    world = World(
        one=FakeProvider(ProviderError("bad_request", f"no such user {WHO}"), name="first")
    )
    session = world.open()
    with pytest.raises(ProviderError):
        ask(session)
    assert session.spans()[1].message == "no such user [EMAIL_1]"


def test_acts_that_are_gathered_keep_their_decisions_apart() -> None:
    async def slow(request: Any) -> Any:
        for _ in range(3):
            await asyncio.sleep(0)
        return reply_of()

    session = World(one=FakeProvider(slow, name="first")).open()

    async def both() -> None:
        message = Message(role="user", content="hello")
        await asyncio.gather(session.complete([message]), session.complete([message]))

    asyncio.run(both())
    _, first, second = session.spans()
    assert rules(session, first) == rules(session, second) == ["budgets", "live"]
    assert not set(first.decisions) & set(second.decisions)


def test_ids_follow_from_the_place_of_an_attempt() -> None:
    trace = trace_id_of("run", "suite", "candidate", "c1", 1)
    assert trace == trace_id_of("run", "suite", "candidate", "c1", 1)
    assert trace != trace_id_of("run", "suite", "candidate", "c1", 2)
    assert (len(trace), len(span_id_of(trace, 0))) == (32, 16)
    assert span_id_of(trace, 0) != span_id_of(trace, 1)


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        ("openai https://api.openai.com/v1", ("openai", "api.openai.com", 443)),
        ("azure_openai http://127.0.0.1:81/v1", ("azure.ai.openai", "127.0.0.1", 81)),
        (
            "gemini https://eu-aiplatform.googleapis.com/v1",
            ("gcp.vertex_ai", "eu-aiplatform.googleapis.com", 443),
        ),
        ("bedrock https://bedrock.example", ("aws.bedrock", "bedrock.example", 443)),
        ("openai http://[broken", ("openai", None, None)),
        ("scripted", ("evalkit.scripted", None, None)),
    ],
)
def test_providers_have_the_names_of_the_conventions(
    identity: str, expected: tuple[str, str | None, int | None]
) -> None:
    assert provider_of(identity) == expected


def test_with_content_spans_hold_what_a_case_is_made_of() -> None:
    text = f"Ask {WHO} for the key."
    session = World().open()
    asyncio.run(session.check_documents("kb", "nothing?", ()))
    asyncio.run(session.check_documents("kb", "key?", (Document(id="k", index="kb", text=text),)))
    ask(session, tools=[LOOKUP])
    _, none, found, chat = session.spans(content=True)
    assert names.RETRIEVED_TEXTS not in none.attributes
    assert found.attributes[names.RETRIEVED_TEXTS] == [
        {"id": "k", "index": "kb", "text": "Ask [EMAIL_1] for the key."}
    ]
    assert chat.attributes[names.TOOL_DEFINITIONS] == [
        {
            "type": "function",
            "name": "lookup",
            "description": "Look up.",
            "parameters": {"type": "object"},
            "effect": "read",
        }
    ]
    for span in session.spans():
        assert not names.CONTENT & span.attributes.keys()
