"""The gate: results of two variants in, a verdict out; pure arithmetic.

`decide_suite` decides one suite, `decide_looks` one that looks several times, `apply_waivers` lays
over it what somebody accepted, `decide_verdict` decides all of them, and `compare_results` what
another harness measured. `power` and `forecasts` tell what a suite can tell.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

# imported when first asked for: what a run needs of the gate before its first call is its settings
_HOMES = {
    "CaseResult": "evalkit.gate.cases",
    "DistinctCases": "evalkit.gate.cases",
    "TrialResult": "evalkit.gate.cases",
    "compare_results": "evalkit.gate.compare",
    "pair_results": "evalkit.gate.compare",
    "forecast_power": "evalkit.gate.forecasts",
    "decide_looks": "evalkit.gate.looks",
    "more_trials_help": "evalkit.gate.looks",
    "plan_looks": "evalkit.gate.looks",
    "measure_arm": "evalkit.gate.readings",
    "GateSettings": "evalkit.gate.settings",
    "MetricSettings": "evalkit.gate.settings",
    "Rule": "evalkit.gate.settings",
    "SliceSettings": "evalkit.gate.settings",
    "add_parts": "evalkit.gate.suite",
    "decide_suite": "evalkit.gate.suite",
    "decide_verdict": "evalkit.gate.verdict",
    "suite_exit_code": "evalkit.gate.verdict",
    "apply_waivers": "evalkit.gate.waiving",
    "propose_waiver": "evalkit.gate.waiving",
    "ResultRow": "evalkit.records.results",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
