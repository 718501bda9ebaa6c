"""The verdict on result files: whole, as text and as JSON."""

import json

from evalkit.gate import compare_results
from evalkit.gate.compare import ResultRow
from evalkit.report.verdict import verdict_json, verdict_text


def test_names_from_files_cannot_command_a_terminal() -> None:
    rows = [ResultRow(case=f"\x1b[2J{n}", passed=True) for n in range(100)]
    text = verdict_text(compare_results(rows, rows[1:]))
    assert "\x1b" not in text
    assert "\\x1b[2J0" in text
    assert "\n  INCONCLUSIVE cases: 1 case of the baseline is missing" in text


def test_json_is_the_whole_verdict() -> None:
    rows = [ResultRow(case=str(n), passed=True) for n in range(100)]
    value = json.loads(verdict_json(compare_results(rows, rows)))
    assert (value["outcome"], value["exit_code"]) == ("pass", 0)
    assert value["suites"][0]["parts"][0]["counts"]["cases"] == 100
