"""The verdict on result files: whole, as text and as JSON."""

import json

import pytest

from evalkit.gate import (
    CaseResult,
    GateSettings,
    MetricSettings,
    TrialResult,
    compare_results,
    decide_suite,
    decide_verdict,
)
from evalkit.gate.compare import ResultRow
from evalkit.records.verdict import Verdict
from evalkit.report.screen import Screen
from evalkit.report.verdict import verdict_json, verdict_text

WIDE = Screen(width=100)


def test_names_from_files_cannot_command_a_terminal() -> None:
    rows = [ResultRow(case=f"\x1b[2J{n}", passed=True) for n in range(100)]
    text = verdict_text(compare_results(rows, rows[1:]), screen=WIDE)
    assert "\x1b" not in text
    assert "\\x1b[2J0" in text
    assert "  gate       INCONCLUSIVE cases: 1 case of the baseline is missing" in text


def test_json_is_the_whole_verdict() -> None:
    rows = [ResultRow(case=str(n), passed=True) for n in range(100)]
    value = json.loads(verdict_json(compare_results(rows, rows)))
    assert (value["outcome"], value["exit_code"]) == ("pass", 0)
    assert value["suites"][0]["parts"][0]["counts"]["cases"] == 100


def costing(after_usd: float) -> Verdict:
    """100 cases that pass for $0.0009888 before, and for about `after_usd` after."""
    cases = [
        CaseResult(
            case=f"c{n}",
            baseline=(TrialResult(passed=True, cost_usd=0.0009888),),
            candidate=(TrialResult(passed=True, cost_usd=after_usd * (1 + (n % 5) / 1_000)),),
        )
        for n in range(100)
    ]
    limits = MetricSettings(max_increase_pct=10)
    settings = GateSettings(max_drop_pp=3, metrics={"cost_usd_per_resolved": limits})
    return decide_verdict([decide_suite("triage", cases, settings)])


def test_the_verdict_is_a_line_and_each_suites_parts_below() -> None:
    rows = [ResultRow(case=str(n), passed=True) for n in range(100)]
    assert verdict_text(compare_results(rows, rows), screen=WIDE) == (
        """\
PASS (exit 0)  results: the pass rate did not move, and a drop of 3 pp is ruled out

results  PASS  100 cases
  drop       0 pp; 90 % interval of the drop -2.63 pp to 2.63 pp; the margin is 3 pp
  cases      b = 0 newly failing, c = 0 newly passing, n = 100 cases; exact p = 1
  can see    a true drop of 6.05 pp or more, in 80 % of runs
  gate       PASS drop: the pass rate did not move, and a drop of 3 pp is ruled out
"""
    )


@pytest.mark.parametrize("width", [40, 60, 100])
def test_the_verdict_fits_the_screen(width: int) -> None:
    rows = [ResultRow(case=str(n), passed=True) for n in range(100)]
    worse = [ResultRow(case=str(n), passed=n > 4) for n in range(1, 100)]
    text = verdict_text(compare_results(rows, worse), screen=Screen(width=width))
    assert max(map(len, text.splitlines())) <= width


def test_amounts_are_readable_and_a_decrease_is_called_one() -> None:
    cheaper = costing(0.0005776)
    text = " ".join(verdict_text(cheaper, screen=WIDE).split())
    assert "went from $0.000989 to $0.000579, -41.5 %; up to +10.0 % is allowed" in text
    message = cheaper.suites[0].parts[1].message
    assert "went from $0.000989 to $0.000579, a decrease of 41.47 %" in message


def test_a_cost_that_rose_is_told_in_usd() -> None:
    text = " ".join(verdict_text(costing(0.002), screen=WIDE).split())
    assert "cost_usd_per_resolved went from $0.000989 to $0.002, an increase of 102.67 %" in text
