"""`evalkit golden`: cases out of production, frozen sets, and what is in them."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_result
from evalkit.errors import UsageError

EXAMPLE = "Example: evalkit golden freeze ticket_routing@v1"

app = typer.Typer(name="golden", help="Golden sets: add, freeze, stats.", no_args_is_help=True)

Reference = Annotated[str, typer.Argument(metavar="NAME@vN", help="The golden set.")]


@app.command(
    epilog="Example: evalkit golden add ticket_routing --from-trace 3f2a9c01",
    short_help="Make a case of a session in production.",
)
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The golden set.")],
    from_trace: Annotated[
        str,
        typer.Option(metavar="ID", help="The session's trace, or the beginning of its id."),
    ],
    case_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Default: trace-<id>.", show_default=False),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="A slice of the case. Repeatable.", show_default=False),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Cases that count as one.", show_default=False),
    ] = None,
    input_: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="FILE|-",
            help="The case's input as JSON, instead of what the messages tell.",
            show_default=False,
        ),
    ] = None,
    expected: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-", help="What is expected, as JSON; default: empty.", show_default=False
        ),
    ] = None,
    expect_answer: Annotated[
        bool,
        typer.Option("--expect-answer", help="Expect what production answered: a draft."),
    ] = False,
    allow_duplicate: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Add a case that asks nearly what another one asks.",
            show_default=False,
        ),
    ] = None,
    new: Annotated[
        bool,
        typer.Option("--new", help="Begin a golden set: NAME is not there yet, and becomes v1."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    json_: options.Json = False,
) -> int:
    """Turn a stored session into a case: redacted, with tool results and documents as fixtures.

    It goes into the newest version if that is not frozen, else into a new one beside it; with --new
    into a set of its own. Nothing gates on it before it was reviewed, and `expected` filled in.
    """
    from evalkit.report.golden import added_json, added_text
    from evalkit.workflows.golden.adding import add_from_trace, read_object
    from evalkit.workflows.project import find_root
    from evalkit.workflows.traces.making import Wanted
    from evalkit.workflows.wiring import SystemClock

    if expected is not None and expect_answer:
        raise UsageError("--expected says what is expected, and --expect-answer too; give one")
    if expected == input_ == "-":
        raise UsageError("--input and --expected cannot both be read from stdin")
    added = add_from_trace(
        find_root(),
        name,
        from_trace,
        Wanted(
            case_id=case_id,
            tags=tuple(tag or ()),
            group=group,
            input=None if input_ is None else read_object(input_, "--input"),
            expected=None if expected is None else read_object(expected, "--expected"),
            answer_expected=expect_answer,
        ),
        clock=SystemClock(),
        allow_duplicate=allow_duplicate,
        new_set=new,
        dry_run=dry_run,
    )
    print_result(added_json(added) if json_ else added_text(added))
    return 0


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
    """Count cases by week against the set's quota, by slice, age and source; name those that never
    fail, and say what drop the set can see."""
    from evalkit.report.golden import stats_json, stats_text
    from evalkit.workflows.golden.stats import golden_stats
    from evalkit.workflows.project import find_root
    from evalkit.workflows.wiring import SystemClock

    found = golden_stats(find_root(), reference, today=SystemClock().now().date())
    print_result(stats_json(found) if json_ else stats_text(found))
    return 0
