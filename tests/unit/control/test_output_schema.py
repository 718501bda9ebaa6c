"""The schema that every answer on a route has to meet."""

import json
from typing import Any

import pytest

from evalkit.errors import InvalidReply, PolicyBlocked
from evalkit.records.asset import Output
from tests.unit.control.fakes import (
    FakeProvider,
    World,
    ask,
    call,
    reply_of,
    route_with,
    tool,
    traced,
)

SCHEMA = {
    "type": "object",
    "properties": {"intent": {"enum": ["refund", "other"]}, "to": {"pattern": "^[a-z.@]+$"}},
    "required": ["intent"],
}
RULE = "policies.output_schema"


def world(reply: Any, schema: Any = SCHEMA, **policies: Any) -> World:
    return World(
        route=route_with(policies={"output_schema": "schemas/a.json"} | policies),
        one=FakeProvider(reply if not isinstance(reply, str) else reply_of(reply), name="first"),
        output_schema=schema,
    )


@pytest.mark.parametrize("content", ['{"intent": "refund"}', '{"intent": "other", "to": "a@b.c"}'])
def test_an_answer_that_meets_it_passes(content: str) -> None:
    session = world(content).open()
    assert ask(session).content == content
    assert [each.outcome for each in traced(session, RULE)] == ["allowed"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("Sure!", "the answer is not JSON, which schemas/a.json asks for"),
        ("null", "$: expected a value of type object"),
        ("{}", "$: expected the key intent"),
        ('{"intent": "hunter2"}', '$.intent: expected one of "refund", "other"'),
        ("", "the answer is not JSON"),
    ],
)
def test_one_that_does_not_is_denied_without_being_quoted(content: str, says: str) -> None:
    session = world(content).open()
    with pytest.raises(PolicyBlocked) as caught:
        ask(session)
    assert caught.value.rule == RULE
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.completion.content == content


def test_it_holds_whatever_the_prompt_asks_for() -> None:
    with pytest.raises(PolicyBlocked):
        ask(world("Sure!").open(), output=Output(kind="text"))
    with pytest.raises(InvalidReply):
        ask(world("Sure!").open(), output=Output(kind="json"))


def test_a_turn_that_only_calls_tools_is_no_answer_yet() -> None:
    asked = reply_of("", tool_calls=(call("look"),))
    assert ask(world(asked).open(), tools=[tool("look")]).tool_calls
    both = reply_of("Let me look.", tool_calls=(call("look"),))
    with pytest.raises(PolicyBlocked):
        ask(world(both).open(), tools=[tool("look")])
    assert ask(world(both).open(), tools=[tool("look")], interim=True).tool_calls


def test_a_refusal_has_no_form_to_keep() -> None:
    assert ask(world(reply_of("", refusal="No.")).open()).reply.refusal == "No."


def test_the_shadow_mode_warns_and_denies_nothing() -> None:
    policy = {"schema": "schemas/a.json", "mode": "warn"}
    session = world("Sure!", output_schema=policy).open()
    assert ask(session).content == "Sure!"
    assert [each.outcome for each in traced(session, RULE)] == ["warned"]


def test_a_placeholder_is_excused_from_what_only_the_data_could_meet() -> None:
    session = world('{"intent": "other", "to": "ana@example.com"}', pii_redaction=True).open()
    assert json.loads(ask(session).content) == {"intent": "other", "to": "[EMAIL_1]"}


@pytest.mark.parametrize("mode", ["block", "warn"])
@pytest.mark.parametrize("schema", [None, {"$ref": "https://example.com/x"}, {"$ref": "#"}])
def test_a_schema_that_cannot_be_applied_denies_in_any_mode(schema: Any, mode: str) -> None:
    policy = {"schema": "schemas/a.json", "mode": mode}
    with pytest.raises(PolicyBlocked) as caught:
        ask(world("{}", schema, output_schema=policy).open())
    assert caught.value.rule == "policy.error"


def test_citations_in_their_shadow_mode_warn() -> None:
    session = World(route=route_with(require_citations={"mode": "warn"})).open()
    assert ask(session).content == "fine"
    assert [each.outcome for each in traced(session, "require_citations")] == ["warned"]
