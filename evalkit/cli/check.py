"""`evalkit check`: is everything in order, offline."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_problem, print_result

EXAMPLE = "Example: evalkit check --strict"


def check(
    strict: Annotated[
        bool, typer.Option("--strict", help="Warnings count as errors (exit 2).")
    ] = False,
    json_: options.Json = False,
) -> int:
    """Load the whole project and report every problem at once. Nothing is called.

    Exit 0 when there is no error, 2 otherwise.
    """
    from evalkit.workflows.checking import check_json, check_project
    from evalkit.workflows.project import find_root

    found = check_project(find_root())
    errors = [problem for problem in found.problems if problem.severity == "error"]
    if json_:
        print_result(check_json(found))
    else:
        for problem in found.problems:
            print_problem(problem)
        print_result(found.summary)
    return 2 if errors or (strict and found.problems) else 0
