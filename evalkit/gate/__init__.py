"""The gate: results of two variants in, a verdict out; pure arithmetic.

`decide_suite` decides one suite, `decide_looks` one that looks several times, `apply_waivers` lays
over it what somebody accepted, `decide_verdict` decides all of them, and `compare_results` what
another harness measured. `power` and `forecasts` tell what a suite can tell.
"""

from evalkit.gate.cases import CaseResult, DistinctCases, TrialResult
from evalkit.gate.compare import compare_results, pair_results
from evalkit.gate.forecasts import forecast_power
from evalkit.gate.looks import decide_looks, more_trials_help, plan_looks
from evalkit.gate.readings import measure_arm
from evalkit.gate.settings import GateSettings, MetricSettings, Rule, SliceSettings
from evalkit.gate.suite import add_parts, decide_suite
from evalkit.gate.verdict import decide_verdict, suite_exit_code
from evalkit.gate.waiving import apply_waivers, propose_waiver
from evalkit.records.results import ResultRow

__all__ = [
    "CaseResult",
    "DistinctCases",
    "GateSettings",
    "MetricSettings",
    "ResultRow",
    "Rule",
    "SliceSettings",
    "TrialResult",
    "add_parts",
    "apply_waivers",
    "compare_results",
    "decide_looks",
    "decide_suite",
    "decide_verdict",
    "forecast_power",
    "measure_arm",
    "more_trials_help",
    "pair_results",
    "plan_looks",
    "propose_waiver",
    "suite_exit_code",
]
