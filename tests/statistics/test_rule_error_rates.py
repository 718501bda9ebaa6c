"""How often each rule is right, simulated: the figures that the documentation quotes.

They were drawn for a rule that fails *above* the margin. The gate fails *at* the margin (a drop of
3 pp is a drop of 3 pp), which matters where n cases can drop by exactly 3 pp; both are checked
here, the first by a margin a hair above 3 pp.
"""

from fractions import Fraction

import pytest

from evalkit.gate.settings import Rule
from evalkit.records.verdict import Outcome
from tests.statistics.gate_on_counts import ABOVE_THREE, AT_THREE, decide
from tests.statistics.suites_of_chance import draw_tables

# Each distinct table is decided once, so that as many draws as behind the figures take a second.
DRAWS = 200_000
SHOWN = (
    (Rule.SIMPLE, Outcome.FAIL),
    (Rule.STATISTICAL, Outcome.FAIL),
    (Rule.STATISTICAL, Outcome.PASS),
    (Rule.STATISTICAL, Outcome.INCONCLUSIVE),
    (Rule.STRICT, Outcome.FAIL),
)
Figures = tuple[float, ...]


def _simulate(n: int, flips: float, drop: float) -> dict[Fraction, Figures]:
    """Per margin, the percentages of `SHOWN`."""
    tables = list(draw_tables(n, flips, drop, DRAWS, seed=20240229))

    def share(margin: Fraction, rule: Rule, outcome: Outcome) -> float:
        seen = (t.times for t in tables if decide(t.b, t.c, n, margin=margin, rule=rule) is outcome)
        return 100 * sum(seen) / DRAWS

    return {
        margin: tuple(share(margin, rule, outcome) for rule, outcome in SHOWN)
        for margin in (AT_THREE, ABOVE_THREE)
    }


# n, flips, true drop; percent: simple FAIL, FAIL, PASS, INCONCLUSIVE, strict FAIL
@pytest.mark.parametrize(
    ("n", "flips", "drop", "above", "at"),
    [
        (200, 0.05, 0.00, (2.0, 1.9, 53.7, 44.4, 5.2), (4.0, 3.5, 53.7, 42.8, 5.2)),
        (200, 0.10, 0.00, (7.2, 4.8, 36.7, 58.5, 4.9), (10.8, 4.9, 36.7, 58.4, 4.9)),
        (200, 0.10, 0.05, (74.4, 59.3, 0.8, 39.9, 59.3), (80.2, 59.3, 0.8, 39.9, 59.3)),
        (500, 0.05, 0.00, (0.1, 0.1, 89.2, 10.7, 4.8), (0.2, 0.2, 89.2, 10.6, 4.8)),
        (500, 0.05, 0.05, (91.8, 91.8, 0.1, 8.1, 98.1), (93.9, 93.9, 0.1, 6.0, 98.1)),
        (500, 0.10, 0.03, (47.5, 47.5, 5.0, 47.5, 60.0), (52.5, 52.5, 5.0, 42.5, 60.0)),
        (2000, 0.10, 0.00, (0.0, 0.0, 99.5, 0.5, 0.5), (0.0, 0.0, 99.5, 0.5, 0.5)),
        (2000, 0.10, 0.01, (0.3, 0.3, 85.4, 14.4, 14.6), (0.4, 0.4, 85.4, 14.3, 14.6)),
        (2000, 0.10, 0.05, (99.1, 99.1, 0.0, 0.9, 100.0), (99.2, 99.2, 0.0, 0.8, 100.0)),
    ],
)
def test_the_rules_err_as_often_as_documented(
    n: int, flips: float, drop: float, above: Figures, at: Figures
) -> None:
    figures = _simulate(n, flips, drop)
    assert figures[ABOVE_THREE] == pytest.approx(above, abs=0.5)
    assert figures[AT_THREE] == pytest.approx(at, abs=0.5)
