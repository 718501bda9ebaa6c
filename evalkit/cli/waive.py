"""`evalkit waive`: accept for a while that a part of the gate does not pass."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_result
from evalkit.errors import UsageError

EXAMPLE = (
    "Example: evalkit waive --suite support_triage --part drop --reason "
    '"New policy text; fixed by TRIAGE-12" --until 30d'
)


def waive(
    run: Annotated[
        str, typer.Argument(help="The run that measured it: id, unique prefix, path, or latest.")
    ] = "latest",
    suite: Annotated[
        str | None, typer.Option(help="The suite.", metavar="S", show_default=False)
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            help="The part that did not pass, as the report names it; without it they are listed.",
            metavar="PART",
            show_default=False,
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Why it is acceptable.", metavar="TEXT", show_default=False)
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            help="The last day it holds: a date, or days from today (30d); at most a year.",
            metavar="DATE|30d",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Who accepts it; default: git's user.name and user.email.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", help="Its name in the file.", metavar="ID", show_default=False),
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="Put it in the place of one that is in force.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the entry and write nothing.")
    ] = False,
    list_: Annotated[
        bool, typer.Option("--list", help="Show every waiver and whether it holds.")
    ] = False,
    remove: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Take a waiver out of the file.", show_default=False),
    ] = None,
    json_: options.Json = False,
) -> int:
    """Record in waivers.yaml who accepted which part of a run, why, until when and how far.

    Commit the file and have it reviewed. A part counts as passed while its waiver covers what was
    measured; after its last day the suite does not pass until the waiver is removed or renewed.
    """
    from evalkit.workflows.project import find_root, find_runs_root
    from evalkit.workflows.waivers import words
    from evalkit.workflows.waivers.states import state_waivers
    from evalkit.workflows.waivers.waiving import WaiveRequest, remove_waiver, waive_part

    request = WaiveRequest(
        suite=suite,
        part=part,
        reason=reason,
        until=until,
        by=by,
        id=id_,
        renew=renew,
        dry_run=dry_run,
    )
    if (list_ or remove is not None) and (request != WaiveRequest() or (list_ and remove)):
        raise UsageError("--list and --remove stand alone: they take no other option but --json")
    root = find_root()
    if list_:
        stated = state_waivers(root)
        print_result(words.waivers_json(stated) if json_ else words.waivers_text(stated))
    elif remove is not None:
        removed = remove_waiver(root, remove)
        print_result(words.removed_json(removed) if json_ else words.removed_text(removed))
    else:
        waived = waive_part(root, run, request, runs_root=find_runs_root(run))
        print_result(words.waived_json(waived) if json_ else words.waived_text(waived))
    return 0
