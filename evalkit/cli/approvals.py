"""`evalkit approvals`: see what waits for an approval, grant it, deny it."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.durations import seconds_of
from evalkit.cli.output import print_note, print_result
from evalkit.errors import UsageError

EXAMPLE = "Example: evalkit approvals grant ap-1f2e3d4c5b --as kim --team legal_ops --expires 30m"

app = typer.Typer(
    name="approvals", help="Approvals of tool calls: list, grant, deny.", no_args_is_help=True
)

Id = Annotated[
    str, typer.Argument(metavar="ID", help="The approval: its id, or a unique beginning of it.")
]


@app.command(
    "list",
    epilog="Example: evalkit approvals list --all --json",
    short_help="Show what waits for an approval.",
)
def list_(
    all_: Annotated[
        bool, typer.Option("--all", help="Those that were denied or used as well.")
    ] = False,
    json_: options.Json = False,
) -> int:
    """Show calls that wait for an approval, and approvals that no call has used yet."""
    from evalkit.report.approvals import approvals_json, approvals_text
    from evalkit.workflows.approving import ApprovalDesk
    from evalkit.workflows.project import find_root

    desk = ApprovalDesk(find_root())
    found = desk.all() if all_ else desk.waiting()
    print_result(approvals_json(found) if json_ else approvals_text(found))
    return 0


@app.command(epilog=EXAMPLE, short_help="Let one call run.")
def grant(
    id_: Id,
    by: Annotated[str, typer.Option("--as", metavar="USER", help="Who grants it.")],
    team: Annotated[str, typer.Option(metavar="TEAM", help="The team they grant it for.")],
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="30m|1h|2d",
            help="How long it stands unless a call uses it; default, and most: what the route "
            "says.",
            show_default=False,
        ),
    ] = None,
    any_arguments: Annotated[
        bool,
        typer.Option(
            "--any-arguments",
            help="Let the one call have other arguments than those that were asked for.",
        ),
    ] = False,
    json_: options.Json = False,
) -> int:
    """Grant an approval: one call of the same tool, route and identity may run, once."""
    from evalkit.report.approvals import approvals_json
    from evalkit.workflows.approving import ApprovalDesk
    from evalkit.workflows.project import find_root

    expires_s = None if expires is None else seconds_of("--expires", expires)
    desk = ApprovalDesk(find_root())
    granted = desk.grant(id_, by=by, team=team, expires_s=expires_s, any_arguments=any_arguments)
    if json_:
        print_result(approvals_json([granted]))
        return 0
    print_result(
        f"{granted.id} is granted: one call of {granted.words} may run until {granted.expires_at}"
    )
    return 0


@app.command(
    epilog='Example: evalkit approvals deny ap-1f2e3d4c5b --as kim --reason "Not without a ticket"',
    short_help="Say no to a call.",
)
def deny(
    id_: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; whoever asked reads it.")],
    by: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="USER", help="Who denies it; default: your login.", show_default=False
        ),
    ] = None,
    team: Annotated[
        str | None,
        typer.Option(
            metavar="TEAM", help="The team; default: the one that was asked.", show_default=False
        ),
    ] = None,
    json_: options.Json = False,
) -> int:
    """Deny an approval: the same call stays denied until somebody grants this request."""
    from evalkit.report.approvals import approvals_json
    from evalkit.workflows.approving import ApprovalDesk
    from evalkit.workflows.project import find_root

    desk = ApprovalDesk(find_root())
    denied = desk.deny(id_, by=_login() if by is None else by, team=team, reason=reason)
    if json_:
        print_result(approvals_json([denied]))
        return 0
    print_result(f"{denied.id} is denied: {denied.words} may not run with these arguments")
    print_note(f"evalkit approvals grant {denied.id} takes that back")
    return 0


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise UsageError("nobody is logged in here: say who denies it with --as") from error
