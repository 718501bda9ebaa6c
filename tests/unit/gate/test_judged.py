"""A judge's parts: corrected figures against a margin and a floor, and what blocks them."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.gate.judged import decide_judged_drop, decide_judged_floor
from evalkit.gate.settings import Rule
from evalkit.gate.suite import combine_parts
from evalkit.records.calibration import JudgeStanding
from evalkit.records.verdict import Outcome, PartVerdict
from tests.unit.gate.judged_parts import arm, drop, judged, question, share

MARGIN = Fraction(3, 100)
FLOOR = Fraction(9, 10)
UNFIT = JudgeStanding(standing="uncalibrated", why=("Nobody has measured it.",))


def of_drop(
    best: Any, worst: Any = None, *, margin: Fraction | None = MARGIN, **more: Any
) -> PartVerdict:
    """The part of a drop; both bounds are alike unless `worst` is given."""
    seen = more.pop("judged", judged())
    return decide_judged_drop(
        question(**more), margin, seen, best=best, worst=best if worst is None else worst
    )


def of_floor(best: Any, worst: Any = None, **more: Any) -> PartVerdict:
    """The part of a floor."""
    seen = more.pop("judged", judged(baseline=None))
    name = {"name": "judge tone floor"}
    return decide_judged_floor(
        question(**name | more), FLOOR, seen, best=best, worst=best if worst is None else worst
    )


@pytest.mark.parametrize(
    ("figures", "outcome"),
    [
        ((0.0, -0.02, 0.02), Outcome.PASS),
        ((0.0, -0.02, 0.0299999), Outcome.PASS),
        ((0.0, -0.02, 0.0300001), Outcome.INCONCLUSIVE),
        ((0.05, 0.01, 0.09), Outcome.FAIL),
        ((0.03, 0.001, 0.06), Outcome.FAIL),
        ((0.0299, 0.001, 0.06), Outcome.INCONCLUSIVE),
        ((0.05, 0.0, 0.09), Outcome.INCONCLUSIVE),
        ((0.02, 0.01, 0.028), Outcome.PASS),
        ((-0.05, -0.09, -0.01), Outcome.PASS),
    ],
)
def test_a_corrected_drop_is_held_against_the_margin_as_any_drop_is(
    figures: tuple[float, float, float], outcome: Outcome
) -> None:
    part = of_drop(drop(*figures))
    assert (part.kind, part.outcome, part.required, part.held) == ("judge", outcome, True, False)
    assert (part.margin, part.alpha, part.rule) == (0.03, 0.05, "statistical")
    assert part.estimate == drop(*figures).estimate


def test_a_strict_and_a_simple_rule_hold_for_a_judge_too() -> None:
    shown = drop(0.02, 0.001, 0.04)
    assert of_drop(shown).outcome is Outcome.INCONCLUSIVE
    assert of_drop(shown, rule=Rule.STRICT).outcome is Outcome.FAIL
    measured = drop(0.04, -0.02, 0.1)
    assert of_drop(measured).outcome is Outcome.INCONCLUSIVE
    assert of_drop(measured, rule=Rule.SIMPLE).outcome is Outcome.FAIL


def test_too_few_independent_cases_decide_nothing() -> None:
    assert of_drop(drop(0.0, -0.02, 0.02, groups=10)).outcome is Outcome.INCONCLUSIVE
    assert of_drop(drop(0.5, 0.3, 0.7, groups=10)).outcome is Outcome.INCONCLUSIVE


def test_both_bounds_have_to_agree() -> None:
    passing, failing = drop(0.0, -0.02, 0.02, p=0.5), drop(0.06, 0.03, 0.09, p=0.001)
    part = of_drop(passing, failing)
    assert (part.outcome, part.best, part.worst) == (
        Outcome.INCONCLUSIVE, Outcome.PASS, Outcome.FAIL,
    )  # fmt: skip
    assert part.estimate is not None
    assert (part.estimate.drop, part.estimate.lower, part.estimate.upper) == (0.06, -0.02, 0.09)
    assert part.p_value == 0.5


def test_what_infrastructure_kept_from_being_judged_is_held_and_asks_to_resume() -> None:
    lost = judged(candidate=arm(errors=4))
    part = of_drop(drop(0.0, -0.02, 0.02), drop(0.06, 0.03, 0.09), judged=lost)
    assert (part.held, part.unknown) == (True, 4)
    assert part.what_would_settle == "A verdict on the 4 outputs without one: resume the run."
    # also where it is open for another reason: nothing may wave through what was not judged
    assert of_drop(drop(0.01, -0.05, 0.07), judged=lost).held
    baseline = judged(baseline=arm(errors=1))
    assert of_drop(drop(0.0, -0.02, 0.02), drop(0.06, 0.03, 0.09), judged=baseline).held


def test_what_the_judge_itself_left_open_is_not_held() -> None:
    silent = judged(candidate=arm(abstained=4))
    part = of_drop(drop(0.0, -0.02, 0.02), drop(0.06, 0.03, 0.09), judged=silent)
    assert (part.outcome, part.held, part.unknown) == (Outcome.INCONCLUSIVE, False, 4)


def test_an_open_interval_asks_for_cases_or_labels() -> None:
    part = of_drop(drop(0.01, -0.05, 0.07))
    assert part.what_would_settle == (
        "More cases or trials, or more labels for the judge's calibration."
    )


def test_without_a_margin_the_part_reports_and_requires_nothing() -> None:
    part = of_drop(drop(0.3, 0.2, 0.4), margin=None)
    assert (part.outcome, part.required, part.margin) == (Outcome.PASS, False, None)
    assert "No margin is asked for." in part.message


BLOCKED: dict[str, Any] = {
    "blocked": ("Nobody has measured it.", "Its labels are gone."),
    "what_would_settle": "Measure it.",
}


def blocked_parts(**more: Any) -> list[PartVerdict]:
    """A drop and a floor that something speaks against, whatever was measured."""
    passing = drop(0.0, -0.01, 0.01), share(0.99, 0.97, 1.0)
    return [
        of_drop(passing[0], judged=judged(standing=UNFIT), **BLOCKED | more),
        of_floor(passing[1], judged=judged(standing=UNFIT), **BLOCKED | more),
        decide_judged_drop(
            question(**BLOCKED | more), MARGIN, judged(standing=UNFIT), best=None, worst=None
        ),
        decide_judged_floor(
            question(**BLOCKED | more), FLOOR, judged(standing=UNFIT), best=None, worst=None
        ),
    ]


def test_a_judge_that_something_speaks_against_never_decides() -> None:
    for part in blocked_parts():
        assert (part.outcome, part.best, part.worst) == (Outcome.INCONCLUSIVE,) * 3
        assert (part.required, part.held) == (True, True)
        assert part.message.startswith(
            "Nobody has measured it. Its labels are gone. So it cannot decide"
        )
        assert part.what_would_settle == "Measure it."
        # no corrected figure is shown of a judge that cannot be corrected
        assert (part.estimate, part.p_value, part.candidate_interval) == (None, None, None)
        assert combine_parts([part]) is Outcome.INCONCLUSIVE


def test_a_judge_that_only_informs_holds_nothing_up() -> None:
    for part in blocked_parts(required=False):
        assert (part.outcome, part.required, part.held) == (Outcome.INCONCLUSIVE, False, False)
        assert "It is shown for information and decides nothing." in part.message
        assert part.what_would_settle is None


def test_a_blocked_part_still_tells_what_the_judge_saw() -> None:
    part = blocked_parts()[0]
    assert (part.baseline_rate, part.candidate_rate) == (0.85, 0.8)
    assert part.message.endswith(
        "The judge, m-1 on route judge, passes 85 % of the baseline's outputs and 80 % of the "
        "candidate's."
    )


def test_figures_without_a_reason_against_them_that_are_missing_block_too() -> None:
    part = decide_judged_drop(question(), MARGIN, judged(), best=None, worst=None)
    assert (part.outcome, part.held) == (Outcome.INCONCLUSIVE, True)
    assert part.message.startswith("Nothing was judged.")


@given(
    st.sampled_from([None, MARGIN]),
    st.booleans(),
    st.floats(-1, 1),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_no_figure_turns_a_blocked_judge_into_a_pass_or_a_failure(
    margin: Fraction | None, required: bool, value: float, below: float, above: float
) -> None:
    figures = drop(value, max(-1.0, value - below), min(1.0, value + above))
    part = of_drop(figures, margin=margin, required=required, **BLOCKED)
    assert part.outcome is Outcome.INCONCLUSIVE
    assert part.held is (required and margin is not None)


@pytest.mark.parametrize(
    ("figures", "outcome"),
    [
        ((0.95, 0.9, 0.99), Outcome.PASS),
        ((0.95, 0.8999, 0.99), Outcome.INCONCLUSIVE),
        ((0.9, 0.85, 0.95), Outcome.INCONCLUSIVE),
        ((0.8, 0.7, 0.9), Outcome.INCONCLUSIVE),
        ((0.8, 0.7, 0.8999), Outcome.FAIL),
    ],
)
def test_a_floor_takes_the_whole_interval(
    figures: tuple[float, float, float], outcome: Outcome
) -> None:
    part = of_floor(share(*figures))
    assert (part.kind, part.name, part.outcome) == ("judge_floor", "judge tone floor", outcome)
    assert (part.floor, part.candidate_rate) == (0.9, figures[0])
    assert part.candidate_interval == figures[1:]
    assert (part.what_would_settle is not None) is (outcome is Outcome.INCONCLUSIVE)


def test_the_bounds_of_a_floor_have_to_agree() -> None:
    passing, failing = share(0.95, 0.92, 0.98), share(0.8, 0.7, 0.85)
    lost = judged(baseline=None, candidate=arm(errors=15))
    part = of_floor(passing, failing, judged=lost)
    assert (part.outcome, part.held, part.unknown) == (Outcome.INCONCLUSIVE, True, 15)
    assert (part.candidate_rate, part.candidate_interval) == (0.8, (0.7, 0.98))
    silent = judged(baseline=None, candidate=arm(abstained=15))
    assert of_floor(passing, failing, judged=silent).held is False


def test_every_output_without_a_verdict_is_told_by_what_it_is() -> None:
    seen = judged(
        baseline=arm(abstained=1, errors=2), candidate=arm(unparseable=3, refused=4, errors=5)
    )
    part = of_drop(drop(0.0, -0.02, 0.02), judged=seen)
    assert (
        "(1 abstained, 3 could not be read, 4 refused, 7 not judged for an error: none of them "
        "counts as a pass)"
    ) in part.message
    assert part.unknown == 15


def test_an_answer_that_was_not_given_counts_in_what_the_judge_passes() -> None:
    part = of_drop(drop(0.0, -0.02, 0.02), judged=judged(candidate=arm(80, 80, known_fails=20)))
    assert "80 % of the candidate's" in part.message
    assert part.candidate_rate == 0.8


def test_a_corrected_arm_shows_its_corrected_rate() -> None:
    corrected = arm().with_rate(share(0.9, 0.85, 0.95), "rogan_gladen")
    part = of_drop(drop(0.0, -0.02, 0.02), judged=judged(candidate=corrected))
    assert (part.candidate_rate, part.candidate_interval) == (0.9, (0.85, 0.95))
    assert part.baseline_rate == 0.85


def test_a_judge_that_judged_nothing_says_so() -> None:
    part = of_drop(None, judged=judged(candidate=arm(0, 0)), blocked=("It was asked nothing.",))
    assert "judged nothing of the candidate" in part.message
    assert part.candidate_rate is None


@pytest.mark.parametrize(
    ("makers", "words"),
    [
        (("person",), "measured on human labels"),
        (("model",), "measured on labels made by a model"),
        (("person", "rule"), "measured on labels made by people and a rule"),
        ((), "measured on labels"),
    ],
)
def test_only_labels_of_people_alone_are_called_human(makers: Any, words: str) -> None:
    standing = JudgeStanding(standing="fit", labelled_by=makers)
    seen = judged(standing=standing)
    for part in (
        of_drop(drop(0.0, -0.02, 0.02), judged=seen),
        of_floor(share(0.95, 0.92, 0.98), judged=seen),
    ):
        assert f"{words})" in part.message
        assert ("human" in part.message) is (makers == ("person",))


def test_a_rise_is_told_as_one() -> None:
    message = of_drop(drop(-0.02, -0.04, 0.0)).message
    assert "the pass rate rises by 2 pp" in message
    assert "A drop of 3 pp or more is ruled out." in message
