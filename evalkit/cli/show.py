"""`evalkit show RUN [CASE]`: what did it do, what did it cost, why did it decide that."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_result

EXAMPLE = "Example: evalkit show latest tr-0042"


def show(
    run: Annotated[
        str, typer.Argument(help="A run: id, unique prefix, path, or latest.")
    ] = "latest",
    case: Annotated[
        str | None, typer.Argument(help="A case of that run.", show_default=False)
    ] = None,
    json_: options.Json = False,
) -> int:
    """Show a run, or all that is known of one case in it: messages, decisions, scores, cost."""
    from evalkit.report.show import case_json, case_text, run_json, run_summary
    from evalkit.workflows.project import find_runs_root
    from evalkit.workflows.reading import compare_arms, load_run, view_case

    stored = load_run(find_runs_root(run), run)
    if case is None:
        comparison = compare_arms(stored)
        print_result(run_json(stored.record) if json_ else run_summary(stored, comparison))
        return 0
    view = view_case(stored, case)
    print_result(case_json(view) if json_ else case_text(view))
    return 0
