"""What a judge said, as counts and as cases: nothing that went wrong shrinks the sample."""

from typing import Any

import pytest

from evalkit.records.verdict import JudgedArm
from evalkit.workflows.judged.tallying import JudgeTally, is_known_fail, tally_judge
from tests.unit.workflows.judged.judged_suites import JudgedSuite, Letters, setting

TRIALS = {"P": True, "F": False, "N": False, "A": None, "U": None, "R": None, "E": None, "?": None}


def tally(suite: JudgedSuite, trials: int = 1) -> JudgeTally:
    """The counts of the suite's judge."""
    return tally_judge(
        suite.judge,
        suite.snapshot,
        suite.snapshot.cases,
        trials,
        arm_of=suite.arm_of,
        scores=suite.found_scores,
        judgments=suite.judgments,
    )


def of(candidate: Letters, baseline: Letters | None = None, **more: Any) -> JudgeTally:
    """The counts of two arms."""
    trials = more.pop("tallied", 1)
    arms = {"candidate": candidate} | ({} if baseline is None else {"baseline": baseline})
    return tally(JudgedSuite(arms, **more), trials)


def passes(found: JudgeTally, arm: str = "candidate") -> list[list[bool | None]]:
    """What passed, by case."""
    return [[trial.passed for trial in getattr(case, arm)] for case in found.cases]


@pytest.mark.parametrize("letter", TRIALS)
def test_an_attempt_is_a_pass_a_fail_or_unknown(letter: str) -> None:
    assert passes(of([letter])) == [[TRIALS[letter]]]


def test_every_attempt_is_counted_as_what_it_is() -> None:
    found = of(["P", "P", "F", "N", "A", "U", "R", "E", "?", "-"])
    assert found.candidate == JudgedArm(
        judged=3, passed=2, known_fails=1, abstained=1, unparseable=1, refused=1, errors=2
    )
    assert len(found.cases) == 9


def test_a_fail_that_nobody_judged_is_told_from_a_verdict() -> None:
    found = of(["F", "N"])
    assert [is_known_fail(case.candidate[0]) for case in found.cases] == [False, True]


def test_a_case_to_which_the_judge_does_not_apply_is_none_of_its_cases() -> None:
    found = of(["-", "P"], ["-", "F"])
    assert [case.case for case in found.cases] == ["m1"]
    assert found.candidate.without_verdict == 0


def test_another_scorers_verdict_is_not_read() -> None:
    """It fails every attempt in these suites."""
    assert of(["P"]).candidate.passed == 1


def test_both_arms_are_counted_and_keep_their_order() -> None:
    found = of(["P", "F", "A"], ["F", "P", "P"])
    assert found.baseline == JudgedArm(judged=3, passed=2)
    assert found.candidate == JudgedArm(judged=2, passed=1, abstained=1)
    assert passes(found, "baseline") == [[False], [True], [True]]


def test_without_a_baseline_there_is_one_arm() -> None:
    found = of(["P"])
    assert found.baseline is None
    assert found.cases[0].baseline == ()


def test_groups_stay_with_their_cases() -> None:
    found = of(["P", "P"], ["P", "P"], groups=["a", None])
    assert [case.group for case in found.cases] == ["a", None]


def test_only_so_many_trials_count_and_those_that_were_not_made_are_unknown() -> None:
    assert passes(of(["PFP"], tallied=2)) == [[True, False]]
    found = of(["PF", "P"], tallied=2)
    assert passes(found) == [[True, False], [True, None]]
    assert found.candidate.errors == 1


def test_a_baseline_may_have_trials_of_its_own() -> None:
    found = of(["PP"], ["PFF"], tallied=1, baseline_trials=3)
    assert (passes(found), passes(found, "baseline")) == ([[True]], [[True, False, False]])


def test_what_earlier_runs_lend_counts_besides() -> None:
    suite = JudgedSuite({"candidate": ["P"]})
    suite.lend("candidate", "m0", 2, "F")
    assert passes(tally(suite)) == [[True, False]]


@pytest.mark.parametrize(
    ("candidate", "baseline", "excess"),
    [
        (["P", "F"], ["P", "F"], 0.0),
        (["P", "N"], ["P", "F"], 0.5),
        (["P", "F"], ["N", "N"], -1.0),
        (["A", "N"], ["E", "P"], 0.5),
        (["-", "-"], ["-", "-"], 0.0),
    ],
)
def test_how_much_more_of_one_arm_was_judged(
    candidate: Letters, baseline: Letters, excess: float
) -> None:
    assert of(candidate, baseline).judged_excess == excess


def test_opinions_that_were_taken_over_and_calls_that_differed_are_counted() -> None:
    found = of(["p", "P!", "f!", "A!"], ["P", "p", "P", "P"])
    assert found.shared == 3
    assert found.candidate.disagreed == 3
    assert found.baseline is not None and found.baseline.disagreed == 0


PAIR = setting(compare="pair")


@pytest.mark.parametrize(
    ("letter", "candidate", "baseline"),
    [("P", True, False), ("F", False, True), ("T", True, True), ("A", None, None),
     ("E", None, None)],
)  # fmt: skip
def test_of_a_pair_the_baselines_side_is_the_opposite(
    letter: str, candidate: bool | None, baseline: bool | None
) -> None:
    found = of([letter], ["-"], judge=PAIR)
    assert (passes(found), passes(found, "baseline")) == ([[candidate]], [[baseline]])


def test_a_pair_is_counted_once_and_a_tie_is_a_verdict_that_does_not_pass() -> None:
    found = of(["P", "F", "T", "A"], ["-", "-", "-", "-"], judge=PAIR)
    assert found.candidate == JudgedArm(judged=3, passed=1, abstained=1)
    assert (found.baseline, found.judged_excess) == (None, 0.0)
