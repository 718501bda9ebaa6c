"""`evalkit plan`: what a run would do and cost."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_result
from evalkit.errors import UsageError

EXAMPLE = "Example: evalkit plan ticket_routing --live; evalkit plan --power --drop 5"


def plan(
    suites: options.Suites = None,
    set_: options.Set = None,
    baseline: options.Baseline = None,
    no_baseline: options.NoBaseline = False,
    live: options.Live = False,
    tags: options.Tags = None,
    cases: options.Cases = None,
    trials: options.Trials = None,
    no_cache: options.NoCache = False,
    refresh: options.Refresh = False,
    offline: options.Offline = False,
    faults: options.Faults = None,
    power: Annotated[
        bool,
        typer.Option(
            "--power", help="How many cases and trials tell how much, and what they cost."
        ),
    ] = False,
    drop: Annotated[
        float | None,
        typer.Option(
            metavar="PP",
            help="With --power: the drop that should be seen, in percentage points.",
            show_default=False,
        ),
    ] = None,
    flip_rate: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            help="With --power: how many cases flip between identical runs; default: as measured.",
            show_default=False,
        ),
    ] = None,
    json_: options.Json = False,
) -> int:
    """Count and price a run before a cent is spent. Nothing is called.

    Prints suites, cases, trials, calls after the cache, tokens by part, USD as an upper bound and
    as an expectation, and the smallest drop that the suite can see.
    """
    if not power and (drop is not None or flip_rate is not None):
        raise UsageError("--drop and --flip-rate go with --power")
    from evalkit.cli.requests import build_request
    from evalkit.report.plan import plan_json, plan_text
    from evalkit.workflows.project import find_root
    from evalkit.workflows.runs.planning import plan_suites
    from evalkit.workflows.wiring import Wiring

    request = build_request(
        suites=suites,
        set_=set_,
        baseline=baseline,
        no_baseline=no_baseline,
        live=live,
        no_cache=no_cache,
        refresh=refresh,
        offline=offline,
        trials=trials,
        tags=tags,
        cases=cases,
        cases_from=None,
        regressed=False,
        accept_gate_change=True,
        allow_unexercised=True,
        faults=faults,
    )
    wiring = Wiring(find_root(), live=live)
    if power:
        from evalkit.report.power import power_json, power_text
        from evalkit.workflows.runs.powering import PowerQuestion, forecast_suites

        question = PowerQuestion(drop=_share(drop), flips=_share(flip_rate))
        found = forecast_suites(request, question, wiring=wiring)
        print_result(power_json(found) if json_ else power_text(found))
        return 0
    planned = plan_suites(request, wiring=wiring)
    render = plan_json if json_ else plan_text
    print_result(render(planned.plan, budget_usd=planned.budget_usd, notes=planned.notes))
    return 0


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100
