"""`evalkit key`: keys of the gateway."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import typer

from evalkit.cli import options
from evalkit.cli.durations import seconds_of
from evalkit.cli.output import print_note, print_result
from evalkit.errors import UsageError

Purpose = Literal["calls", "metrics"]
Window = Literal["hour", "day", "month"]

app = typer.Typer(name="key", help="Keys of the gateway: add, list, revoke.", no_args_is_help=True)


@app.command(
    epilog="Example: evalkit key add --user u1 --routes support_triage --expires 30d --max-usd 5",
    short_help="Make a key.",
)
def add(
    user: Annotated[str, typer.Option(help="Whose requests it stands for.")] = "",
    org: Annotated[str, typer.Option(help="Their organisation.")] = "",
    team: Annotated[str, typer.Option(help="Their team.")] = "",
    routes: Annotated[
        list[str] | None,
        typer.Option(metavar="ROUTE", help="A route it is for; again for more. Default: all."),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long it lasts, such as 12h or 30d. Default: for ever.",
        ),
    ] = None,
    for_: Annotated[
        Purpose, typer.Option("--for", help="metrics: it reads /metrics, and opens no route.")
    ] = "calls",
    max_usd: Annotated[
        float | None,
        typer.Option(metavar="USD", help="What its calls may cost in a window, at list prices."),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Tokens that its calls may take in a window."),
    ] = None,
    window: Annotated[
        Window, typer.Option(help="The window of its caps: of the calendar, in UTC.")
    ] = "day",
    note: Annotated[str, typer.Option(help="What it is for, in your words.")] = "",
    json_: options.Json = False,
) -> int:
    """Make a key and print it: it is stored as a digest and cannot be shown again."""
    import math

    from evalkit.records.ledger import KeyCaps
    from evalkit.report.gateway_keys import key_json
    from evalkit.workflows.gateway_keys import KeyDesk
    from evalkit.workflows.project import Project

    if max_usd is not None and not (max_usd > 0 and math.isfinite(max_usd)):
        raise UsageError(f"--max-usd {max_usd:g} is no cap: give an amount above 0")
    capped = max_usd is not None or max_tokens is not None
    key, known = KeyDesk(Project.load()).add(
        user=user,
        org=org,
        team=team,
        routes=routes or [],
        note=note,
        expires_in=None if expires is None else timedelta(seconds=seconds_of("--expires", expires)),
        purpose=for_,
        caps=KeyCaps(max_usd, max_tokens, window) if capped else None,
    )
    print_result(key_json(key, known) if json_ else key)
    print_note(f"key {known.id} was made; it is shown this once")
    return 0


@app.command(
    "list", epilog="Example: evalkit key list --json", short_help="Show the keys there are."
)
def list_(json_: options.Json = False) -> int:
    """Show keys by their ids: whose they are, what is left of their caps, which have ended."""
    from evalkit.report.gateway_keys import keys_json, keys_text
    from evalkit.workflows.gateway_keys import KeyDesk
    from evalkit.workflows.project import Project

    found = KeyDesk(Project.load()).all()
    print_result(keys_json(found) if json_ else keys_text(found, now=datetime.now(UTC)))
    return 0


@app.command(epilog="Example: evalkit key revoke 1f2e3d4c5b", short_help="End a key.")
def revoke(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="The key's id, or a unique beginning of it.")
    ],
) -> int:
    """End a key: it opens nothing any more, a second later in gateways that are running too."""
    from evalkit.workflows.gateway_keys import KeyDesk
    from evalkit.workflows.project import Project

    known = KeyDesk(Project.load()).revoke(id_)
    print_note(f"key {known.id} is revoked")
    return 0
