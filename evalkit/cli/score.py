"""`evalkit score RUN`: score stored attempts again."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_result

EXAMPLE = "Example: evalkit score latest"


def score(
    run: Annotated[
        str, typer.Argument(help="A run: id, unique prefix, path, or latest.")
    ] = "latest",
    json_: options.Json = False,
) -> int:
    """Score a run's stored attempts with its stored scorers, decide again, and write both.

    No model is called. Ends with the verdict's exit code.
    """
    from evalkit.report.run_json import run_json
    from evalkit.report.terminal import run_text
    from evalkit.workflows.project import find_runs_root
    from evalkit.workflows.reading import compare_arms, rescore_run

    stored = rescore_run(find_runs_root(run), run)
    print_result(run_json(stored.record) if json_ else run_text(stored, compare_arms(stored)))
    return stored.record.exit_code
