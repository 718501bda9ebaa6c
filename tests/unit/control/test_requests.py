"""What a request's key depends on, and what a prompt may set."""

from typing import Any

import pytest

from evalkit.control.requests import (
    DEFAULT_MAX_TOKENS,
    build_request,
    cap_output,
    check_params,
    request_key,
)
from evalkit.errors import ConfigError
from evalkit.records.asset import Output, Tool
from evalkit.records.call import Attribution, Message

BASE: dict[str, Any] = {
    "identity": "openai https://api.example.com/v1",
    "model_id": "small-1",
    "messages": (Message(role="user", content="hello"),),
    "tools": (Tool(name="look", description="Look.", parameters={"type": "object"}),),
    "params": {"temperature": 0, "max_tokens": 10},
    "output": Output(kind="json", schema={"type": "object"}),
    "trial": 1,
}


@pytest.mark.parametrize(
    "change",
    [
        {"identity": "openai http://127.0.0.1/v1"},
        {"model_id": "small-2"},
        {"messages": (Message(role="system", content="hello"),)},
        {"messages": (Message(role="user", content="hello!"),)},
        {"messages": (*BASE["messages"], Message(role="user", content=""))},
        {"tools": ()},
        {"tools": (Tool(name="look", description="See.", parameters={"type": "object"}),)},
        {"tools": (Tool(name="look", description="Look.", parameters={}),)},
        {"params": {"temperature": 1, "max_tokens": 10}},
        {"params": {"temperature": 0, "max_tokens": 11}},
        {"output": Output()},
        {"output": Output(kind="json", schema={"type": "array"})},
        {"trial": 2},
    ],
)
def test_everything_that_can_change_a_reply_changes_the_key(change: dict[str, Any]) -> None:
    assert request_key(**(BASE | change)) != request_key(**BASE)


@pytest.mark.parametrize(
    "change",
    [
        {"messages": (Message(role="user", content="hello", part="system"),)},
        {"params": {"max_tokens": 10, "temperature": 0}},
        {
            "tools": (
                Tool(
                    name="look", description="Look.", effect="read", parameters={"type": "object"}
                ),
            )
        },
    ],
)
def test_what_is_never_sent_does_not_change_the_key(change: dict[str, Any]) -> None:
    assert request_key(**(BASE | change)) == request_key(**BASE)


def test_a_key_stays_what_it_was_when_replies_were_recorded() -> None:
    # a recording or a cached reply is found by this: a change here loses all of them
    assert request_key(**BASE) == "d7a0f2886085030e448a68df7827fc7029c9daacaa41659901acc26e98b6a8be"


def test_whose_call_it_is_stays_out_of_the_key() -> None:
    def key(about: Attribution) -> str:
        given = {**BASE, "params": {}, "max_tokens": 5, "attribution": about}
        return build_request(**given).key

    assert key(Attribution()) == key(Attribution(suite="s", variant="v", case="c", prompt="p"))


def test_the_smallest_cap_is_sent_once_under_one_name() -> None:
    params = {"max_completion_tokens": 300, "max_tokens": 500, "temperature": 0}
    request = build_request(
        **{**BASE, "params": params},
        max_tokens=cap_output(params, 1200),
        attribution=Attribution(),
    )
    assert request.params == {"temperature": 0, "max_tokens": 300}


@pytest.mark.parametrize(
    ("params", "route", "cap"),
    [
        ({}, None, DEFAULT_MAX_TOKENS),
        ({}, 1200, 1200),
        ({"max_tokens": 100}, 1200, 100),
        ({"max_tokens": 9000}, 1200, 1200),
        ({"max_tokens": 9000}, None, 9000),
        ({"max_output_tokens": 7}, 1200, 7),
        ({"max_tokens": None}, None, DEFAULT_MAX_TOKENS),
    ],
)
def test_the_output_cap_is_the_smaller_one(
    params: dict[str, Any], route: int | None, cap: int
) -> None:
    assert cap_output(params, route) == cap


@pytest.mark.parametrize("value", [0, -1, 1.5, "100", True, [5]])
def test_a_cap_that_is_no_number_of_tokens_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"params\.max_tokens"):
        cap_output({"max_tokens": value}, 100)


def test_parameters_that_would_go_round_the_session_are_refused_together() -> None:
    with pytest.raises(ConfigError) as caught:
        check_params({"model": "x", "messages": [], "n": 3, "stream": True, "temperature": 0})
    assert {problem.key for problem in caught.value.problems} == {
        "params.model",
        "params.messages",
        "params.n",
        "params.stream",
    }


def test_a_schema_is_sent_only_when_json_is_asked_for() -> None:
    given = {**BASE, "max_tokens": 5, "attribution": Attribution()}
    assert build_request(**given).schema == {"type": "object"}
    assert build_request(**{**given, "output": Output(schema={"type": "object"})}).schema is None
