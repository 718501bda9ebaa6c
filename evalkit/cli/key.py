"""`evalkit key`: keys of the gateway."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_note, print_result

app = typer.Typer(name="key", help="Keys of the gateway: add, list, revoke.", no_args_is_help=True)


@app.command(
    epilog="Example: evalkit key add --user u1 --team support --routes support_triage",
    short_help="Make a key.",
)
def add(
    user: Annotated[str, typer.Option(help="Whose requests it stands for.")] = "",
    org: Annotated[str, typer.Option(help="Their organisation.")] = "",
    team: Annotated[str, typer.Option(help="Their team.")] = "",
    routes: Annotated[
        list[str] | None, typer.Option(metavar="ROUTE", help="A route it is for; again for more.")
    ] = None,
    note: Annotated[str, typer.Option(help="What it is for, in your words.")] = "",
    json_: options.Json = False,
) -> int:
    """Make a key and print it: it is stored as a digest and cannot be shown again."""
    from evalkit.report.gateway_keys import key_json
    from evalkit.workflows.gateway_keys import KeyDesk
    from evalkit.workflows.project import Project

    key, known = KeyDesk(Project.load()).add(
        user=user, org=org, team=team, routes=routes or [], note=note
    )
    print_result(key_json(key, known) if json_ else key)
    print_note(f"key {known.id} was made; it is shown this once")
    return 0


@app.command(
    "list", epilog="Example: evalkit key list --json", short_help="Show the keys there are."
)
def list_(json_: options.Json = False) -> int:
    """Show keys by their ids, whose they are, and which are revoked or expired."""
    from evalkit.report.gateway_keys import keys_json, keys_text
    from evalkit.workflows.gateway_keys import KeyDesk
    from evalkit.workflows.project import Project

    found = KeyDesk(Project.load()).all()
    print_result(keys_json(found) if json_ else keys_text(found))
    return 0


@app.command(epilog="Example: evalkit key revoke 1f2e3d4c5b", short_help="End a key.")
def revoke(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="The key's id, or a unique beginning of it.")
    ],
) -> int:
    """End a key: from now on it opens nothing, in gateways that are running too."""
    from evalkit.workflows.gateway_keys import KeyDesk
    from evalkit.workflows.project import Project

    known = KeyDesk(Project.load()).revoke(id_)
    print_note(f"key {known.id} is revoked")
    return 0
