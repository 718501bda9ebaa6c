"""`evalkit init`: a project that runs at once."""

from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli.output import print_note, print_result

EXAMPLE = "Example: evalkit init my-evals"


def init(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one to be made.")] = Path(),
) -> int:
    """Make a project that runs at once and teaches: 20 cases, a prompt, a rubric, a workflow."""
    from evalkit.workflows.initialising import init_project

    for path in init_project(folder):
        print_note(f"wrote {path}")
    where = "" if folder == Path() else f"cd {folder} && "
    print_result(f"ready; try it: {where}evalkit run")
    return 0
