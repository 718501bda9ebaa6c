"""`evalkit plan`: what a run would do and cost."""

from evalkit.cli import options
from evalkit.cli.output import print_result

EXAMPLE = "Example: evalkit plan ticket_routing --live"


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
    json_: options.Json = False,
) -> int:
    """Count and price a run before a cent is spent. Nothing is called.

    Prints suites, cases, trials, calls after the cache, tokens by part, USD as an upper bound and
    as an expectation, and the smallest drop that the suite can see.
    """
    from evalkit.cli.requests import build_request
    from evalkit.report.plan import plan_json, plan_text
    from evalkit.workflows.planning import plan_suites
    from evalkit.workflows.project import find_root
    from evalkit.workflows.wiring import Wiring

    request = build_request(
        suites=suites,
        set_=set_,
        baseline=baseline,
        no_baseline=no_baseline,
        live=live,
        no_cache=no_cache,
        refresh=refresh,
        trials=trials,
        tags=tags,
        cases=cases,
        cases_from=None,
        regressed=False,
        accept_gate_change=True,
        allow_unexercised=True,
    )
    planned = plan_suites(request, wiring=Wiring(find_root(), live=live))
    render = plan_json if json_ else plan_text
    print_result(render(planned.plan, budget_usd=planned.budget_usd))
    return 0
