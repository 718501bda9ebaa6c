"""The boundary table of the drop: what passes, what fails, and what cannot be told."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec.structs import replace

from evalkit.gate import CaseResult, Rule
from evalkit.gate.amounts import exact
from evalkit.gate.rules import decide_drop
from evalkit.gate.samples import Bound, build_sample
from evalkit.records.verdict import Outcome

Table = Callable[..., list[CaseResult]]
THREE = Fraction(3, 100)
PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def _decide(
    cases: list[CaseResult],
    rule: str = "statistical",
    margin: Fraction = THREE,
    alpha: float = 0.05,
) -> Outcome:
    return decide_drop(build_sample(cases, Bound.WORST), margin, alpha, Rule(rule)).outcome


@pytest.mark.parametrize(
    ("n", "b", "c", "statistical", "strict", "simple"),
    [
        # the fewest cases that can pass
        (87, 0, 0, INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE),
        (88, 0, 0, PASS, PASS, PASS),
        (88, 1, 0, INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE),
        # 6 of 200 is 3 pp exactly, and reaches the margin; 5 does not
        (200, 6, 0, FAIL, FAIL, FAIL),
        (200, 5, 0, INCONCLUSIVE, FAIL, INCONCLUSIVE),
        (200, 2, 0, PASS, PASS, PASS),
        (200, 4, 2, INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE),
        # 29 of 1000 is 2.9 pp, 30 is the margin
        (1000, 29, 0, INCONCLUSIVE, FAIL, INCONCLUSIVE),
        (1000, 30, 0, FAIL, FAIL, FAIL),
        # past the margin but within chance
        (200, 26, 20, INCONCLUSIVE, INCONCLUSIVE, FAIL),
        # a real drop that is surely below the margin is allowed, by the strict rule too
        (2000, 20, 0, PASS, PASS, PASS),
        # three cases, and forty of which half broke: too few for a margin of 3 pp
        (3, 3, 0, INCONCLUSIVE, INCONCLUSIVE, FAIL),
        (40, 20, 0, INCONCLUSIVE, INCONCLUSIVE, FAIL),
        (88, 88, 0, FAIL, FAIL, FAIL),
        # a gain
        (200, 0, 20, PASS, PASS, PASS),
        (87, 0, 87, INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE),
        (1, 1, 0, INCONCLUSIVE, INCONCLUSIVE, FAIL),
    ],
)
def test_outcome_at_the_boundaries(
    table: Table, n: int, b: int, c: int, statistical: Outcome, strict: Outcome, simple: Outcome
) -> None:
    cases = table(n - b - c, b, c)
    assert _decide(cases, "statistical") is statistical
    assert _decide(cases, "strict") is strict
    assert _decide(cases, "simple") is simple


@pytest.mark.parametrize("rule", list(Rule))
def test_no_cases_are_not_measured(rule: Rule) -> None:
    assert _decide([], rule) is Outcome.NOT_MEASURED


@pytest.mark.parametrize("rule", list(Rule))
def test_three_cases_without_a_flip_are_inconclusive(table: Table, rule: Rule) -> None:
    assert _decide(table(3), rule) is INCONCLUSIVE


@pytest.mark.parametrize("margin", ["0.03", 0.03, Decimal("0.03"), Fraction(3, 100)])
def test_every_notation_of_a_margin_is_the_same_margin(
    table: Table, margin: str | float | Decimal | Fraction
) -> None:
    assert _decide(table(194, 6), margin=exact(margin)) is FAIL


@pytest.mark.parametrize(("per_mille", "n"), [(7, 1000), (29, 1000), (57, 1000), (70, 100)])
def test_a_margin_that_floats_cannot_hold_is_reached_exactly(
    table: Table, per_mille: int, n: int
) -> None:
    margin = exact(per_mille / n)
    assert _decide(table(n - per_mille, per_mille), "simple", margin) is FAIL
    assert _decide(table(n - per_mille + 1, per_mille - 1), "simple", margin) is not FAIL


def test_the_first_look_of_an_escalation_needs_more_cases(table: Table) -> None:
    assert _decide(table(174), alpha=0.010) is INCONCLUSIVE
    assert _decide(table(175), alpha=0.010) is PASS


def test_groups_count_and_not_cases(table: Table) -> None:
    assert _decide(table(435, per_group=5)) is INCONCLUSIVE
    assert _decide(table(440, per_group=5)) is PASS


def test_repeating_a_case_does_not_make_it_two(table: Table) -> None:
    assert _decide(table(87, trials=4)) is INCONCLUSIVE
    assert _decide(table(88, trials=4)) is PASS


def test_a_regression_in_one_group_is_one_observation(table: Table) -> None:
    broken = table(b=20)
    one_document = [replace(case, group="document") for case in broken]
    rest = table(320, prefix="other")
    assert _decide(broken + rest) is FAIL
    assert _decide(one_document + rest) is INCONCLUSIVE


@pytest.mark.parametrize(
    ("amount", "fraction"),
    [
        (0.1, Fraction(1, 10)),
        ("0.95", Fraction(19, 20)),
        (Decimal("2.5"), Fraction(5, 2)),
        (3, Fraction(3)),
        (1e-7, Fraction(1, 10**7)),
    ],
)
def test_amounts_are_held_as_they_are_written(
    amount: float | str | Decimal, fraction: Fraction
) -> None:
    assert exact(amount) == fraction


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), "three", Decimal("NaN"), True])
def test_what_is_no_number_is_refused(amount: float | str | Decimal) -> None:
    with pytest.raises(ValueError, match="number"):
        exact(amount)
