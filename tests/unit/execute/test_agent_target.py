"""An agent's loop over the real session: tools, denials, caps, retrieval, conversations."""

import asyncio
from typing import Any

import pytest

from evalkit.execute.agent_target import AgentTarget, bound_loop
from evalkit.records.asset import (
    Agent,
    AgentStep,
    Output,
    Prompt,
    PromptMessage,
    Search,
    Tool,
)
from evalkit.records.attempt import Attempt
from evalkit.records.call import Reply, ToolCall, Usage
from evalkit.records.case import Case, Document
from tests.unit.control.fakes import FakeProvider, World, error_of, reply_of, route_with

ORDER = Tool(name="get_order", effect="read")
REFUND = Tool(name="refund")
FIXTURES = {
    "get_order": [{"when": {"id": "A-1"}, "returns": {"state": "late"}, "latency_s": 0.3}],
    "refund": [{"returns": "done"}],
}


def agent(**changes: Any) -> Agent:
    prompt = Prompt(
        name="helper",
        version=2,
        messages=(
            PromptMessage(role="system", content="Help.", part="system"),
            PromptMessage(role="user", content="{{ input.text }}", part="input"),
        ),
        digest="sha256:0",
        path="agents/helper/v2.yaml",
        tools=(ORDER, REFUND),
        output=changes.pop("output", Output()),
    )
    return Agent(prompt=prompt, **changes)


def calls(*asked: tuple[str, dict[str, Any] | None], text: str = "", **fields: Any) -> Reply:
    made = tuple(
        ToolCall(name=name, arguments=arguments, id=f"call-{number}")
        for number, (name, arguments) in enumerate(asked, 1)
    )
    return reply_of(text, tool_calls=made, finish_reason="tool_calls", **fields)


def play(world: World, of: Agent | None = None) -> Attempt:
    target = AgentTarget(of or agent(), route="work")
    return asyncio.run(
        target.attempt(
            world.open(), world.case, suite="s", variant="candidate", trial=1, clock=world.clock
        )
    )


def world(*replies: Any, case: dict[str, Any] | None = None, **route: Any) -> World:
    given = {"tools": FIXTURES, **(case or {})}
    return World(
        one=FakeProvider(*replies),
        route=route_with(**{"models": {"primary": "one"}, **route}),
        case=Case(id="c", input={"text": "Where is A-1?"}, **given),
    )


def told(attempt: Attempt) -> list[tuple[str, str, str]]:
    return [(step.kind, step.name, step.outcome) for step in attempt.steps]


def test_a_tool_is_called_and_its_result_leads_to_the_answer() -> None:
    run = world(
        calls(("get_order", {"id": "A-1"}), text="One moment."),
        reply_of("It is late.", measurement_id="m-2"),
    )
    attempt = play(run)
    assert (attempt.state, attempt.output, attempt.prompt) == (
        "answered",
        "It is late.",
        "helper@v2",
    )
    assert told(attempt) == [
        ("model", "one", "done"),
        ("tool", "get_order", "done"),
        ("model", "one", "done"),
    ]
    assert attempt.steps[1].output == '{"state":"late"}'
    assert attempt.steps[1].latency_s == 0.3
    assert [call.name for call in attempt.tool_calls] == ["get_order"]
    assert attempt.allowed_tools == ("get_order",)
    asked = run.one.requests[1].messages
    assert [message.role for message in asked] == ["system", "user", "assistant", "tool"]
    assert asked[2].tool_calls[0].id == asked[3].tool_call_id == "call-1"
    assert asked[2].content == "One moment."


def test_an_attempt_is_the_sum_of_its_turns() -> None:
    run = world(
        calls(("get_order", {"id": "A-1"})),
        reply_of("late", usage=Usage(input_tokens=300, output_tokens=5), latency_s=1.0),
    )
    attempt = play(run)
    assert attempt.usage == Usage(input_tokens=400, output_tokens=25)
    assert attempt.cost_usd == pytest.approx(400e-6 + 4 * 25e-6)
    assert attempt.billed_usd == pytest.approx(attempt.cost_usd)
    assert attempt.latency_s == 1.5
    assert (attempt.key, attempt.tries) == (run.one.requests[0].key, 2)
    assert attempt.measurement_id is not None
    assert attempt.measurement_id.startswith("turns/")


def test_a_denied_call_is_told_and_the_agent_goes_on() -> None:
    run = world(
        calls(("refund", {})),
        reply_of("A colleague will look at it."),
        policies={"disallow_actions": ["refund"]},
    )
    attempt = play(run)
    assert (attempt.state, attempt.output) == ("answered", "A colleague will look at it.")
    assert attempt.stopped
    assert attempt.allowed_tools == ()
    assert told(attempt)[1] == ("tool", "refund", "denied")
    assert attempt.steps[1].rule == "policies.disallow_actions"
    assert "denied by policies.disallow_actions" in run.one.requests[1].messages[-1].content


def test_an_agent_that_stops_at_a_denial_is_blocked_by_its_rule() -> None:
    run = world(calls(("refund", {})), policies={"disallow_actions": ["refund"]})
    attempt = play(run, agent(on_denied="stop"))
    assert (attempt.state, attempt.rule) == ("blocked", "policies.disallow_actions")
    assert len(run.one.requests) == 1


def test_a_cap_on_tool_calls_ends_the_attempt() -> None:
    run = world(calls(("get_order", {"id": "A-1"}), ("get_order", {"id": "A-1"})), max_tool_calls=1)
    attempt = play(run)
    assert (attempt.state, attempt.rule) == ("blocked", "max_tool_calls")
    assert attempt.allowed_tools == ("get_order",)


def test_an_agent_that_never_answers_is_stopped_by_its_own_cap() -> None:
    attempt = play(world(calls(("get_order", {"id": "A-1"}))), agent(max_steps=3))
    assert (attempt.state, attempt.rule) == ("blocked", "agent.max_steps")
    assert len([step for step in attempt.steps if step.kind == "model"]) == 3


def test_a_tool_that_fails_is_told_as_its_error() -> None:
    run = world(calls(("get_order", {"id": "B-9"})), reply_of("I do not find it."))
    attempt = play(run)
    assert attempt.state == "answered"
    assert told(attempt)[1] == ("tool", "get_order", "failed")
    assert attempt.steps[1].message == (
        "the case has no answer of the tool get_order for these arguments"
    )
    assert "no answer of the tool" in run.one.requests[1].messages[-1].content


def test_arguments_that_are_no_object_are_told_and_do_not_end_it() -> None:
    attempt = play(world(calls(("get_order", None)), reply_of("Which order?")))
    assert attempt.state == "answered"
    assert attempt.steps[1].rule == "tools.arguments"


def test_a_failing_provider_in_the_second_turn_is_an_error_with_what_was_spent() -> None:
    run = world(calls(("get_order", {"id": "A-1"})), error_of("server_error"))
    attempt = play(run)
    assert (attempt.state, attempt.failure_mode) == ("error", "server_error")
    assert attempt.usage.total == 120
    assert attempt.billed_usd > 0
    assert told(attempt)[-1] == ("model", "one", "failed")


def test_a_refusal_and_a_cut_turn_end_it_as_what_they_are() -> None:
    refused = play(world(calls(("get_order", {"id": "A-1"})), reply_of("", refusal="I may not.")))
    assert refused.state == "refused"
    cut = calls(("get_order", {"id": "A-1"}))
    ended = play(world(reply_of("", tool_calls=cut.tool_calls, finish_reason="length")))
    assert (ended.state, ended.failure_mode) == ("invalid", "truncated")
    assert ended.allowed_tools == ()


def test_only_the_answer_has_to_be_json() -> None:
    json = agent(output=Output(kind="json"))
    first = calls(("get_order", {"id": "A-1"}), text="Let me see.")
    good = play(world(first, reply_of('{"state": "late"}')), json)
    assert (good.state, good.parsed) == ("answered", {"state": "late"})
    assert play(world(first, reply_of("It is late.")), json).state == "invalid"


SEARCHING = {"search": Search(indexes=("kb", "runbooks"))}
DOCUMENTS = (
    Document(id="kb-1", index="kb", text="Late orders are refunded."),
    Document(id="rb-1", index="runbooks", text="Escalate late orders."),
)


def test_retrieval_is_a_tool_that_goes_through_the_session() -> None:
    run = world(
        calls(("search", {"query": "late", "index": "kb"}), ("search", {"query": "late"})),
        reply_of("You are refunded [kb-1]."),
        case={"documents": DOCUMENTS},
        require_citations=True,
    )
    attempt = play(run, agent(**SEARCHING))
    assert attempt.state == "answered"
    assert attempt.documents == ("kb-1",)
    assert attempt.citations == ("kb-1",)
    assert told(attempt)[1:3] == [("retrieval", "kb", "done")] * 2
    offered = run.one.requests[0].tools[-1]
    assert offered.parameters["properties"]["index"]["enum"] == ["kb", "runbooks"]


def test_an_index_that_the_route_forbids_and_arguments_of_the_wrong_form_are_denials() -> None:
    run = world(
        calls(("search", {"query": "x", "index": "runbooks"}), ("search", {"query": 1})),
        reply_of("Nothing found."),
        retrieval={"allow_indexes": ["kb"]},
    )
    attempt = play(run, agent(**SEARCHING))
    assert attempt.state == "answered"
    assert attempt.steps[1].rule == "retrieval.allow_indexes"
    assert told(attempt)[2] == ("tool", "search", "denied")


def test_a_conversation_goes_on_until_the_user_has_nothing_to_say() -> None:
    turns = (
        {"says": "It is A-1.", "when": {"contains": "which order"}},
        {"says": "Thank you."},
    )
    run = world(
        reply_of("Which order is it?"),
        calls(("get_order", {"id": "A-1"})),
        reply_of("It is late."),
        reply_of("You are welcome."),
        case={"conversation": turns},
    )
    attempt = play(run)
    assert (attempt.state, attempt.output) == ("answered", "You are welcome.")
    assert [step.output for step in attempt.steps if step.kind == "user"] == [
        "It is A-1.",
        "Thank you.",
    ]
    assert len(run.one.requests[-1].messages) == 8


def test_a_replay_asks_what_was_asked_although_what_is_stored_is_redacted() -> None:
    case = {"tools": {"get_order": [{"when": {"mail": "bob@example.org"}, "returns": "late"}]}}
    live = calls(("get_order", {"mail": "bob@example.org"}), text="bob@example.org, then.")
    stored = calls(("get_order", {"mail": "[EMAIL_1]"}), text="[EMAIL_1], then.")
    runs = [world(first, reply_of("late"), case=case) for first in (live, stored)]
    attempts = [play(run) for run in runs]
    assert [attempt.steps[1].outcome for attempt in attempts] == ["done", "done"]
    assert runs[0].one.requests[1].key == runs[1].one.requests[1].key


def test_a_plan_bounds_all_calls_of_a_loop() -> None:
    run = world(reply_of("x"))
    target = AgentTarget(agent(max_steps=4), route="work")
    planned = asyncio.run(target.prepare(run.opening(), run.case, 1))
    session = run.open()
    first = session.prepare(planned.request.messages, tools=(ORDER, REFUND))
    assert planned.max_calls == 4
    assert planned.request.key == first.request.key
    assert planned.output_tokens == 4 * first.output_tokens
    assert first.max_cost_usd is not None and planned.max_cost_usd is not None
    assert planned.max_cost_usd > 4 * first.max_cost_usd
    assert bound_loop(first, Case(id="c", input={}), calls=1).max_cost_usd == first.max_cost_usd


STEPS = (
    AgentStep(name="triage", tools=("get_order",), until="get_order"),
    AgentStep(name="resolve", tools=("refund",), says="Now decide."),
)
PERMITTED = {"steps": {"triage": {"tools": ["get_order"]}, "resolve": {"tools": ["refund"]}}}


def test_a_workflow_goes_from_step_to_step_with_the_tools_of_each() -> None:
    run = world(
        calls(("get_order", {"id": "A-1"})),
        calls(("refund", {})),
        reply_of("It was refunded."),
        **PERMITTED,
    )
    attempt = play(run, agent(steps=STEPS))
    assert (attempt.state, attempt.output) == ("answered", "It was refunded.")
    assert [(step.kind, step.step) for step in attempt.steps] == [
        ("model", "triage"),
        ("tool", "triage"),
        ("user", "resolve"),
        ("model", "resolve"),
        ("tool", "resolve"),
        ("model", "resolve"),
    ]
    offered = [[tool.name for tool in request.tools] for request in run.one.requests]
    assert offered == [["get_order"], ["refund"], ["refund"]]
    assert run.one.requests[1].messages[-1].content == "Now decide."


def test_a_step_that_the_route_does_not_have_blocks_the_attempt() -> None:
    run = world(calls(("get_order", {"id": "A-1"})), steps={"triage": {"tools": ["get_order"]}})
    attempt = play(run, agent(steps=STEPS))
    assert attempt.state == "blocked"
    assert len(run.one.requests) == 1


def test_the_cap_of_an_agent_is_over_all_of_its_steps() -> None:
    run = world(calls(("get_order", {"id": "B-9"})), **PERMITTED)
    attempt = play(run, agent(steps=STEPS, max_steps=2))
    assert (attempt.state, attempt.rule) == ("blocked", "agent.max_steps")
    assert len(run.one.requests) == 2
