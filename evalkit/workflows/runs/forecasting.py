"""What each suite of a plan can tell, and what looking again could cost."""

from collections.abc import Sequence

import msgspec

from evalkit.records.plan import PlannedSuite, RunPlan
from evalkit.records.run import SuiteSnapshot
from evalkit.workflows.gate_settings import gate_settings

# what flips between identical runs where nothing is known about the suite yet
ASSUMED_FLIP_SHARE = 0.1


def with_forecast(plan: RunPlan, snapshots: Sequence[SuiteSnapshot]) -> RunPlan:
    """The plan with what each suite can tell, by the formulas of the gate."""
    by_name = {snapshot.suite: snapshot for snapshot in snapshots}
    suites = tuple(
        _powered(_escalating(suite, by_name[suite.suite]), by_name[suite.suite])
        for suite in plan.suites
    )
    return RunPlan(attempts=plan.attempts, suites=suites)


def _escalating(suite: PlannedSuite, snapshot: SuiteSnapshot) -> PlannedSuite:
    """The suite with what looking again could come to."""
    last = max((look.trials for look in snapshot.looks), default=snapshot.trials)
    if last == snapshot.trials:
        return suite
    more = (last - snapshot.trials) / snapshot.trials
    return msgspec.structs.replace(
        suite,
        max_trials=last,
        escalation_usd=None if suite.listed_usd is None else suite.listed_usd * more,
    )


def _powered(suite: PlannedSuite, snapshot: SuiteSnapshot) -> PlannedSuite:
    settings = gate_settings(snapshot)
    if not snapshot.has_baseline or settings.margin is None:
        return suite
    from evalkit.gate.forecasts import forecast_power

    groups = snapshot.cases.groups
    alpha = snapshot.looks[0].alpha if snapshot.looks else settings.alpha
    forecast = forecast_power(
        cases=groups,
        noise=ASSUMED_FLIP_SHARE,
        margin=settings.margin,
        alpha=alpha,
        trials=(snapshot.trials,),
    )
    return msgspec.structs.replace(
        suite,
        flip_share=ASSUMED_FLIP_SHARE,
        detectable_drop=forecast.rows[0].detectable_drop,
        cases_to_pass=forecast.minimum_cases,
    )
