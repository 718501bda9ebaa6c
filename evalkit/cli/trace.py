"""`evalkit trace`: sessions outside of runs, listed and shown."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_note, print_result

LIST_EXAMPLE = "Example: evalkit trace list --user ada@example.org --since 2h"
SHOW_EXAMPLE = "Example: evalkit trace show 3f2a9c01"

app = typer.Typer(name="trace", help="Sessions in production: list, show.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Sessions in production: list, show."""


@app.command("list", epilog=LIST_EXAMPLE, short_help="List stored sessions, newest first.")
def list_(
    user: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Of this user: the real name or the pseudonym.", show_default=False
        ),
    ] = None,
    org: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this org.", show_default=False)
    ] = None,
    team: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this team.", show_default=False)
    ] = None,
    route: Annotated[
        str | None, typer.Option(metavar="NAME", help="On this route.", show_default=False)
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
        int, typer.Option(min=1, max=100_000, metavar="N", help="At most N sessions.")
    ] = 20,
    json_: options.Json = False,
) -> int:
    """List the sessions that programs opened, with what they cost and what was denied.

    Traces hold pseudonyms; a real name is looked up by its pseudonym.
    """
    from evalkit.report.traces import traces_json, traces_text
    from evalkit.workflows.project import find_root
    from evalkit.workflows.traces.listing import list_traces, moment_of
    from evalkit.workflows.wiring import SystemClock

    now = SystemClock().now()
    listed = list_traces(
        find_root(),
        user=user,
        org=org,
        team=team,
        route=route,
        since=None if since is None else moment_of(since, now=now),
        limit=limit,
    )
    if listed.damaged:
        print_note(f"warning: {listed.damaged:,} damaged lines were left out")
    print_result(traces_json(listed.traces) if json_ else traces_text(listed.traces))
    if listed.more and not json_:
        print_note(f"these are the newest {limit:,}; --limit shows more")
    return 0


@app.command(epilog=SHOW_EXAMPLE, short_help="Show one session step by step.")
def show(
    trace: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")],
    json_: options.Json = False,
) -> int:
    """Show what a session did, what each step cost, and why each decision was made.

    An attempt of a run is shown by `evalkit show RUN CASE`.
    """
    from evalkit.report.traces import trace_json, trace_text
    from evalkit.store.traces import TraceStore
    from evalkit.workflows.project import find_root

    found = TraceStore(find_root()).find(trace)
    print_result(trace_json(found) if json_ else trace_text(found))
    return 0
