"""`evalkit history [SUITE]`: how figures moved over the stored runs, and what changed then."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_note, print_result
from evalkit.errors import UsageError

EXAMPLE = "Example: evalkit history ticket_routing --metric cost_usd_per_resolved"


def history(
    suite: Annotated[
        str | None, typer.Argument(help="A suite; default: all.", show_default=False)
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A metric such as pass_rate or tokens, or all. Repeatable. Default: pass_rate.",
            show_default=False,
        ),
    ] = None,
    slices: Annotated[bool, typer.Option("--slices", help="The pass rate of every slice.")] = False,
    slice_: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            metavar="TAG",
            help="The pass rate of this slice, with its runs. Repeatable.",
            show_default=False,
        ),
    ] = None,
    branch: Annotated[
        str | None, typer.Option(metavar="NAME", help="Runs on this branch.", show_default=False)
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, metavar="N", help="The last N runs.")
    ] = 20,
    flaky: Annotated[
        str | None,
        typer.Option(
            metavar="SUITE",
            help="Cases that an unchanged baseline passes only sometimes, and a quarantine for "
            "evalkit.yaml.",
            show_default=False,
        ),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the history again from the run bundles first.")
    ] = False,
    json_: options.Json = False,
) -> int:
    """Show the trend of every suite, slice and metric, with what changed between the runs."""
    from evalkit.workflows.project import find_root

    if flaky is not None and (suite or metric or slices or slice_ or branch):
        raise UsageError("--flaky SUITE stands alone: it looks at one suite's baseline")
    root = find_root()
    if rebuild:
        from evalkit.workflows.history.keeping import rebuild as make_again

        print_note(f"the history was made again from {make_again(root, note=print_note):,} runs")
    if flaky is not None:
        return _print_flaky(flaky, json_=json_)
    from evalkit.report.history import history_json, history_text
    from evalkit.workflows.trends import view_history

    view = view_history(
        root,
        note=print_note,
        suite=suite,
        metrics=metric or (),
        slices=slices,
        tags=slice_ or (),
        branch=branch,
        limit=limit,
    )
    print_result(history_json(view) if json_ else history_text(view, suite=suite, branch=branch))
    return 0


def _print_flaky(suite: str, *, json_: bool) -> int:
    from evalkit.report.flaky import flaky_text
    from evalkit.report.history import history_json
    from evalkit.workflows.project import find_root
    from evalkit.workflows.trends import flaky_cases, flaky_view
    from evalkit.workflows.wiring import SystemClock

    found = flaky_cases(find_root(), suite, note=print_note)
    today = SystemClock().now().date()
    print_result(history_json(flaky_view(found)) if json_ else flaky_text(found, today=today))
    return 0
