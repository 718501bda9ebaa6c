"""Scorers of workflows: the way taken, documents found, approvals asked for, caps kept."""

from typing import Any

import msgspec
import pytest

from evalkit.config.scorers import ScorerEntry
from evalkit.records.attempt import Attempt, Step
from evalkit.records.call import Decision, ToolCall, Usage
from tests.unit.score.samples import answer, answer_calls, call, case, score

SEARCH = Step(kind="retrieval", name="kb", arguments={"query": "refund"}, documents=("kb-1",))
LOOK = Step(kind="tool", name="look_up", arguments={"order": "ORD-1"}, output="{}")
FAILED = Step(kind="tool", name="look_up", arguments={"order": "ORD-1"}, outcome="failed")
MODEL = Step(kind="model", name="tiny", output="")
PAID = Step(kind="tool", name="refund", arguments={"amount": 12.5}, approved_by="u-1")
WAITING = Step(
    kind="tool", name="refund", arguments={}, outcome="denied", rule="approvals.on_execute"
)
REFUSED = Step(
    kind="tool", name="refund", arguments={}, outcome="denied", rule="policies.disallow_actions"
)
UNGUARDED = Step(kind="tool", name="refund", arguments={"amount": 12.5})


def workflow(*steps: Step, **changes: Any) -> Attempt:
    asked = [step for step in steps if step.kind == "tool"]
    return answer(
        "done",
        steps=steps,
        tool_calls=tuple(ToolCall(name=each.name, arguments=each.arguments) for each in asked),
        allowed_tools=tuple(each.name for each in asked if each.outcome != "denied"),
        **changes,
    )


WAY = [{"retrieve": "kb"}, {"tool": "look_up"}, {"tool": "refund"}]


@pytest.mark.parametrize(
    ("match", "steps", "passed"),
    [
        ("ordered", (SEARCH, MODEL, LOOK, PAID), True),
        ("ordered", (SEARCH, LOOK, LOOK, MODEL, PAID), True),
        ("ordered", (LOOK, SEARCH, PAID), False),
        ("any", (LOOK, SEARCH, PAID), True),
        ("any", (LOOK, PAID), False),
        ("exact", (SEARCH, LOOK, PAID), True),
        ("exact", (SEARCH, LOOK, LOOK, PAID), False),
        ("ordered", (SEARCH, LOOK, WAITING), False),
    ],
)
def test_a_way_passes_as_strictly_as_it_is_asked_for(
    match: str, steps: tuple[Step, ...], passed: bool
) -> None:
    found = score({"trajectory": {"match": match}}, workflow(*steps), case(trajectory=WAY))
    assert found.passed is passed


def test_a_way_can_ask_for_arguments_and_for_a_denial() -> None:
    wanted = case(
        trajectory=[
            {"tool": "look_up", "arguments": {"order": {"$regex": "^ORD-"}}},
            {"tool": "refund", "outcome": "denied"},
        ]
    )
    assert score({"trajectory": {}}, workflow(LOOK, WAITING), wanted).passed is True
    assert score({"trajectory": {}}, workflow(LOOK, PAID), wanted).passed is False


def test_a_way_that_is_wrong_is_told_with_what_was_done() -> None:
    found = score({"trajectory": {}}, workflow(LOOK, WAITING), case(trajectory=WAY))
    assert "expected retrieval from kb" in found.message
    assert found.found == ["look_up", "refund (denied)"]
    assert found.measures["recall"] == pytest.approx(1 / 3)


def test_an_attempt_without_steps_took_the_way_of_its_calls() -> None:
    attempt = answer_calls(call("look_up"), call("refund"), allowed_tools=("look_up",))
    wanted = case(trajectory=[{"tool": "look_up"}, {"tool": "refund", "outcome": "denied"}])
    assert score({"trajectory": {"match": "exact"}}, attempt, wanted).passed is True


@pytest.mark.parametrize("acts", [[{"tool": "a", "retrieve": "b"}], [{}], ["a"], []])
def test_a_way_that_makes_no_sense_is_an_error_and_no_pass(acts: list[Any]) -> None:
    found = score({"trajectory": {}}, workflow(LOOK), case(trajectory=acts))
    assert (found.state, found.passed) == ("error", None)


CALLS = (call("look_up", order="ORD-1"), call("refund", amount=12.5))


@pytest.mark.parametrize(
    ("settings", "wanted", "passed"),
    [
        ({"match": "superset"}, [{"name": "refund", "arguments": {"amount": 12.5}}], True),
        ({"match": "subset"}, [{"name": "refund", "arguments": {"amount": 12.5}}], False),
        ({"match": "superset", "arguments": "ignore"}, [{"name": "refund"}], True),
        ({"arguments": "ignore", "order": "any"}, [{"name": "refund"}, {"name": "look_up"}], True),
        ({"arguments": "ignore"}, [{"name": "refund"}, {"name": "look_up"}], False),
        (
            {"match": "superset", "arguments": "ignore"},
            [{"name": "refund"}, {"name": "look_up"}],
            False,
        ),
        ({"min_recall": 0.5, "arguments": "ignore"}, [{"name": "refund"}, {"name": "x"}], True),
        ({"min_f1": 0.9, "arguments": "ignore"}, [{"name": "refund"}, {"name": "x"}], False),
        ({"min_precision": 0.6, "arguments": "ignore"}, [{"name": "refund"}], False),
        (
            {"match": "subset", "arguments": "ignore"},
            [{"name": "look_up"}, {"name": "x"}, {"name": "refund"}],
            True,
        ),
        (
            {},
            [
                {"name": "look_up", "arguments": {"order": {"$regex": "^ORD-"}}},
                {"name": "refund", "arguments": {"amount": {"$approx": 12.49, "$abs": 0.01}}},
            ],
            True,
        ),
    ],
)
def test_tool_calls_pass_as_strictly_as_they_are_asked_for(
    settings: dict[str, Any], wanted: list[dict[str, Any]], passed: bool
) -> None:
    found = score({"tool_calls": settings}, answer_calls(*CALLS), case(tool_calls=wanted))
    assert found.passed is passed


def test_two_expected_calls_that_both_fit_one_are_paired_for_the_best() -> None:
    wanted = [
        {"name": "a", "arguments": {"n": {"$any": True}}},
        {"name": "a", "arguments": {"n": 1}},
    ]
    made = answer_calls(call("a", n=1), call("a", n=2))
    assert score({"tool_calls": {"order": "any"}}, made, case(tool_calls=wanted)).passed is True


def test_calls_that_were_denied_count_as_asked_and_not_as_executed() -> None:
    wanted = case(tool_calls=[{"name": "look_up", "arguments": {"order": "ORD-1"}}])
    attempt = workflow(LOOK, WAITING)
    assert score({"tool_calls": {}}, attempt, wanted).passed is False
    assert score({"tool_calls": {"calls": "executed"}}, attempt, wanted).passed is True


@pytest.mark.parametrize(
    ("settings", "expected", "passed"),
    [
        ({}, {"documents": ["kb-1", "guide.md"]}, True),
        ({}, {"documents": ["kb-1", "kb-3"]}, False),
        ({"min_recall": 0.5}, {"documents": ["kb-1", "kb-3"]}, True),
        ({"min_precision": 0.9}, {"documents": ["kb-1", "guide.md"]}, False),
        ({}, {"forbidden_documents": ["kb-9"]}, True),
        ({}, {"forbidden_documents": ["guide.md"]}, False),
        ({}, {"documents": ["kb-1"], "forbidden_documents": ["kb-2"]}, False),
    ],
)
def test_retrieval_finds_what_it_needs_and_leaves_what_it_may_not_see(
    settings: dict[str, Any], expected: dict[str, Any], passed: bool
) -> None:
    attempt = answer("x", documents=("kb-1", "kb-2", "guide.md#4"))
    assert score({"retrieval": settings}, attempt, case(**expected)).passed is passed


def test_a_chunk_of_another_file_is_none_of_the_expected_one() -> None:
    attempt = answer("x", documents=("guide.md.old#1",))
    assert score({"retrieval": {}}, attempt, case(documents=["guide.md"])).passed is False


@pytest.mark.parametrize(
    ("steps", "expected", "passed"),
    [
        ((WAITING,), ["refund"], True),
        ((PAID,), ["refund"], True),
        ((UNGUARDED,), ["refund"], False),
        ((WAITING, UNGUARDED), ["refund"], False),
        ((LOOK,), ["refund"], False),
        ((REFUSED,), ["refund"], False),
        ((LOOK,), [], True),
        ((WAITING,), [], False),
    ],
)
def test_approvals_are_asked_for_where_they_are_needed(
    steps: tuple[Step, ...], expected: list[str], passed: bool
) -> None:
    found = score({"approvals": {}}, workflow(*steps), case(approvals=expected))
    assert found.passed is passed


@pytest.mark.parametrize(
    ("cap", "passed"),
    [
        ({"max_steps": 2}, True),
        ({"max_steps": 1}, False),
        ({"max_tool_calls": 3}, True),
        ({"max_tool_calls": 2}, False),
        ({"max_retries": 1}, True),
        ({"max_retries": 0}, False),
        ({"max_tokens": 150}, True),
        ({"max_tokens": 149}, False),
        ({"max_cost_usd": 0.02}, True),
        ({"max_cost_usd": 0.001}, False),
        ({"max_latency_s": 2.0}, True),
        ({"max_latency_s": 1.0}, False),
    ],
)
def test_caps_hold_to_the_last_unit(cap: dict[str, Any], passed: bool) -> None:
    attempt = workflow(
        MODEL,
        FAILED,
        LOOK,
        MODEL,
        PAID,
        usage=Usage(input_tokens=100, output_tokens=50),
        cost_usd=0.02,
        latency_s=2.0,
    )
    assert score({"caps": cap}, attempt, case(output="x")).passed is passed


@pytest.mark.parametrize("cap", [{"max_cost_usd": 1.0}, {"max_latency_s": 1.0}])
def test_a_cap_on_what_nobody_knows_is_an_error_and_no_pass(cap: dict[str, Any]) -> None:
    found = score({"caps": cap}, answer("x"), case(output="x"))
    assert (found.state, found.passed) == ("error", None)


def test_caps_decide_no_case_by_themselves() -> None:
    entry = ScorerEntry.model_validate({"caps": {"max_steps": 3}})
    assert not entry.decides({"output": "x"})


@pytest.mark.parametrize(
    "entry",
    [
        {"caps": {}},
        {"tool_calls": {"match": "subset", "min_f1": 0.5}},
        {"tool_calls": {"min_f1": 1.5}},
        {"trajectory": {"match": "fuzzy"}},
    ],
)
def test_settings_that_contradict_themselves_are_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"cap is missing|takes the place|less than|Input should"):
        ScorerEntry.model_validate(entry)


DENIED = Decision(
    act="authorize",
    outcome="denied",
    rule="approvals.on_execute",
    message="refund executes something",
    at="2026-11-24T12:00:00Z",
    data={"tool": "refund"},
)


@pytest.mark.parametrize(
    ("changes", "given", "expected", "passed"),
    [
        ({"decisions": (DENIED,), "state": "blocked"}, (), ["refund"], True),
        ({"allowed_tools": ("refund",)}, ("refund",), ["refund"], True),
        ({"allowed_tools": ("refund",)}, (), ["refund"], False),
        ({"decisions": (DENIED,), "state": "blocked"}, (), [], False),
        ({"state": "blocked"}, (), ["refund"], False),
    ],
)
def test_approvals_of_a_prompts_calls_are_told_by_decisions_and_by_the_case(
    changes: dict[str, Any], given: tuple[str, ...], expected: list[str], passed: bool
) -> None:
    approvals = {tool: {"granted_by": "ada", "team": "legal"} for tool in given}
    wanted = msgspec.structs.replace(case(approvals=expected, blocked=None), approvals=approvals)
    found = score({"approvals": {}}, answer_calls(call("refund"), **changes), wanted)
    assert found.passed is passed, found.message
