"""The gate: results of two variants in, a verdict out; pure arithmetic.

`decide_suite` decides one suite, `decide_verdict` all of them, `compare_results` what another
harness measured. `power` forecasts what a suite can tell.
"""

from evalkit.gate.cases import CaseResult, TrialResult
from evalkit.gate.compare import ResultRow, compare_results, pair_results
from evalkit.gate.settings import GateSettings, MetricSettings, Rule, SliceSettings
from evalkit.gate.suite import add_parts, decide_suite
from evalkit.gate.verdict import decide_verdict, suite_exit_code

__all__ = [
    "CaseResult",
    "GateSettings",
    "MetricSettings",
    "ResultRow",
    "Rule",
    "SliceSettings",
    "TrialResult",
    "add_parts",
    "compare_results",
    "decide_suite",
    "decide_verdict",
    "pair_results",
    "suite_exit_code",
]
