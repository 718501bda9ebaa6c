"""Floors compare the measured rate exactly, and unknown attempts have to agree."""

from collections.abc import Callable
from fractions import Fraction

import pytest

from evalkit.gate import CaseResult, TrialResult
from evalkit.gate.amounts import exact
from evalkit.gate.floors import decide_floor
from evalkit.records.verdict import Outcome, PartVerdict

Table = Callable[..., list[CaseResult]]


def _floor(cases: list[CaseResult], floor: Fraction) -> PartVerdict:
    return decide_floor("floor", "floor", "The candidate", cases, floor, 0.05)


@pytest.mark.parametrize(
    ("passes", "n", "floor", "outcome"),
    [
        (3, 7, "0.43", Outcome.FAIL),  # 42.857 is not 43
        (3, 7, "0.42857", Outcome.PASS),
        (95, 100, "0.95", Outcome.PASS),
        (95, 100, 0.95, Outcome.PASS),
        (94, 100, "0.95", Outcome.FAIL),
        (99_999, 100_000, "1", Outcome.FAIL),  # 99.999 is not 100
        (7, 10, 0.7, Outcome.PASS),
        (57, 100, 0.57, Outcome.PASS),
        (0, 10, "0.001", Outcome.FAIL),
    ],
)
def test_a_rate_is_compared_as_it_is_and_not_as_it_rounds(
    table: Table, passes: int, n: int, floor: str | float, outcome: Outcome
) -> None:
    assert _floor(table(passes, n - passes), exact(floor)).outcome is outcome


@pytest.mark.parametrize(
    ("passes", "failures", "lost", "outcome"),
    [
        (95, 3, 2, Outcome.PASS),  # 95 of 100 even if both failed
        (94, 4, 2, Outcome.INCONCLUSIVE),  # 94 or 96
        (92, 6, 2, Outcome.FAIL),  # 94 even if both passed
        (0, 0, 5, Outcome.INCONCLUSIVE),
    ],
)
def test_unknown_attempts_decide_nothing(
    table: Table, passes: int, failures: int, lost: int, outcome: Outcome
) -> None:
    part = _floor(table(passes, failures, lost=lost), Fraction(95, 100))
    assert part.outcome is outcome
    assert part.candidate_rate == passes / (passes + failures + lost)


def test_no_cases_do_not_reach_a_floor() -> None:
    part = _floor([], Fraction(1, 2))
    assert part.outcome is Outcome.NOT_MEASURED
    assert part.candidate_rate is None


def test_a_case_counts_once_however_often_it_ran() -> None:
    often = CaseResult(case="a", candidate=(TrialResult(passed=True),) * 9)
    once = CaseResult(case="b", candidate=(TrialResult(passed=False),))
    assert _floor([often, once], Fraction(1, 2)).candidate_rate == 0.5


def test_a_floor_shows_its_interval(table: Table) -> None:
    low, high = _floor(table(77, 8), Fraction(9, 10)).candidate_interval or (0, 0)
    assert low < 77 / 85 < high
