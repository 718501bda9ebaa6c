"""`evalkit gate BASE CAND`: the verdict on two result files."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli.output import print_result

EXAMPLE = "Example: evalkit gate main.csv branch.csv --max-drop-pp 2"


class RuleName(StrEnum):
    """The rules of the gate."""

    statistical = "statistical"
    strict = "strict"
    simple = "simple"


def gate(
    base: Annotated[Path, typer.Argument(help="The baseline's results: .csv or .jsonl.")],
    cand: Annotated[Path, typer.Argument(help="The candidate's results: .csv or .jsonl.")],
    max_drop_pp: Annotated[
        float, typer.Option(help="The margin: how many percentage points it may drop.")
    ] = 3,
    rule: Annotated[RuleName, typer.Option(help="When a drop fails.")] = RuleName.statistical,
    json_: Annotated[bool, typer.Option("--json", help="The verdict as JSON.")] = False,
) -> int:
    """Gate results of another harness against a baseline's.

    A file has the columns (or keys) case and passed, and optionally trial, group, tags, cost_usd.
    """
    from evalkit.workflows.compare import compare_files

    verdict = compare_files(base, cand, max_drop_pp=max_drop_pp, rule=rule.value)
    from evalkit.report.verdict import verdict_json, verdict_text

    print_result(verdict_json(verdict) if json_ else verdict_text(verdict))
    return verdict.exit_code
