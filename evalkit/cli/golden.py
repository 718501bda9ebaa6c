"""`evalkit golden`: freeze golden sets and look at what is in them."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_result

EXAMPLE = "Example: evalkit golden freeze ticket_routing@v1"

app = typer.Typer(name="golden", help="Golden sets: freeze, stats.", no_args_is_help=True)

Reference = Annotated[str, typer.Argument(metavar="NAME@vN", help="The golden set.")]


@app.command(epilog=EXAMPLE, short_help="Pin the cases by their digest.")
def freeze(reference: Reference) -> int:
    """Write the digest of the cases into set.yaml; a later change needs a new version."""
    from evalkit.sources.golden import freeze as freeze_set
    from evalkit.workflows.project import find_root

    digest = freeze_set(find_root(), reference)
    print_result(f"{reference} is frozen at {digest}")
    return 0


@app.command(
    epilog="Example: evalkit golden stats ticket_routing@v1",
    short_help="Count what is in a set and what it can tell.",
)
def stats(reference: Reference, json_: options.Json = False) -> int:
    """Count cases, groups, tags and labels, and say what drop the set can see."""
    from evalkit.workflows.golden import golden_stats, stats_json, stats_text
    from evalkit.workflows.project import find_root

    found = golden_stats(find_root(), reference)
    print_result(stats_json(found) if json_ else stats_text(found))
    return 0
