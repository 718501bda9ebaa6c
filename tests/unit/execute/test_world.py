"""What a case's tools answer: by arguments, call after call, always the same."""

from typing import Any

import pytest

from evalkit.execute.conversation import ScriptedUser
from evalkit.execute.world import World, holds
from evalkit.records.call import ToolCall
from evalkit.records.case import Case


def world(*entries: dict[str, Any], redact: Any = str) -> World:
    return World(Case(id="c", input={}, tools={"look_up": list(entries)}), redact)


def ask(of: World, **arguments: Any) -> Any:
    answer = of.answer(ToolCall(name="look_up", arguments=arguments))
    return answer.error if answer.error is not None else answer.result


def test_the_first_entry_whose_arguments_the_call_has_answers() -> None:
    orders = world(
        {"when": {"id": "A-1"}, "returns": {"state": "open"}},
        {"when": {}, "returns": {"state": "unknown"}},
    )
    assert ask(orders, id="A-1", detail=True) == {"state": "open"}
    assert ask(orders, id="B-2") == {"state": "unknown"}
    assert ask(orders) == {"state": "unknown"}


def test_entries_of_one_condition_follow_each_other_and_the_last_repeats() -> None:
    flaky = world(
        {"when": {"id": "A-1"}, "raises": "timed out"},
        {"when": {"id": "B-2"}, "returns": "another"},
        {"when": {"id": "A-1"}, "returns_each": [1, 2]},
    )
    assert ask(flaky, id="A-1") == "timed out"
    assert ask(flaky, id="B-2") == "another"
    assert [ask(flaky, id="A-1") for _ in range(4)] == [1, 2, 2, 2]


def test_a_world_of_its_own_stands_behind_every_attempt() -> None:
    case = Case(id="c", input={}, tools={"look_up": [{"returns_each": [1, 2]}]})
    assert ask(World(case, str)) == ask(World(case, str)) == 1


def test_what_no_entry_answers_is_an_error_that_says_so() -> None:
    assert ask(world({"when": {"id": "A"}, "returns": 1}), id="B") == (
        "the case has no answer of the tool look_up for these arguments"
    )
    other = world({"returns": 1}).answer(ToolCall(name="pay", arguments={}))
    assert other.error == "the case has no answer of the tool pay at all"


def test_a_latency_is_told_and_not_waited_for() -> None:
    slow = world({"returns": 1, "latency_s": 3600.0})
    assert slow.answer(ToolCall(name="look_up", arguments={})).latency_s == 3600.0


def test_a_model_that_was_told_a_placeholder_finds_what_it_stands_for() -> None:
    people = world(
        {"when": {"mail": "bob@example.org"}, "returns": "Bob"},
        redact=lambda text: text.replace("bob@example.org", "[EMAIL_1]"),
    )
    assert ask(people, mail="[EMAIL_1]") == "Bob"
    assert ask(people, mail="bob@example.org") == "Bob"


@pytest.mark.parametrize(
    ("wanted", "found", "there"),
    [
        ({}, {"a": 1}, True),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": None}, {}, False),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, True),
        ({"a": "1"}, {"a": 1}, False),
        ({"a": {}}, {"a": "text"}, False),
    ],
)
def test_a_condition_is_a_part_of_the_arguments(wanted: Any, found: Any, there: bool) -> None:
    assert holds(wanted, found) is there


def test_a_user_says_one_thing_after_the_other_and_then_nothing() -> None:
    user = ScriptedUser(Case(id="c", input={}, conversation=({"says": "one"}, {"says": "two"})))
    assert [user.replies_to("x") for _ in range(3)] == ["one", "two", None]


def test_what_does_not_apply_to_the_answer_is_passed_over() -> None:
    turns = (
        {"says": "It is A-1.", "when": {"contains": "ORDER NUMBER"}},
        {"says": "Yes.", "when": {"matches": r"(?i)shall i\b.*\?"}},
        {"says": "Thanks."},
    )
    user = ScriptedUser(Case(id="c", input={}, conversation=turns))
    assert user.replies_to("Which order number is it?") == "It is A-1."
    assert user.replies_to("It was refunded.") == "Thanks."
    assert user.replies_to("You are welcome.") is None
