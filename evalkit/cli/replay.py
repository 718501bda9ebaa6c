"""`evalkit replay`: production traffic against a candidate."""

import sys
from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_note, print_result

EXAMPLE = (
    "Example: evalkit replay ticket_routing --since 7d --plan "
    "--set routes.ticket_routing.models.primary=small"
)


def replay(
    suite: Annotated[str, typer.Argument(help="The suite whose target, scorers and gate hold.")],
    set_: options.Set = None,
    trace: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID", help="This session; default: the newest. Repeatable.", show_default=False
        ),
    ] = None,
    route: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Sessions on this route; default: the suite's.", show_default=False
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="AGE|TIME",
            help="Begun since: 30m, 2h, 7d, 2026-11-01, or an ISO 8601 time.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", "--last", min=1, max=100_000, metavar="N", help="The newest N sessions."
        ),
    ] = 200,
    min_played: Annotated[
        float,
        typer.Option(
            min=0,
            max=100,
            metavar="PERCENT",
            help="Pass only where at least this share of the sessions that may be evaluated could "
            "be played.",
        ),
    ] = 100,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Count and price it, and say what is left out; call nothing."),
    ] = False,
    live: options.Live = False,
    trials: options.Trials = None,
    concurrency: options.Concurrency = None,
    no_cache: options.NoCache = False,
    refresh: options.Refresh = False,
    offline: options.Offline = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, and the verdict line only.")
    ] = False,
    json_: options.Json = False,
) -> int:
    """Play stored sessions through a candidate that no user sees, and gate it like a run.

    The baseline is what production answered. Only sessions marked `use: evaluation` are played; a
    pass where others of them could not be is none (3), unless --min-played accepts it. Exit codes
    are those of `evalkit run`, which also goes on with a stopped replay: --resume.
    """
    import msgspec

    from evalkit.cli.requests import build_request
    from evalkit.report.plan import plan_json, plan_text
    from evalkit.report.progress import progress_display
    from evalkit.report.run_json import run_json
    from evalkit.report.terminal import run_text
    from evalkit.workflows.project import find_root
    from evalkit.workflows.reading import compare_arms
    from evalkit.workflows.replay.selecting import select_traces
    from evalkit.workflows.runs.last_run import remember_end
    from evalkit.workflows.runs.planning import plan_suites
    from evalkit.workflows.runs.running import run_suites
    from evalkit.workflows.traces.listing import moment_of
    from evalkit.workflows.wiring import SystemClock, Wiring

    root = find_root()
    clock, command = SystemClock(), tuple(sys.argv[1:])
    asked = build_request(
        suites=(suite,),
        set_=set_,
        baseline=None,
        no_baseline=False,
        live=live,
        no_cache=no_cache,
        refresh=refresh,
        offline=offline,
        trials=trials,
        concurrency=concurrency,
        tags=None,
        cases=None,
        cases_from=None,
        regressed=False,
        accept_gate_change=False,
        allow_unexercised=False,
    )
    selected = select_traces(
        root,
        suite,
        named=tuple(trace or ()),
        route=route,
        since=None if since is None else moment_of(since, now=clock.now()),
        limit=limit,
    )
    request = msgspec.structs.replace(
        asked,
        traces=selected.traces,
        min_played=min_played / 100,
        unreadable=selected.unreadable,
    )
    if plan:
        planned = plan_suites(request, wiring=Wiring(root, live=live))
        cap, notes = planned.budget_usd, planned.notes
        if json_:
            print_result(plan_json(planned.plan, budget_usd=cap, notes=notes))
        else:
            words = plan_text(planned.plan, budget_usd=cap, notes=notes, recordable=False)
            print_result(words)
        return 0
    with (
        remember_end(root, clock=clock, command=command) as ending,
        progress_display(sys.stderr, clock=clock, quiet=quiet or json_) as progress,
    ):
        stored = run_suites(
            request, wiring=Wiring(root, live=live, alone=True), on_event=progress, command=command
        )
        ending.take(stored)
    if json_:
        print_result(run_json(stored.record))
    else:
        print_result(run_text(stored, compare_arms(stored), quiet=quiet))
    if stored.record.state != "complete" and (quiet or json_):
        print_note(f"to go on: evalkit run --resume {stored.record.id}")
    return stored.record.exit_code
