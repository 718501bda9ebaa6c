"""`evalkit audit`: who decided what, shown, exported, verified."""

from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_note, print_result

SHOW_EXAMPLE = "Example: evalkit audit show --since 7d --kind approval"
EXPORT_EXAMPLE = "Example: evalkit audit export audit-2026-11.jsonl"
VERIFY_EXAMPLE = "Example: evalkit audit verify"
EXIT_BROKEN = 2

app = typer.Typer(
    name="audit", help="Who decided what: show, export, verify.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Who decided what: show, export, verify."""


@app.command(epilog=SHOW_EXAMPLE, short_help="Show entries of the audit log, newest last.")
def show(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="AGE|TIME",
            help="Made since: 30m, 2h, 7d, 2026-11-01, or an ISO 8601 time.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Of this kind, such as policy.denied; approval stands for all approval.*.",
            show_default=False,
        ),
    ] = None,
    actor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="By this user, team or org: real names.", show_default=False
        ),
    ] = None,
    json_: options.Json = False,
) -> int:
    """Show who decided what. Names in the audit log are real, elsewhere they are pseudonyms."""
    from evalkit.report.audit_log import entries_json, entries_text
    from evalkit.workflows.audit_reading import find_entries
    from evalkit.workflows.project import find_root
    from evalkit.workflows.traces.listing import moment_of
    from evalkit.workflows.wiring import SystemClock

    clock = SystemClock()
    moment = None if since is None else moment_of(since, now=clock.now())
    entries = find_entries(find_root(), since=moment, kind=kind, actor=actor, now=clock.now)
    print_result(entries_json(entries) if json_ else entries_text(entries))
    return 0


@app.command(epilog=EXPORT_EXAMPLE, short_help="Write a copy that can be verified anywhere.")
def export(
    file: Annotated[Path, typer.Argument(help="A new file.", show_default=False)],
) -> int:
    """Write a copy of the whole log with its head. It holds real names: keep it as the log."""
    from evalkit.workflows.auditing import open_audit
    from evalkit.workflows.project import find_root
    from evalkit.workflows.wiring import SystemClock

    lines = open_audit(find_root(), now=SystemClock().now).export(file)
    print_note(f"{lines:,} lines are in {file}; `evalkit audit verify {file}` checks them")
    return 0


@app.command(epilog=VERIFY_EXAMPLE, short_help="Check that nobody changed the audit log.")
def verify(
    file: Annotated[
        Path | None,
        typer.Argument(help="An export; default: the project's log.", show_default=False),
    ] = None,
    json_: options.Json = False,
) -> int:
    """Follow the chain of hashes, and name the first line that does not hold. Exit code 2 then.

    With EVALKIT_AUDIT_KEY set, the head and the checkpoints have to be signed with that key.
    """
    from evalkit.report.audit_log import report_json, report_text
    from evalkit.workflows.auditing import verify_audit
    from evalkit.workflows.project import find_root
    from evalkit.workflows.wiring import SystemClock

    root = None if file is not None else find_root()
    report = verify_audit(root, file, now=SystemClock().now)
    print_result(report_json(report) if json_ else report_text(report))
    return 0 if report.holds else EXIT_BROKEN
