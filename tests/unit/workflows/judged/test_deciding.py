"""Judgments to parts of a verdict: counted, corrected by worked examples, held against a margin."""

from typing import Any

import msgspec
import pytest

from evalkit.gate.settings import GateSettings
from evalkit.records.calibration import JudgeStanding
from evalkit.records.label import LabelledItem
from evalkit.records.run import JudgeSetting
from evalkit.records.verdict import Outcome, PartVerdict, Quarantined
from evalkit.workflows.judged.deciding import SuiteJudges
from tests.unit.workflows.judged.judged_suites import JudgedSuite, labels_on, setting

SETTINGS = GateSettings()
PERFECT = JudgeStanding(standing="fit", tpr=1.0, tnr=1.0, n_pass=1e9, n_fail=1e9)


def parts(
    suite: JudgedSuite,
    settings: GateSettings = SETTINGS,
    labels: list[LabelledItem] | None = None,
    trials: int = 1,
) -> list[PartVerdict]:
    """The parts of a suite's judges."""
    judges = SuiteJudges(
        suite.snapshot,
        arm_of=suite.arm_of,
        scores=suite.found_scores,
        judgments=suite.judgments.values(),
        labels=labels or [],
    )
    return judges.parts(trials, settings)


def suite_of(
    candidate: str, baseline: str | None, judge: JudgeSetting | None = None, **more: Any
) -> JudgedSuite:
    """A suite with a letter a case."""
    arms = {"candidate": list(candidate)}
    if baseline is not None:
        arms["baseline"] = list(baseline)
    return JudgedSuite(arms, judge, **more)


def part_of(candidate: str, baseline: str | None, **judge: Any) -> PartVerdict:
    """The one part of such a suite."""
    (part,) = parts(suite_of(candidate, baseline, setting(**judge)))
    return part


def test_a_drop_shows_through_a_judge_and_is_corrected_by_its_errors() -> None:
    """80 of 100 passed before, 70 now: with J = .9 + .8 - 1 the drop is .1 / .7."""
    part = part_of("P" * 70 + "F" * 30, "P" * 80 + "F" * 20)
    assert (part.name, part.kind) == ("judge tone", "judge")
    assert part.judged is not None and part.judged.raw is not None
    assert part.judged.raw.drop == pytest.approx(0.1)
    assert part.estimate is not None
    assert part.estimate.drop == pytest.approx(0.1 / 0.7)
    # (.8 - .2) / .7 and (.7 - .2) / .7
    assert part.baseline_rate == pytest.approx(0.6 / 0.7)
    assert part.candidate_rate == pytest.approx(0.5 / 0.7)
    assert part.judged.candidate.method == "rogan_gladen"
    assert part.judged.equal_errors == "assumed"
    assert part.outcome is Outcome.FAIL


def test_a_perfect_judge_needs_no_correction() -> None:
    part = part_of("P" * 90 + "F" * 10, "P" * 100, standing=PERFECT)
    assert part.judged is not None and part.judged.raw is not None and part.estimate is not None
    assert part.estimate.drop == pytest.approx(part.judged.raw.drop)
    assert part.estimate.lower == pytest.approx(part.judged.raw.lower, abs=1e-6)
    assert part.candidate_rate == pytest.approx(0.9)


def test_verdicts_that_are_the_same_pass() -> None:
    part = part_of("P" * 300 + "F" * 100, "P" * 300 + "F" * 100)
    assert part.outcome is Outcome.PASS
    assert part.estimate is not None and part.estimate.drop == 0.0


def test_attempts_without_an_answer_are_fails_whatever_the_judge_errs() -> None:
    """Ten of a hundred are not judged: seen 80 and 72; (.08 - .2 * .1) / .7."""
    part = part_of("P" * 72 + "F" * 18 + "N" * 10, "P" * 80 + "F" * 20)
    assert part.estimate is not None
    assert part.estimate.drop == pytest.approx((0.08 - 0.2 * 0.1) / 0.7)
    # of the ninety that were judged (.8 - .2) / .7 pass
    assert part.candidate_rate == pytest.approx(0.9 * 0.6 / 0.7)


def test_outputs_without_a_verdict_count_for_and_against_the_candidate() -> None:
    part = part_of("P" * 196 + "A" * 4, "P" * 200)
    assert part.estimate is not None
    assert part.estimate.drop == pytest.approx(0.02 / 0.7)
    assert part.unknown == 4
    assert part.held is False
    lost = part_of("P" * 180 + "E" * 20, "P" * 200)
    assert (lost.outcome, lost.held, lost.unknown) == (Outcome.INCONCLUSIVE, True, 20)


def test_a_judge_that_is_not_fit_is_shown_uncorrected_and_decides_nothing() -> None:
    standing = JudgeStanding(standing="uncalibrated", why=("Nobody has measured it.",))
    part = part_of("P" * 100, "P" * 100, standing=standing)
    assert (part.outcome, part.held, part.estimate) == (Outcome.INCONCLUSIVE, True, None)
    assert part.message.startswith("Nobody has measured it.")
    assert part.judged is not None
    assert (part.judged.candidate.corrected, part.candidate_rate) == (None, 1.0)
    assert part.judged.raw is not None and part.judged.raw.drop == 0.0


@pytest.mark.parametrize("rates", [{"tpr": None}, {"tnr": None}])
def test_a_fit_judge_without_both_error_rates_decides_nothing(rates: dict[str, Any]) -> None:
    standing = msgspec.structs.replace(PERFECT, **rates)
    assert part_of("P" * 100, "P" * 100, standing=standing).outcome is Outcome.INCONCLUSIVE


def test_a_change_that_nobody_verified_decides_no_drop_and_still_a_floor() -> None:
    judge = setting(assume_equal_errors=False, floor=0.5)
    drop, floor = parts(suite_of("P" * 100, "P" * 100, judge))
    assert (drop.outcome, drop.held) == (Outcome.INCONCLUSIVE, True)
    assert (floor.kind, floor.name, floor.outcome) == (
        "judge_floor", "judge tone floor", Outcome.PASS,
    )  # fmt: skip


def test_a_judge_that_only_informs_requires_nothing() -> None:
    part = part_of("F" * 100, "P" * 100, gate=False)
    assert (part.outcome, part.required) == (Outcome.FAIL, False)
    unfit = JudgeStanding(standing="unfit", why=("It errs.",))
    silent = part_of("F" * 100, "P" * 100, gate=False, standing=unfit)
    assert (silent.required, silent.held) == (False, False)


def test_without_a_margin_a_drop_is_reported() -> None:
    part = part_of("F" * 100, "P" * 100, margin_pp=None)
    assert (part.required, part.margin) == (False, None)


def test_a_floor_is_held_against_the_corrected_rate() -> None:
    """Seen 76 of 100, (.76 - .2) / .7 = .8."""
    (floor,) = parts(suite_of("P" * 76 + "F" * 24, None, setting(floor=0.95)))
    assert floor.candidate_rate == pytest.approx(0.8)
    assert (floor.outcome, floor.floor) == (Outcome.FAIL, 0.95)
    (low,) = parts(suite_of("P" * 76 + "F" * 24, None, setting(floor=0.5)))
    assert low.outcome is Outcome.PASS
    (near,) = parts(suite_of("P" * 76 + "F" * 24, None, setting(floor=0.8)))
    assert near.outcome is Outcome.INCONCLUSIVE


def test_a_floor_counts_what_has_no_verdict_both_ways() -> None:
    (floor,) = parts(suite_of("P" * 91 + "A" * 9, None, setting(floor=0.7, standing=PERFECT)))
    assert floor.candidate_rate == pytest.approx(0.91)
    assert floor.candidate_interval is not None and floor.candidate_interval[1] == 1.0
    assert floor.outcome is Outcome.PASS


def test_a_judge_with_nothing_to_hold_it_against_never_looks_like_a_pass() -> None:
    part = part_of("P" * 100, None)
    assert part.outcome is Outcome.INCONCLUSIVE
    assert "There is no baseline" in part.message


def test_quarantined_cases_are_left_out() -> None:
    suite = suite_of("F" * 5 + "P" * 95, "P" * 100)
    out = tuple(
        Quarantined(case=f"m{number}", until="2026-12-01", reason="flaky") for number in range(5)
    )
    (part,) = parts(suite, GateSettings(quarantined=out))
    assert part.estimate is not None and part.estimate.drop == 0.0
    assert part.judged is not None and part.judged.candidate.judged == 95


def test_each_look_counts_its_own_trials_at_its_own_alpha() -> None:
    suite = JudgedSuite({"candidate": ["PF"] * 100, "baseline": ["PP"] * 100}, trials=2)
    (first,) = parts(suite, GateSettings(alpha=0.01), trials=1)
    (second,) = parts(suite, GateSettings(alpha=0.05), trials=2)
    assert first.estimate is not None and second.estimate is not None
    assert (first.estimate.drop, first.alpha) == (0.0, 0.01)
    assert second.estimate.drop == pytest.approx(0.5 / 0.7)
    assert second.alpha == 0.05


def test_clustered_cases_widen_the_interval() -> None:
    letters = ("P" * 90 + "F" * 10, "P" * 95 + "F" * 5)
    (alone,) = parts(suite_of(*letters))
    groups = [f"g{number // 5}" for number in range(100)]
    (together,) = parts(suite_of(*letters, groups=groups))
    assert alone.estimate is not None and together.estimate is not None
    assert together.estimate.lower < alone.estimate.lower
    assert together.estimate.upper > alone.estimate.upper


def test_labels_on_both_outputs_take_the_place_of_the_calibration() -> None:
    """The judge sees no drop; labels on all outputs do, and its errors differ between arms."""
    suite = suite_of("P" * 100, "P" * 100, setting(assume_equal_errors=False))
    names = [f"m{number}" for number in range(100)]
    truth = {
        "candidate": {name: number >= 20 for number, name in enumerate(names)},
        "baseline": dict.fromkeys(names, True),
    }
    (part,) = parts(suite, labels=labels_on(suite, truth))
    assert part.judged is not None and part.estimate is not None
    assert (part.judged.equal_errors, part.judged.labels) == ("paired", 200)
    assert part.estimate.drop == pytest.approx(0.2)
    assert part.outcome is Outcome.FAIL
    assert part.judged.candidate.method == "post_stratified"
    assert part.candidate_rate == pytest.approx(0.8)
    assert part.judged.standing.labelled_by == ("person",)


def test_labels_of_a_run_are_named_for_who_made_them() -> None:
    standing = JudgeStanding(
        standing="fit", tpr=0.9, tnr=0.8, n_pass=100, n_fail=100, labelled_by=("model",)
    )
    suite = suite_of("P" * 40, "P" * 40, setting(standing=standing))
    (part,) = parts(suite, labels=labels_on(suite, {"candidate": {"m0": True}}))
    assert part.judged is not None
    assert part.judged.standing.labelled_by == ("person", "model")
    assert "labels made by people and a model" in part.message


def test_a_pair_is_decided_by_how_many_outputs_are_better() -> None:
    judge = setting(compare="pair", standing=PERFECT, assume_equal_errors=False)
    (worse,) = parts(suite_of("F" * 60 + "P" * 20 + "T" * 20, "-" * 100, judge))
    assert worse.estimate is not None and worse.judged is not None
    assert worse.estimate.drop == pytest.approx(0.4)
    assert (worse.outcome, worse.judged.equal_errors) == (Outcome.FAIL, "same")
    assert worse.judged.baseline is None
    (better,) = parts(suite_of("P" * 60 + "F" * 40, "-" * 100, judge))
    assert better.outcome is Outcome.PASS


def test_every_judge_of_a_suite_has_its_own_parts() -> None:
    suite = suite_of("P" * 100, "P" * 100)
    quiet = setting(scorer="second", gate=False)
    two = JudgedSuite(
        {"candidate": list("P" * 300), "baseline": list("P" * 300)}, judges=(suite.judge, quiet)
    )
    first, second = parts(two)
    assert (first.name, second.name) == ("judge tone", "judge second")
    assert first.outcome is Outcome.PASS
    # nobody asked the other one
    assert second.outcome is Outcome.INCONCLUSIVE


def test_a_part_belongs_to_who_owns_the_rubric_or_else_the_suite() -> None:
    settings = GateSettings(owner="team mail")
    (suites,) = parts(suite_of("P" * 10, "P" * 10), settings)
    (rubrics,) = parts(suite_of("P" * 10, "P" * 10, setting(owner="team tone")), settings)
    assert (suites.owner, rubrics.owner) == ("team mail", "team tone")


def test_judgments_of_another_suite_are_not_read() -> None:
    suite = suite_of("P" * 10, "P" * 10)
    other = JudgedSuite({"candidate": ["F"] * 10, "baseline": ["P"] * 10})
    mixed = [
        *suite.judgments.values(),
        *(msgspec.structs.replace(each, suite="other") for each in other.judgments.values()),
    ]
    judges = SuiteJudges(
        suite.snapshot, arm_of=suite.arm_of, scores=suite.found_scores, judgments=mixed, labels=[]
    )
    (part,) = judges.parts(1, SETTINGS)
    assert part.judged is not None and part.judged.candidate.passed == 10


def test_which_output_of_a_labelled_pair_came_first_does_not_shift_its_correction() -> None:
    lopsided = [
        JudgeStanding(standing="fit", tpr=tpr, tnr=tnr, n_pass=100, n_fail=100)
        for tpr, tnr in ((0.95, 0.85), (0.85, 0.95))
    ]
    drops = []
    for standing in lopsided:
        judge = setting(compare="pair", standing=standing, assume_equal_errors=False)
        (part,) = parts(suite_of("P" * 30 + "F" * 70, "-" * 100, judge))
        assert part.estimate is not None and part.judged is not None
        drops.append(part.estimate)
    assert drops[0] == drops[1]
    assert drops[0].drop == pytest.approx(0.4 / 0.8)
