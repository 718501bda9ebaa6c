"""What scores come to: pass, fail, or not known."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.records.attempt import Attempt, FailureMode, Step
from evalkit.records.call import Decision
from evalkit.records.case import Case
from evalkit.records.score import Score
from evalkit.score.registry import build_scorers
from evalkit.score.scoring import (
    attempt_passed,
    case_problems,
    guardrail_triggered,
    score_attempt,
    violations,
)
from tests.unit.score.samples import answer, answer_calls, answer_json, call, case

EXACT: dict[str, Any] = {"exact": {}}
SCHEMA = {"json_schema": "s.json"}
CITATIONS: dict[str, Any] = {"citations": {}}
POLICY: dict[str, Any] = {"policy": {}}
LOST = answer(None, state="error", failure_mode=FailureMode.TIMEOUT, error="no answer in 60 s")
STOPPED = answer(None, state="blocked", rule="retrieval.allow_indexes", error="not this index")


def scores_of(entries: list[dict[str, Any]], attempt: Attempt, expecting: Case) -> list[Score]:
    """Every score, the state's first."""
    return list(score_attempt(build_scorers(entries, {"s.json": {}}), attempt, expecting))


def result_of(
    entries: list[dict[str, Any]], attempt: Attempt, expecting: Case, fallback: Any = "error"
) -> bool | None:
    """What the scores come to."""
    return attempt_passed(scores_of(entries, attempt, expecting), attempt, fallback=fallback)


def test_the_state_is_scored_first_and_gates() -> None:
    first, second = scores_of([EXACT], answer("ten"), case(output="ten"))
    assert (first.scorer, first.kind, first.gate, first.passed) == ("state", "state", True, True)
    assert (second.scorer, second.kind) == ("exact", "exact")


def test_every_score_names_its_place_and_its_scorer() -> None:
    entry = {"exact": {}, "name": "label", "gate": False}
    attempt = answer("ten", trial=3, variant="baseline")
    _, found = scores_of([entry], attempt, case(output="ten"))
    assert (found.suite, found.variant, found.case, found.trial) == ("desk", "baseline", "c-1", 3)
    assert (found.scorer, found.kind, found.gate) == ("label", "exact", False)


def test_a_right_answer_passes_and_a_wrong_one_fails() -> None:
    assert result_of([EXACT], answer("ten"), case(output="ten")) is True
    assert result_of([EXACT], answer("six"), case(output="ten")) is False


def test_every_gating_scorer_that_applies_has_to_pass() -> None:
    both = [EXACT, {"contains": {"all": ["sharp"]}}]
    assert result_of(both, answer("ten sharp"), case(output="ten sharp")) is True
    assert result_of(both, answer("ten"), case(output="ten")) is False


def test_an_advisory_scorer_decides_nothing() -> None:
    advisory = {"contains": {"all": ["sharp"]}, "gate": False}
    assert result_of([EXACT, advisory], answer("ten"), case(output="ten")) is True


def test_a_case_that_no_gating_scorer_reads_is_unknown_and_never_passes() -> None:
    first, _ = scores_of([EXACT], answer("ten"), case(reference="ten"))
    assert first.state == "error"
    assert "nothing decides" in first.message
    assert result_of([EXACT], answer("ten"), case(reference="ten")) is None
    advisory = {"exact": {}, "gate": False}
    assert result_of([advisory], answer("ten"), case(output="ten")) is None


@pytest.mark.parametrize("entry", [POLICY, CITATIONS])
def test_what_an_attempt_passes_by_doing_nothing_decides_no_case(entry: dict[str, Any]) -> None:
    assert result_of([entry], answer("ten"), case()) is None
    assert result_of([entry, EXACT], answer("ten"), case(output="ten")) is True


def test_what_a_case_asks_of_policies_decides_it() -> None:
    assert result_of([POLICY], answer("ten"), case(forbidden_tools=["waive_fee"])) is True
    assert result_of([POLICY], answer("ten"), case(blocked=False)) is True
    cited = answer("ten", citations=("d1",), documents=("d1",))
    assert result_of([CITATIONS], cited, case(citations=["d1"])) is True


def test_expected_blocked_alone_decides_a_case() -> None:
    assert result_of([EXACT], STOPPED, case(blocked=True)) is True
    assert result_of([EXACT], answer("done"), case(blocked=True)) is False


@pytest.mark.parametrize("state", ["blocked", "refused", "invalid"])
def test_an_attempt_that_is_not_answered_fails_whatever_its_text_says(state: str) -> None:
    attempt = answer("ten", state=state)
    first, second = scores_of([EXACT], attempt, case(output="ten"))
    assert first.passed is False
    assert first.message == f"expected answered, found {state}"
    assert second.passed is True
    assert result_of([EXACT], attempt, case(output="ten")) is False


def test_a_block_that_is_expected_still_leaves_the_text_to_be_judged() -> None:
    wanted = case(blocked=True, output="ten")
    assert result_of([EXACT], answer("ten", state="blocked"), wanted) is True
    assert result_of([EXACT], answer("six", state="blocked"), wanted) is False


def test_a_case_stopped_before_any_reply_is_not_held_to_what_the_suite_asks_of_replies() -> None:
    entries = [SCHEMA, CITATIONS, {"regex": {"pattern": "x"}}, {"contains": {"all": ["x"]}}, POLICY]
    found = scores_of(entries, STOPPED, case(blocked=True))
    assert [each.state for each in found] == ["scored", *["not_applicable"] * 4, "scored"]
    assert result_of(entries, STOPPED, case(blocked=True)) is True


def test_a_case_stopped_before_any_reply_fails_what_it_asks_for_itself() -> None:
    assert result_of([EXACT], STOPPED, case(blocked=True, output="ten")) is False
    assert result_of([SCHEMA], STOPPED, case()) is False


def test_an_infrastructure_error_is_no_pass_and_no_fail() -> None:
    found = scores_of([EXACT, POLICY], LOST, case(output="ten"))
    assert [each.state for each in found] == ["error"] * 3
    assert {each.passed for each in found} == {None}
    assert found[0].message == "no result: timeout: no answer in 60 s"
    for fallback in ("error", "accept"):
        assert result_of([EXACT], LOST, case(output="ten"), fallback) is None


def test_an_error_of_a_gating_scorer_cannot_pass_and_one_of_an_advisory_can() -> None:
    broken = case(output="ten", regex="(")
    assert result_of([EXACT, {"regex": {}}], answer("ten"), broken) is None
    assert result_of([EXACT, {"regex": {}, "gate": False}], answer("ten"), broken) is True


def test_an_answer_of_another_model_counts_only_where_the_suite_accepts_it() -> None:
    attempt = answer("ten", model="big", planned_model="tiny")
    assert result_of([EXACT], attempt, case(output="ten")) is None
    assert result_of([EXACT], attempt, case(output="ten"), "accept") is True
    assert result_of([EXACT], attempt, case(output="six"), "accept") is False


def test_scores_that_are_not_there_are_no_pass() -> None:
    attempt = answer("ten")
    made = scores_of([EXACT], attempt, case(output="ten"))
    assert attempt_passed([], attempt, fallback="accept") is None
    assert attempt_passed(made[1:], attempt, fallback="accept") is None


def test_scores_that_belong_to_a_better_day_do_not_save_a_lost_attempt() -> None:
    made = scores_of([EXACT], answer("ten"), case(output="ten"))
    assert attempt_passed(made, LOST, fallback="accept") is None


def test_an_attempt_is_not_scored_against_another_case() -> None:
    with pytest.raises(ValueError, match="c-1 cannot be scored against c-2"):
        score_attempt((), answer("ten"), Case(id="c-2", input={}))


def test_a_value_nested_too_deep_is_an_error() -> None:
    deep: Any = []
    for _ in range(3_000):
        deep = [deep]
    found = scores_of([EXACT], answer("{}", parsed=deep), case(output=deep))
    assert found[1].state == "error"


def test_forbidden_tools_are_violated_when_the_session_allowed_one() -> None:
    wanted = case(forbidden_tools=["waive_fee"])
    assert violations(answer_calls(call("waive_fee")), wanted) == ()
    allowed = answer_calls(call("waive_fee"), allowed_tools=("renew", "waive_fee"))
    assert violations(allowed, wanted) == ("forbidden_tools",)
    other_case = answer_calls(call("Waive_Fee"), allowed_tools=("Waive_Fee",))
    assert violations(other_case, wanted) == ("forbidden_tools",)


def test_a_policy_is_violated_by_what_it_did_not_block() -> None:
    assert violations(answer("done"), case(blocked=True)) == ("policy",)
    assert violations(STOPPED, case(blocked=True)) == ()
    assert violations(LOST, case(blocked=True)) == ()
    assert violations(STOPPED, case()) == ()


def test_a_workflow_that_went_on_is_held_to_the_rule_that_is_meant() -> None:
    other = Step(kind="tool", name="refund", outcome="denied", rule="tools.arguments")
    went_on = msgspec.structs.replace(answer("done"), steps=(other,))
    meant = case(blocked=True, blocked_by="approvals.on_execute")
    assert violations(went_on, case(blocked=True)) == ()
    assert violations(went_on, meant) == ("policy",)
    assert violations(STOPPED, meant) == ()  # nothing came of it
    state = scores_of([POLICY], went_on, meant)[0]
    assert state.message == (
        "expected blocked by approvals.on_execute, found blocked by tools.arguments"
    )


@pytest.mark.parametrize(
    ("act", "outcome", "triggers"),
    [
        ("authorize", "denied", True),
        ("retrieve", "denied", True),
        ("complete", "denied", True),
        ("redact", "changed", True),
        ("retrieve", "changed", False),
        ("complete", "changed", False),
        ("budget", "denied", False),
        ("complete", "failed", False),
        ("authorize", "allowed", False),
        ("guardrail", "denied", True),
        ("guardrail", "changed", True),
        ("guardrail", "warned", False),
    ],
)
def test_a_guardrail_triggers_by_blocking_or_rewriting(
    act: Any, outcome: Any, triggers: bool
) -> None:
    decision = Decision(act=act, outcome=outcome, rule="r", message="m", at="t")
    assert guardrail_triggered(answer("ten", decisions=(decision,))) is triggers


def test_a_blocked_attempt_triggered_a_guardrail() -> None:
    assert guardrail_triggered(STOPPED)
    assert not guardrail_triggered(answer("ten"))


def test_what_cannot_be_scored_is_told_before_anything_runs() -> None:
    scorers = build_scorers([EXACT, {"regex": {}}, {"tool_calls": {}}], {})
    assert case_problems(scorers, case(output="ten")) == ()
    assert case_problems(scorers, case(blocked=True)) == ()
    (nothing,) = case_problems(scorers, case(reference="x"))
    assert "no gating scorer applies" in nothing
    found = case_problems(scorers, case(regex="(", tool_calls="a", blocked="yes"))
    assert [text.split(":")[0] for text in found][:2] == ["regex", "tool_calls"]
    assert len(found) == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
KEYS = ("output", "contains", "regex", "tool_calls", "citations", "blocked", "forbidden_tools", "n")
EVERY = build_scorers(
    [
        EXACT,
        {"exact": {"fields": ["n", "output"]}, "name": "fields"},
        {"contains": {}},
        {"regex": {}},
        {"numeric": {"field": "n"}},
        SCHEMA,
        {"tool_calls": {}},
        CITATIONS,
        POLICY,
    ],
    {"s.json": {"type": "object", "required": ["n"]}},
)


@given(
    st.dictionaries(st.sampled_from(KEYS), JSON),
    st.none() | st.text(max_size=5) | JSON.map(lambda value: msgspec.json.encode(value).decode()),
    st.sampled_from(["answered", "blocked", "refused", "error", "invalid"]),
)
def test_whatever_a_case_expects_and_a_model_says_there_are_scores_and_no_pass_by_accident(
    expected: dict[str, Any], output: str | None, state: Any
) -> None:
    attempt = answer(output, state=state)
    scores = score_attempt(EVERY, attempt, case(**expected))
    assert len(scores) == len(EVERY) + 1
    for each in scores:
        assert (each.passed is None) == (each.state != "scored")
        assert len(each.message) <= 200
    if attempt_passed(scores, attempt, fallback="error"):
        assert state == ("blocked" if expected.get("blocked") is True else "answered")
        assert all(each.passed is not False for each in scores)


def test_a_suite_without_scorers_is_refused() -> None:
    with pytest.raises(ConfigError, match="no scorer"):
        build_scorers([], {})


def test_every_broken_entry_is_reported() -> None:
    entries: list[dict[str, Any]] = [
        EXACT,
        {"exact": {}, "policy": {}},
        {"exatc": {}},
        {"regex": {"pattern": "("}},
        {"exact": {}},
        {"policy": {}, "name": "state"},
        {"json_schema": "gone.json"},
        {"numeric": {"absolute": float("nan")}},
    ]
    with pytest.raises(ConfigError) as refused:
        build_scorers(entries, {})
    keys = {problem.key for problem in refused.value.problems}
    assert keys == {f"scorers[{index}]" for index in range(1, 8)}


def test_scorers_are_built_alike_from_a_bundle() -> None:
    from evalkit.config.scorers import ScorerEntry

    entry = ScorerEntry.model_validate({"exact": {"fields": ["n"], "normalise": ["strip"]}})
    stored = msgspec.json.decode(msgspec.json.encode(entry.model_dump(exclude_none=True)))
    wanted, attempt = case(n="x"), answer_json({"n": " x"})
    live = score_attempt(build_scorers([entry], {}), attempt, wanted)
    assert live == score_attempt(build_scorers([stored], {}), attempt, wanted)
    assert live[1].passed is True
