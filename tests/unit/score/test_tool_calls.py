"""Tool calls: names, arguments, how often, and in which order."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.records.call import ToolCall
from evalkit.score.equality import equal
from tests.unit.score.samples import answer_calls, call, case, score

ANY = {"tool_calls": {"order": "any"}}
EXACT: dict[str, Any] = {"tool_calls": {}}
UNREADABLE = ToolCall(name="renew", arguments=None, raw='{"card": ')

ARGUMENTS = st.sampled_from([{}, {"n": 1}, {"n": 1.0}, {"n": "1"}, {"n": True}, {"n": None}, None])
CALLS = st.lists(st.builds(ToolCall, name=st.sampled_from("ab"), arguments=ARGUMENTS), max_size=4)
WANTED = st.lists(
    st.builds(
        lambda name, arguments: {"name": name, "arguments": arguments or {}},
        st.sampled_from("ab"),
        ARGUMENTS,
    ),
    max_size=4,
)


def pairs_up(wanted: list[dict[str, Any]], calls: list[ToolCall]) -> bool:
    """The oracle: some order of the calls equals what is wanted, one by one."""
    return len(wanted) == len(calls) and any(
        all(
            made.arguments is not None
            and one["name"] == made.name
            and equal(one["arguments"], made.arguments)
            for one, made in zip(wanted, order, strict=True)
        )
        for order in permutations(calls)
    )


@given(WANTED, CALLS)
def test_any_order_passes_exactly_when_some_order_of_the_calls_is_the_expected_one(
    wanted: list[dict[str, Any]], calls: list[ToolCall]
) -> None:
    found = score(ANY, answer_calls(*calls), case(tool_calls=wanted))
    assert found.passed is pairs_up(wanted, calls)


@given(WANTED, CALLS)
def test_exact_order_passes_only_what_any_order_passes(
    wanted: list[dict[str, Any]], calls: list[ToolCall]
) -> None:
    in_order = score(EXACT, answer_calls(*calls), case(tool_calls=wanted)).passed
    one_by_one = [
        call_.name == one["name"] and equal(one["arguments"], call_.arguments)
        for one, call_ in zip(wanted, calls, strict=False)
    ]
    assert in_order is (len(wanted) == len(calls) and all(one_by_one))


def test_order_counts_unless_the_suite_says_otherwise() -> None:
    made = answer_calls(call("b"), call("a"))
    wanted = case(tool_calls=[{"name": "a", "arguments": {}}, {"name": "b", "arguments": {}}])
    assert score(ANY, made, wanted).passed is True
    found = score(EXACT, made, wanted)
    assert found.passed is False
    assert found.message == "call 1: expected a({}), found b({}) (order)"


def test_a_call_made_twice_is_not_a_call_made_once() -> None:
    once = case(tool_calls=[{"name": "a", "arguments": {"n": 1}}])
    found = score(ANY, answer_calls(call("a", n=1), call("a", n=1)), once)
    assert found.passed is False
    assert found.message == 'unexpected a({"n": 1})'


def test_arguments_that_are_no_object_match_nothing() -> None:
    wanted = case(tool_calls=[{"name": "renew", "arguments": {}}])
    found = score(ANY, answer_calls(UNREADABLE), wanted)
    assert found.passed is False
    assert "arguments that are no JSON object" in found.message
    assert found.found == [{"name": "renew", "arguments": None, "raw": '{"card": '}]


def test_an_additional_argument_fails() -> None:
    wanted = case(tool_calls=[{"name": "a", "arguments": {"n": 1}}])
    assert score(ANY, answer_calls(call("a", n=1, m=None)), wanted).passed is False


def test_an_empty_list_expects_that_nothing_is_called() -> None:
    assert score(ANY, answer_calls(), case(tool_calls=[])).passed is True
    assert score(ANY, answer_calls(call("a")), case(tool_calls=[])).passed is False


def test_expected_arguments_default_to_none_at_all() -> None:
    wanted = case(tool_calls=[{"name": "a"}])
    assert score(ANY, answer_calls(call("a")), wanted).passed is True
    assert score(ANY, answer_calls(call("a", n=1)), wanted).passed is False


@pytest.mark.parametrize("expected", [{}, {"tool_calls": None}])
def test_a_case_that_says_nothing_about_calls_is_not_applicable(expected: dict[str, Any]) -> None:
    assert score(ANY, answer_calls(call("a")), case(**expected)).state == "not_applicable"


@pytest.mark.parametrize(
    "wanted",
    ["a", ["a"], {"name": "a"}, [{"arguments": {}}], [{"name": "a", "args": {}}],
     [{"name": "a", "arguments": []}], [{"name": 1, "arguments": {}}]],
)  # fmt: skip
def test_a_case_that_expects_no_calls_in_any_known_form_is_an_error(wanted: Any) -> None:
    found = score(ANY, answer_calls(), case(tool_calls=wanted))
    assert (found.state, found.passed) == ("error", None)
    assert "expected.tool_calls" in found.message


def test_calls_that_were_denied_are_compared_as_well() -> None:
    wanted = case(tool_calls=[{"name": "a", "arguments": {}}], blocked=True)
    made = answer_calls(call("a"), state="blocked", rule="policies.disallow_actions")
    assert score(ANY, made, wanted).passed is True
