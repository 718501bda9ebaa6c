"""The anchor: ten small drops cannot pass one by one."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from evalkit.gate import CaseResult, GateSettings, Rule, TrialResult, decide_suite, suite_exit_code
from evalkit.records.verdict import Outcome, SuiteVerdict

Table = Callable[..., list[CaseResult]]
PASSED, FAILED = TrialResult(passed=True), TrialResult(passed=False)


def _anchored(cases: list[CaseResult], anchor_fails: int = 0) -> list[CaseResult]:
    """The cases beside an anchor that passes all but the first few."""
    return [
        replace(case, anchor=(FAILED if i < anchor_fails else PASSED,))
        for i, case in enumerate(cases)
    ]


def _decide(cases: list[CaseResult], **settings: object) -> SuiteVerdict:
    return decide_suite("s", cases, GateSettings(anchor_margin_pp=5, **settings))  # type: ignore[arg-type]


def test_a_candidate_equal_to_its_baseline_fails_against_the_anchor(table: Table) -> None:
    # baseline and candidate both fail what the anchor passed
    verdict = _decide(_anchored(table(460, both_fail=40)))
    assert [(part.name, part.kind, part.outcome) for part in verdict.parts] == [
        ("drop", "drop", Outcome.PASS),
        ("anchor drop", "anchor", Outcome.FAIL),
    ]
    assert verdict.outcome is Outcome.FAIL
    anchor = verdict.parts[1]
    assert (anchor.required, anchor.margin, anchor.alpha) == (True, 0.05, 0.05)
    assert anchor.counts is not None
    assert (anchor.counts.b, anchor.counts.c, anchor.counts.cases) == (40, 0, 500)
    assert anchor.message.startswith("Against the anchor, the pass rate went from 100 % to 92 %")
    assert anchor.mcnemar_p is not None and anchor.detectable_drop is not None


def test_an_anchor_that_failed_alike_passes(table: Table) -> None:
    verdict = _decide(_anchored(table(500)))
    assert verdict.outcome is Outcome.PASS


def test_the_anchor_is_enough_to_gate_on(table: Table) -> None:
    cases = [replace(case, baseline=()) for case in _anchored(table(300))]
    verdict = _decide(cases, has_baseline=False)
    assert [part.name for part in verdict.parts] == ["anchor drop"]
    assert (verdict.outcome, verdict.unknown) == (Outcome.PASS, 0)
    assert "the anchor" in verdict.notes[0]


def test_an_anchor_without_results_is_incomplete_and_some_count_as_unknown(table: Table) -> None:
    assert _decide(table(300)).outcome is Outcome.INCOMPLETE
    cases = _anchored(table(300))
    cases[0] = replace(cases[0], anchor=(TrialResult(passed=None),))
    verdict = _decide(cases)
    assert (verdict.unknown, verdict.parts[1].unknown, verdict.parts[0].unknown) == (1, 1, 0)


@pytest.mark.parametrize("policy", ["escalate", "warn", "fail"])
def test_an_anchor_that_passes_nothing_leaves_no_room_for_a_drop(table: Table, policy: str) -> None:
    cases = [replace(case, anchor=(FAILED,)) for case in table(1, both_fail=299)]
    verdict = decide_suite(
        "s",
        cases,
        GateSettings(max_drop_pp=None, anchor_margin_pp=5, on_inconclusive=policy),  # type: ignore[arg-type]
    )
    assert [part.name for part in verdict.parts] == ["headroom", "anchor drop"]
    assert "The anchor passes 0 %" in verdict.parts[0].message
    assert suite_exit_code(verdict) == 3


def test_the_rule_of_the_suite_is_the_anchors(table: Table) -> None:
    cases = _anchored(table(485, both_fail=15))
    assert _decide(cases).parts[1].outcome is Outcome.PASS
    strict = decide_suite("s", cases, GateSettings(anchor_margin_pp="4", rule=Rule.STRICT))
    assert strict.parts[1].rule == "strict"
    simple = decide_suite("s", cases, GateSettings(anchor_margin_pp="2", rule=Rule.SIMPLE))
    assert simple.parts[1].outcome is Outcome.FAIL
    assert len(simple.warnings) == 2  # each drop with its own false-alarm rate
