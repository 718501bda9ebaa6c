"""`evalkit route`: what a route would do, without doing it."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_result
from evalkit.errors import UsageError

EXAMPLE = (
    "Example: evalkit route explain --route support_triage --suite support_triage --case ID; "
    "evalkit route explain --task triage --risk high"
)

app = typer.Typer(name="route", help="Routes: explain.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Routes: explain."""


@app.command(epilog=EXAMPLE, short_help="Tell which model would be asked, and why. No call.")
def explain(
    route: Annotated[
        str | None, typer.Option(metavar="NAME", help="The route.", show_default=False)
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="TASK", help="Instead: the route for this task.", show_default=False),
    ] = None,
    risk: Annotated[
        str | None,
        typer.Option(
            metavar="RISK", help="The route for this risk class, such as pii.", show_default=False
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(metavar="SUITE", help="Whose prompt is meant.", show_default=False),
    ] = None,
    case: Annotated[
        str | None,
        typer.Option(metavar="CASE", help="The case that fills the prompt.", show_default=False),
    ] = None,
    input_: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="JSON|@FILE",
            help="What fills the prompt instead of a case: a JSON object, or a file of one.",
            show_default=False,
        ),
    ] = None,
    live: options.Live = False,
    json_: options.Json = False,
) -> int:
    """Print which model a call would go to and why, and which ones follow when. Nothing is called.

    With a case or an input also the bounds of tokens and USD that the budget would hold.
    """
    if case is not None and input_ is not None:
        raise UsageError("--case and --input both fill the prompt; give one")
    from evalkit.report.route import route_json, route_text
    from evalkit.workflows.project import find_root
    from evalkit.workflows.routes.asked import find_asked, read_input
    from evalkit.workflows.routes.explaining import explain_route
    from evalkit.workflows.wiring import Wiring

    root = find_root()
    given = None if input_ is None else read_input(input_)
    asked = find_asked(root, route, task=task, risk=risk, suite=suite, case=case, input_=given)
    explained = explain_route(asked, wiring=Wiring(root, live=live))
    print_result(route_json(explained) if json_ else route_text(explained))
    return 0
