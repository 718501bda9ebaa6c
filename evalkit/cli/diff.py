"""`evalkit diff [A] [B]`: what changed, case by case."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_result
from evalkit.errors import UsageError

EXAMPLE = "Example: evalkit diff latest --all; evalkit diff RUN_A RUN_B --md"


def diff(
    a: Annotated[str, typer.Argument(help="A run: id, unique prefix, path, or latest.")] = "latest",
    b: Annotated[
        str | None,
        typer.Argument(
            help="A second run; its candidate is compared with A's. Without it: A's own two arms.",
            show_default=False,
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every changed case, not the first.")] = False,
    md: Annotated[bool, typer.Option("--md", help="As Markdown.")] = False,
    json_: options.Json = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with the verdict's code instead of 0.")
    ] = False,
) -> int:
    """Show regressions first, then fixes and flips, and what changed per slice, scorer and cost."""
    from evalkit.report.diff import diff_json, diff_markdown, diff_text
    from evalkit.workflows.project import find_runs_root
    from evalkit.workflows.reading import compare_arms, compare_stored, load_run

    if md and json_:
        raise UsageError("--md and --json are two forms of the same result; give one")
    root = find_runs_root(a, b)
    run = load_run(root, a)
    comparison = compare_arms(run) if b is None else compare_stored(run, load_run(root, b))
    if json_:
        print_result(diff_json(comparison))
    elif md:
        print_result(diff_markdown(comparison, all_cases=all_))
    else:
        print_result(diff_text(comparison, all_cases=all_))
    return comparison.exit_code if exit_code else 0
