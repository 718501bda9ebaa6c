"""Waivers: they cover what was accepted and nothing beyond it, and they end."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from evalkit.gate import (
    CaseResult,
    GateSettings,
    MetricSettings,
    SliceSettings,
    TrialResult,
    add_parts,
    apply_waivers,
    decide_suite,
    decide_verdict,
    propose_waiver,
    suite_exit_code,
)
from evalkit.gate.judged import decide_judged_drop, decide_judged_floor
from evalkit.records.verdict import Outcome, PartVerdict, SuiteVerdict, Waiver
from tests.unit.gate.judged_parts import drop, judged, question, share

Table = Callable[..., list[CaseResult]]
TODAY = "2026-06-15"


def _waiver(part: str = "drop", **more: Any) -> Waiver:
    given = {
        "id": "W1",
        "suite": "s",
        "reason": "The new prompt is shorter.",
        "accepted_by": "Ada",
        "on": "2026-06-01",
        "until": "2026-07-01",
        **more,
    }
    return Waiver(part=part, **given)


def _guard(message: str = "The margin was raised from 3 pp to 10 pp.") -> PartVerdict:
    return PartVerdict(
        name="gate change",
        kind="guard",
        outcome=Outcome.INCONCLUSIVE,
        best=Outcome.INCONCLUSIVE,
        worst=Outcome.INCONCLUSIVE,
        required=True,
        held=True,
        message=message,
        what_would_settle="A reviewer who accepts it.",
    )


def _part(verdict: SuiteVerdict, name: str) -> PartVerdict:
    return next(part for part in verdict.parts if part.name == name)


@pytest.fixture
def dropped(table: Table) -> SuiteVerdict:
    """A drop of 5 pp that fails: 12 newly failing, 2 newly passing of 200."""
    return decide_suite("s", table(160, 12, 2, 26), GateSettings())


@pytest.mark.parametrize(("up_to", "covered"), [(4.9, False), (5.0, True), (5.1, True)])
def test_a_drop_is_covered_up_to_what_was_accepted(
    dropped: SuiteVerdict, up_to: float, covered: bool
) -> None:
    verdict = apply_waivers(dropped, [_waiver(up_to=up_to)], TODAY)
    part = _part(verdict, "drop")
    assert part.outcome is Outcome.FAIL  # what was measured stays what it is
    assert (part.waiver is not None) is covered
    assert verdict.outcome is (Outcome.PASS if covered else Outcome.FAIL)
    assert decide_verdict([verdict]).exit_code == (0 if covered else 1)


@pytest.mark.parametrize("b", [7, 14, 29, 57])
def test_a_cover_that_floats_cannot_hold_is_reached_exactly(table: Table, b: int) -> None:
    verdict = decide_suite("s", table(1000 - b, b), GateSettings(max_drop_pp="0.5", alpha=0.2))
    assert verdict.outcome is Outcome.FAIL
    exactly, less = _waiver(up_to=b / 10), _waiver(up_to=(b - 1) / 10)
    assert apply_waivers(verdict, [exactly], TODAY).outcome is Outcome.PASS
    assert apply_waivers(verdict, [less], TODAY).outcome is Outcome.FAIL


def test_an_accepted_part_says_who_accepted_it_until_when_and_why(dropped: SuiteVerdict) -> None:
    verdict = apply_waivers(dropped, [_waiver(up_to=6)], TODAY)
    assert _part(verdict, "drop").message.endswith(
        "Accepted by Ada until 2026-07-01 (W1): The new prompt is shorter."
    )
    says = "drop did not pass and counts as passed, by waiver W1, accepted by Ada"
    assert says in verdict.warnings[0]


def test_what_is_beyond_a_waiver_says_so(dropped: SuiteVerdict) -> None:
    verdict = apply_waivers(dropped, [_waiver(up_to=2)], TODAY)
    assert "W1 covers up to 2 pp, which this is not" in _part(verdict, "drop").message
    assert "not covered by waiver W1" in verdict.warnings[0]


def test_an_inconclusive_part_is_covered_as_well(table: Table) -> None:
    verdict = decide_suite("s", table(160, 10, 8, 22), GateSettings())
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert apply_waivers(verdict, [_waiver(up_to=1)], TODAY).outcome is Outcome.PASS
    assert apply_waivers(verdict, [_waiver(up_to=0.9)], TODAY).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("lost", [100, 300])
def test_what_was_not_measured_cannot_be_accepted(table: Table, lost: int) -> None:
    incomplete = decide_suite("s", table(100, lost=lost), GateSettings())
    verdict = apply_waivers(incomplete, [_waiver(up_to=100)], TODAY)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert _part(verdict, "drop").waiver is None
    nothing = apply_waivers(decide_suite("s", [], GateSettings()), [_waiver(up_to=100)], TODAY)
    assert nothing.outcome is Outcome.NOT_MEASURED


def test_a_floor_is_covered_down_to_what_was_accepted(table: Table) -> None:
    settings = GateSettings(max_drop_pp=None, min_pass_rate="0.95")
    missed = decide_suite("s", table(93, both_fail=7), settings)
    assert apply_waivers(missed, [_waiver("floor", at_least=0.93)], TODAY).outcome is Outcome.PASS
    assert apply_waivers(missed, [_waiver("floor", at_least=0.931)], TODAY).outcome is Outcome.FAIL


def test_slices_are_covered_by_name(table: Table) -> None:
    cases = table(1800) + table(180, 20, tags=("refunds",), prefix="refund")
    settings = GateSettings(slices={"refunds": SliceSettings(max_drop_pp=3, min_pass_rate="0.95")})
    failing = decide_suite("s", cases, settings)
    drop, floor = (
        _waiver("slice:refunds drop", up_to=10),
        _waiver("slice:refunds floor", id="W2", at_least=0.9),
    )
    assert apply_waivers(failing, [drop], TODAY).outcome is Outcome.FAIL
    assert apply_waivers(failing, [drop, floor], TODAY).outcome is Outcome.PASS


def test_metrics_are_covered_in_percent_and_rates_in_points() -> None:
    def case(i: int) -> CaseResult:
        return CaseResult(
            case=str(i),
            baseline=(TrialResult(passed=True, tokens=100.0, guardrail=False),),
            candidate=(TrialResult(passed=True, tokens=120.0, guardrail=i < 20),),
        )

    metrics = {
        "tokens": MetricSettings(max_increase_pct=10),
        "guardrail_rate": MetricSettings(max_increase_pp=3),
    }
    failing = decide_suite("s", [case(i) for i in range(200)], GateSettings(metrics=metrics))
    tokens = _waiver("metric:tokens", up_to=20)
    rate = _waiver("metric:guardrail_rate", id="W2", up_to=10)
    assert apply_waivers(failing, [tokens, rate], TODAY).outcome is Outcome.PASS
    short = msgspec.structs.replace(tokens, up_to=19.9)
    beyond = apply_waivers(failing, [short, rate], TODAY)
    assert beyond.outcome is Outcome.FAIL
    assert "up to 19.9 %" in _part(beyond, "metric:tokens").message
    points = apply_waivers(failing, [msgspec.structs.replace(rate, up_to=9.0)], TODAY)
    assert "up to 9 pp" in _part(points, "metric:guardrail_rate").message


def _breaking(cases: list[CaseResult], *ids: str) -> list[CaseResult]:
    bad = (TrialResult(passed=True, violations=("policy",)),)
    good = (TrialResult(passed=True),)
    return [*cases, *(CaseResult(case=i, baseline=good, candidate=bad) for i in ids)]


def test_an_invariant_is_covered_for_the_named_cases_only(table: Table) -> None:
    settings = GateSettings(invariants=("policy",))
    waiver = _waiver("invariant:policy", cases=("a", "b"))
    one = decide_suite("s", _breaking(table(300), "a"), settings)
    assert _part(one, "invariant:policy").cases == ("a",)
    assert apply_waivers(one, [waiver], TODAY).outcome is Outcome.PASS
    other = decide_suite("s", _breaking(table(300), "a", "c"), settings)
    assert apply_waivers(other, [waiver], TODAY).outcome is Outcome.FAIL


def test_an_accepted_invariant_does_not_pass_while_other_attempts_could_break_it(
    table: Table,
) -> None:
    settings = GateSettings(max_drop_pp=10, invariants=("policy",))
    cases = _breaking(table(299, lost=1), "a")
    verdict = apply_waivers(
        decide_suite("s", cases, settings), [_waiver("invariant:policy", cases=("a",))], TODAY
    )
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert suite_exit_code(verdict) == 3
    assert "1 attempt without a result" in verdict.parts[0].message


def test_an_invariant_that_was_not_checked_everywhere_cannot_be_accepted(table: Table) -> None:
    settings = GateSettings(max_drop_pp=10, invariants=("policy",))
    verdict = decide_suite("s", table(299, lost=1), settings)
    accepted = apply_waivers(verdict, [_waiver("invariant:policy", cases=("a",))], TODAY)
    assert accepted.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("policy", ["escalate", "warn", "fail"])
def test_a_guard_is_covered_word_by_word(table: Table, policy: Any) -> None:
    suite = decide_suite("s", table(300), GateSettings(on_inconclusive=policy))
    guarded = add_parts(suite, [_guard()])
    same = apply_waivers(guarded, [_waiver("gate change", text=_guard().message)], TODAY)
    assert (same.outcome, suite_exit_code(same)) == (Outcome.PASS, 0)
    other = apply_waivers(guarded, [_waiver("gate change", text="Another change.")], TODAY)
    assert (other.outcome, suite_exit_code(other)) == (Outcome.INCONCLUSIVE, 3)
    assert _part(other, "gate change").message == _guard().message


def test_the_last_day_counts(dropped: SuiteVerdict) -> None:
    waiver = _waiver(up_to=6, until=TODAY)
    assert apply_waivers(dropped, [waiver], TODAY).outcome is Outcome.PASS
    assert apply_waivers(dropped, [waiver], "2026-06-16").outcome is Outcome.FAIL


@pytest.mark.parametrize("policy", ["escalate", "warn", "fail"])
def test_an_expired_waiver_never_goes_green(table: Table, policy: Any) -> None:
    expired = _waiver(up_to=6, until="2026-06-14")
    settings = GateSettings(on_inconclusive=policy)
    for cases, code in ((table(300), 3), (table(180, 10, 10), 3), (table(200, 40), 1)):
        verdict = apply_waivers(decide_suite("s", cases, settings), [expired], TODAY)
        assert suite_exit_code(verdict) == code
        held = verdict.parts[0]
        assert (held.kind, held.name, held.held) == ("waiver", "waiver:W1", True)
        assert "expired after 2026-06-14" in held.message
        assert "W1" in (held.what_would_settle or "")


def test_a_part_that_fails_names_the_waiver_that_expired(dropped: SuiteVerdict) -> None:
    verdict = apply_waivers(dropped, [_waiver(up_to=6, until="2026-06-14")], TODAY)
    assert "Waiver W1 of drop expired after 2026-06-14" in _part(verdict, "drop").message
    assert verdict.outcome is Outcome.FAIL
    assert not any("in force" in warning for warning in verdict.warnings)


def test_a_renewed_waiver_does_not_excuse_the_expired_one(dropped: SuiteVerdict) -> None:
    waivers = [_waiver(up_to=6, until="2026-06-14"), _waiver(id="W2", up_to=6)]
    verdict = apply_waivers(dropped, waivers, TODAY)
    assert _part(verdict, "drop").waiver == waivers[1]
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_a_waiver_of_a_part_that_is_not_there_keeps_the_suite_open(table: Table) -> None:
    verdict = apply_waivers(
        decide_suite("s", table(300), GateSettings()), [_waiver("flor", at_least=0.9)], TODAY
    )
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "is of flor, which this suite does not have; it has drop" in verdict.parts[0].message


def test_a_waiver_that_is_not_needed_is_listed_all_the_same(table: Table) -> None:
    passing = decide_suite("s", table(300), GateSettings())
    verdict = apply_waivers(passing, [_waiver(up_to=6)], TODAY)
    assert verdict.outcome is Outcome.PASS
    assert _part(verdict, "drop").waiver is None
    assert "drop passes and does not need waiver W1" in verdict.warnings[0]


def test_waivers_of_other_suites_change_nothing(dropped: SuiteVerdict) -> None:
    assert apply_waivers(dropped, [_waiver(up_to=6, suite="other")], TODAY) == dropped
    assert apply_waivers(dropped, [], TODAY) == dropped


def test_the_first_waiver_that_covers_is_the_one_shown(dropped: SuiteVerdict) -> None:
    waivers = [_waiver(up_to=1), _waiver(id="W2", up_to=6), _waiver(id="W3", up_to=9)]
    verdict = apply_waivers(dropped, waivers, TODAY)
    assert _part(verdict, "drop").waiver == waivers[1]
    assert len(verdict.warnings) == 3
    assert "covered by W2 already" in verdict.warnings[2]


def test_what_was_accepted_is_no_reason_and_no_evidence(
    dropped: SuiteVerdict, table: Table
) -> None:
    accepted = apply_waivers(dropped, [_waiver(up_to=6)], TODAY)
    # alone p = .017 fails; beside nine suites it is chance, and the accepted p = .004 is not asked
    weak = decide_suite("weak", table(189, 9, 2), GateSettings())
    verdict = decide_verdict([accepted, weak])
    assert [suite.outcome for suite in verdict.suites] == [Outcome.PASS, Outcome.FAIL]
    assert all(reason.startswith("weak: ") for reason in verdict.reasons)
    alone = decide_verdict([accepted])
    assert (alone.outcome, alone.exit_code) == (Outcome.PASS, 0)
    assert "Accepted by Ada" in alone.reasons[0]


def test_an_accepted_verdict_survives_json(dropped: SuiteVerdict) -> None:
    verdict = apply_waivers(dropped, [_waiver(up_to=6), _waiver("x", id="W2")], TODAY)
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=SuiteVerdict) == verdict


def _propose(part: PartVerdict, **more: str) -> Waiver:
    given = {
        "suite": "s",
        "id": "W9",
        "reason": "Known.",
        "accepted_by": "Ada",
        "on": TODAY,
        "until": "2026-07-01",
        **more,
    }
    return propose_waiver(part, **given)


def test_a_proposed_waiver_of_a_drop_covers_its_interval(dropped: SuiteVerdict) -> None:
    part = dropped.parts[0]
    waiver = _propose(part)
    assert part.estimate is not None and waiver.up_to is not None
    assert waiver.up_to == math.ceil(1000 * part.estimate.upper) / 10
    assert (waiver.part, waiver.until, waiver.accepted_by) == ("drop", "2026-07-01", "Ada")
    assert apply_waivers(dropped, [waiver], TODAY).outcome is Outcome.PASS


def test_a_proposed_waiver_covers_every_kind_of_part(table: Table) -> None:
    cases = _breaking(table(150, 50, tags=("x",)), "bad")
    settings = GateSettings(
        min_pass_rate="0.95",
        invariants=("policy",),
        anchor_margin_pp=3,
        slices={"x": SliceSettings(max_drop_pp=3, min_pass_rate="0.95")},
        metrics={"success_rate": MetricSettings(max_drop_pp=3)},
    )
    anchored = [
        CaseResult(
            case=case.case,
            baseline=case.baseline,
            candidate=case.candidate,
            anchor=case.baseline,
            tags=case.tags,
        )
        for case in cases
    ]
    verdict = add_parts(decide_suite("s", anchored, settings), [_guard()])
    failing = [part for part in verdict.parts if part.outcome is not Outcome.PASS]
    assert {part.kind for part in failing} == {
        "guard",
        "drop",
        "anchor",
        "floor",
        "slice_drop",
        "slice_floor",
        "metric",
        "invariant",
    }
    waivers = [_propose(part, id=f"W{i}") for i, part in enumerate(failing)]
    accepted = apply_waivers(verdict, waivers, TODAY)
    assert accepted.outcome is Outcome.PASS
    assert suite_exit_code(accepted) == 0
    # and proposing it once more says the same
    renewed = [_propose(part, id=w.id) for part, w in zip(failing, waivers, strict=True)]
    again = [_propose(_part(accepted, w.part), id=w.id) for w in waivers]
    assert again == renewed == waivers


def test_nothing_is_proposed_where_there_is_nothing_to_accept(table: Table) -> None:
    passing = decide_suite("s", table(300), GateSettings()).parts[0]
    nothing = decide_suite("s", [], GateSettings()).parts[0]
    free = PartVerdict(
        name="metric:tokens",
        kind="metric",
        outcome=Outcome.FAIL,
        best=Outcome.FAIL,
        worst=Outcome.FAIL,
        required=True,
        message="tokens went from 0 to 1: the baseline used none.",
    )
    held = apply_waivers(
        decide_suite("s", table(300), GateSettings()), [_waiver("gone", up_to=1)], TODAY
    ).parts[0]
    for part in (passing, nothing, free, held):
        with pytest.raises(ValueError, match=part.name):
            _propose(part)


def test_a_waiver_that_ends_before_it_starts_is_refused(dropped: SuiteVerdict) -> None:
    with pytest.raises(ValueError, match="cannot end"):
        _propose(dropped.parts[0], until="2026-06-01")


def test_a_waiver_of_a_gate_change_that_was_merged_is_only_warned_about(table: Table) -> None:
    passed = decide_suite("s", table(195, 0, 0, 5), GateSettings())
    merged = _waiver("gate change", text="trials went from 2 to 1.")
    verdict = apply_waivers(passed, [merged], TODAY)
    assert verdict.outcome is Outcome.PASS
    assert any("not needed any more" in warning for warning in verdict.warnings)


def test_an_expired_waiver_of_a_gate_change_still_holds_the_suite_back(table: Table) -> None:
    passed = decide_suite("s", table(195, 0, 0, 5), GateSettings())
    old = _waiver("gate change", text="trials went from 2 to 1.", until="2026-06-14")
    assert apply_waivers(passed, [old], TODAY).outcome is Outcome.INCONCLUSIVE


def _judge_drop(*, blocked: bool = False) -> PartVerdict:
    """A judge's drop of 6 pp that fails, or that nobody vouches for."""
    asked = question(blocked=("Nobody has measured it.",) if blocked else ())
    figures = drop(0.06, 0.03, 0.0925)
    return decide_judged_drop(asked, Fraction(3, 100), judged(), best=figures, worst=figures)


def _judge_floor(*, blocked: bool = False) -> PartVerdict:
    """A corrected rate of 80 % that misses its floor, or that nobody vouches for."""
    asked = question(
        name="judge tone floor", blocked=("Nobody has measured it.",) if blocked else ()
    )
    figures = share(0.8, 0.7105, 0.88)
    return decide_judged_floor(asked, Fraction(9, 10), judged(), best=figures, worst=figures)


@pytest.mark.parametrize(("up_to", "covered"), [(5.9, False), (6.0, True)])
def test_a_judges_drop_is_covered_by_its_corrected_figure(
    table: Table, up_to: float, covered: bool
) -> None:
    verdict = add_parts(decide_suite("s", table(500), GateSettings()), [_judge_drop()])
    accepted = apply_waivers(verdict, [_waiver("judge tone", up_to=up_to)], TODAY)
    assert accepted.outcome is (Outcome.PASS if covered else Outcome.FAIL)
    assert (_part(accepted, "judge tone").waiver is not None) is covered


@pytest.mark.parametrize(("at_least", "covered"), [(0.81, False), (0.8, True), (0.7, True)])
def test_a_judges_floor_is_covered_by_its_corrected_rate(
    table: Table, at_least: float, covered: bool
) -> None:
    verdict = add_parts(decide_suite("s", table(500), GateSettings()), [_judge_floor()])
    waiver = _waiver("judge tone floor", at_least=at_least)
    accepted = apply_waivers(verdict, [waiver], TODAY)
    assert accepted.outcome is (Outcome.PASS if covered else Outcome.FAIL)


def test_a_proposed_waiver_of_a_judge_covers_its_interval() -> None:
    assert _propose(_judge_drop()).up_to == 9.3
    assert _propose(_judge_floor()).at_least == 0.71


def test_a_judge_that_nobody_vouches_for_cannot_be_accepted_by_what_it_says(table: Table) -> None:
    parts = [_judge_drop(blocked=True), _judge_floor(blocked=True)]
    # the floor's part shows the judge's own rate, which is no measurement
    assert parts[1].candidate_rate == 0.8
    verdict = add_parts(decide_suite("s", table(500), GateSettings()), parts)
    waivers = [
        _waiver("judge tone", up_to=100),
        _waiver("judge tone floor", id="W2", at_least=0.001),
    ]
    accepted = apply_waivers(verdict, waivers, TODAY)
    assert accepted.outcome is Outcome.INCONCLUSIVE
    assert [_part(accepted, part.name).waiver for part in parts] == [None, None]
    for part in parts:
        with pytest.raises(ValueError, match="no figure that a waiver could be held to"):
            _propose(part)
