"""`evalkit prune`: remove private state that need not be kept any longer."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_note, print_result
from evalkit.errors import UsageError

EXAMPLE = "Example: evalkit prune --older-than 30d --kind traces --dry-run"


def prune(
    older_than: Annotated[
        str | None,
        typer.Option(
            metavar="AGE",
            help="12h, 30d, 8w; default: the ages of `retention:` in evalkit.yaml.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="runs, traces, cache, audit or approvals. Repeatable. Default: all.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        int, typer.Option(min=1, metavar="N", help="Keep the N newest runs, however old.")
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be removed, and remove nothing.")
    ] = False,
    json_: options.Json = False,
) -> int:
    """Remove runs, traces, replies and audit entries that are older than they have to be kept.

    Baselines and the newest passing run of every branch stay; of the audit log a checkpoint stays,
    so that the rest can be verified.
    """
    from evalkit.config.telemetry import is_age
    from evalkit.report.prune import prune_json, prune_text
    from evalkit.workflows.project import find_root
    from evalkit.workflows.pruning import PruneRequest
    from evalkit.workflows.pruning import prune as remove
    from evalkit.workflows.wiring import SystemClock

    if older_than is not None and not is_age(older_than):
        raise UsageError(f"--older-than {older_than!r} is no age; give one such as 12h, 30d or 8w")
    request = PruneRequest(
        kinds=tuple(dict.fromkeys(kind or ())), older_than=older_than, keep=keep, dry_run=dry_run
    )
    report = remove(find_root(), request, now=SystemClock().now(), note=print_note)
    print_result(prune_json(report) if json_ else prune_text(report))
    return 0
