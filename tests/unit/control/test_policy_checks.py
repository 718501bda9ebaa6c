"""Policies that are written elsewhere: what they are asked, and what their answers do."""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from evalkit.control.ruling import Ruling
from evalkit.errors import PolicyBlocked
from evalkit.records.case import Case
from tests.unit.control.fakes import World, ask, call, documents, route_with, tool, traced

ANA = {"user": "ana", "org": "acme", "team": "support"}
Answer = Callable[[Mapping[str, Any]], Sequence[Any]]


class Check:
    """Answers as it is told, and keeps what it was asked."""

    name = "policies.rego"

    def __init__(self, answer: Answer = lambda document: (), *, waits: bool = False) -> None:
        self.waits = waits
        self.answer = answer
        self.asked: list[Mapping[str, Any]] = []
        self.threads: list[int] = []

    def check(self, document: Mapping[str, Any]) -> Sequence[Any]:
        self.asked.append(json.loads(json.dumps(document)))
        self.threads.append(threading.get_ident())
        return self.answer(document)


def no_at(act: str, stage: str = "before", **keys: Any) -> Check:
    ruling = Ruling(False, f"rego.{act}", "not today", **keys)
    return Check(lambda d: [ruling] if (d["act"], d["stage"]) == (act, stage) else [])


def world(*checks: Any, **keys: Any) -> World:
    case = Case(id="c", input={}, documents=documents("kb", "k-1", "k-2"), identity=ANA)
    return World(route=route_with(**keys), case=case, checks=checks)


def play(made: World) -> Any:
    """All three acts, one after the other."""
    session = made.open()
    if made.route.steps:
        session.enter("triage")
    asyncio.run(session.retrieve("kb", "about k-2"))
    ask(session, "hello", tools=[tool("sign", "execute")])
    session.authorize(call("sign", doc="d-1"))
    return session


def test_every_act_is_asked_about_with_one_document() -> None:
    check = Check()
    made = world(check, steps={"triage": {"tools": ["sign"], "data": ["kb"]}})
    session = play(made)
    who = {"id": session.identity, "org": "acme", "team": "support"}
    common = {"version": 1, "route": "work", "identity": who, "step": "triage"}
    usage = [
        {"turns": 0, "tool_calls": 0, "total_tokens": 0},
        {"turns": 0, "tool_calls": 0, "total_tokens": 0},
        {"turns": 1, "tool_calls": 0, "total_tokens": 0},
        {"turns": 1, "tool_calls": 0, "total_tokens": 120},
        {"turns": 1, "tool_calls": 0, "total_tokens": 120},
    ]
    acts = [
        {"act": "retrieve", "stage": "before", "retrieval": {"index": "kb", "query": "about k-2"}},
        {
            "act": "retrieve",
            "stage": "after",
            "retrieval": {"index": "kb", "query": "about k-2", "documents": ["k-2", "k-1"]},
        },
        {
            "act": "complete",
            "stage": "before",
            "request": {
                "messages": [{"role": "user", "content": "hello", "tool_calls": []}],
                "tools": ["sign"],
            },
        },
        {
            "act": "complete",
            "stage": "after",
            "reply": {
                "model": "one",
                "content": "fine",
                "refusal": None,
                "tool_calls": [],
                "citations": [],
            },
        },
        {
            "act": "authorize",
            "stage": "before",
            "tool": {"name": "sign", "effect": "execute", "arguments": {"doc": "d-1"}},
        },
    ]
    assert check.asked == [
        {**common, **act, "usage": used} for act, used in zip(acts, usage, strict=True)
    ]


def test_the_user_s_name_is_in_no_document() -> None:
    check = Check()
    play(world(check))
    assert "ana" not in json.dumps(check.asked)


def test_texts_are_redacted_where_the_route_redacts() -> None:
    check = Check()
    session = world(check, policies={"pii_redaction": True}).open()
    asyncio.run(session.retrieve("kb", "orders of ben@example.com"))
    ask(session, "mail ben@example.com", tools=[tool("look")])
    assert "ben@example.com" not in json.dumps(check.asked)
    assert "[EMAIL_1]" in json.dumps(check.asked)


@pytest.mark.parametrize(
    ("act", "stage"),
    [
        ("retrieve", "before"),
        ("retrieve", "after"),
        ("complete", "before"),
        ("complete", "after"),
        ("authorize", "before"),
    ],
)
def test_a_no_ends_the_act(act: str, stage: str) -> None:
    made = world(no_at(act, stage))
    with pytest.raises(PolicyBlocked, match="not today") as caught:
        play(made)
    assert caught.value.rule == f"rego.{act}"
    assert (caught.value.completion is not None) == ((act, stage) == ("complete", "after"))
    asked = act == "authorize" or (act, stage) == ("complete", "after")
    assert len(made.one.requests) == int(asked)


def test_documents_that_a_policy_keeps_back_may_not_be_cited() -> None:
    made = world(no_at("retrieve", "after"), require_citations=True)
    session = made.open()
    with pytest.raises(PolicyBlocked):
        asyncio.run(session.retrieve("kb", "about k-2"))
    with pytest.raises(PolicyBlocked, match="cites no document"):
        ask(session)


def test_forbid_wins_over_allow() -> None:
    yes = Check(lambda document: [Ruling(True, "rego.yes", "fine")])
    with pytest.raises(PolicyBlocked) as caught:
        play(world(yes, no_at("authorize"), yes))
    assert caught.value.rule == "rego.authorize"


def test_a_yes_does_not_overrule_the_route() -> None:
    yes = Check(lambda document: [Ruling(True, "rego.yes", "fine")])
    with pytest.raises(PolicyBlocked) as caught:
        play(world(yes, policies={"disallow_actions": ["sign"]}))
    assert caught.value.rule == "policies.disallow_actions"


def test_a_yes_is_traced() -> None:
    session = play(world(Check(lambda document: [Ruling(True, "rego.yes", "fine")])))
    assert [each.act for each in traced(session, "rego.yes")].count("complete") == 2


def test_a_shadow_no_warns() -> None:
    session = play(world(no_at("authorize", shadow=True)))
    assert [each.outcome for each in traced(session, "rego.authorize")] == ["warned"]


def broken(document: Mapping[str, Any]) -> Sequence[Any]:
    raise RuntimeError("undefined function")


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize(
    "answer", [broken, lambda document: ["yes"], lambda document: [True], lambda document: None]
)
def test_a_policy_that_cannot_be_evaluated_denies(answer: Answer, waits: bool) -> None:
    made = world(Check(answer, waits=waits))
    session = made.open()
    for act in (
        lambda: asyncio.run(session.retrieve("kb", "about")),
        lambda: ask(session, tools=[tool("look")]),
    ):
        with pytest.raises(PolicyBlocked) as caught:
            act()
        assert caught.value.rule == "policy.error"
        assert "policies.rego" in str(caught.value)
    assert made.one.requests == []


def test_one_that_breaks_at_a_tool_denies_the_tool() -> None:
    check = Check()
    session = world(check).open()
    ask(session, tools=[tool("look")])
    check.answer = broken
    with pytest.raises(PolicyBlocked) as caught:
        session.authorize(call("look"))
    assert caught.value.rule == "policy.error"


def test_one_that_breaks_is_no_approval_and_no_allow_by_another() -> None:
    yes = Check(lambda document: [Ruling(True, "rego.yes", "fine")])
    with pytest.raises(PolicyBlocked) as caught:
        play(world(yes, Check(broken)))
    assert caught.value.rule == "policy.error"


def test_a_check_that_waits_is_asked_beside_the_loop() -> None:
    waiting, quick = Check(waits=True), Check()
    play(world(waiting, quick))
    here = threading.get_ident()
    assert [each == here for each in waiting.threads] == [False, False, False, False, True]
    assert set(quick.threads) == {here}


def test_no_model_s_words_reach_a_trace_unredacted() -> None:
    told = Check(lambda document: [Ruling(False, "rego.no", "mail ana@example.com")])
    session = world(told).open()
    with pytest.raises(PolicyBlocked) as caught:
        ask(session)
    assert "ana@example.com" not in str(caught.value)
    assert "ana@example.com" not in repr(session.decisions)
