"""`evalkit run`: gate a change."""

import sys
from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_note, print_result
from evalkit.errors import UsageError

EXAMPLE = (
    "Example: evalkit run ticket_routing "
    "--set suites.ticket_routing.target.prompt=ticket_routing@v2"
)


def run(
    suites: options.Suites = None,
    set_: options.Set = None,
    baseline: options.Baseline = None,
    no_baseline: options.NoBaseline = False,
    live: options.Live = False,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Go on with a stopped run.", show_default=False),
    ] = None,
    tags: options.Tags = None,
    cases: options.Cases = None,
    cases_from: options.CasesFrom = None,
    regressed: options.Regressed = False,
    trials: options.Trials = None,
    concurrency: options.Concurrency = None,
    no_cache: options.NoCache = False,
    refresh: options.Refresh = False,
    offline: options.Offline = False,
    faults: options.Faults = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Make the I-th of N parts of the run: no verdict until `evalkit merge` joins all.",
            show_default=False,
        ),
    ] = None,
    shard_costs: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="With --shard: an earlier run (bundle or id) whose measured time says what each "
            "case takes. The same one for all shards.",
            show_default=False,
        ),
    ] = None,
    engine: options.Engine = None,
    engine_address: options.EngineAddress = None,
    accept_gate_change: options.AcceptGateChange = False,
    allow_unexercised: options.AllowUnexercised = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, and the verdict line only.")
    ] = False,
    json_: options.Json = False,
) -> int:
    """Run suites with the candidate and its baseline, and gate the difference.

    The candidate is the working tree with --set applied. Exit codes: 0 pass, 1 fail, 2 nothing was
    run, 3 inconclusive, 4 incomplete (resume it), 130 interrupted (resume it).
    """
    from evalkit.cli.requests import build_request
    from evalkit.report.progress import progress_display
    from evalkit.workflows.project import find_root
    from evalkit.workflows.runs.engines.choosing import EngineChoice
    from evalkit.workflows.runs.last_run import remember_end
    from evalkit.workflows.runs.running import resume_run, run_suites
    from evalkit.workflows.setup.request import RunRequest
    from evalkit.workflows.wiring import SystemClock, Wiring

    root = find_root()
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
        concurrency=concurrency,
        tags=tags,
        cases=cases,
        cases_from=cases_from,
        regressed=regressed,
        accept_gate_change=accept_gate_change,
        allow_unexercised=allow_unexercised,
        faults=faults,
        shard=shard,
        shard_costs=shard_costs,
    )
    if resume is not None and request != RunRequest():
        raise UsageError(
            f"--resume goes on with what run {resume} was asked for; it takes no suites and no "
            "other option than --engine, --engine-address, --quiet and --json"
        )
    choice = EngineChoice(kind=engine, address=engine_address)
    clock, command = SystemClock(), tuple(sys.argv[1:])
    with (
        remember_end(root, clock=clock, command=command) as ending,
        progress_display(sys.stderr, clock=clock, quiet=quiet or json_) as progress,
    ):
        if resume is not None:
            stored = resume_run(
                resume,
                wiring=lambda asked: Wiring(root, live=asked.live, alone=True),
                root=root,
                on_event=progress,
                engine=choice,
            )
        else:
            stored = run_suites(
                request,
                wiring=Wiring(root, live=live, alone=True),
                on_event=progress,
                command=command,
                engine=choice,
            )
        ending.take(stored)
    from evalkit.report.run_json import run_json
    from evalkit.report.terminal import run_text
    from evalkit.workflows.reading import compare_arms

    if json_:
        print_result(run_json(stored.record))
    else:
        print_result(run_text(stored, compare_arms(stored), quiet=quiet))
    if stored.record.state != "complete" and (quiet or json_):  # the whole page says it itself
        print_note(f"to go on: evalkit run --resume {stored.record.id}")
    return stored.record.exit_code
