"""`evalkit gate`: the verdict on a stored run, on two of them, or on two result files."""

from enum import StrEnum
from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_result
from evalkit.errors import UsageError

EXAMPLE = "Example: evalkit gate latest; evalkit gate main.csv branch.csv --max-drop-pp 2"


class RuleName(StrEnum):
    """The rules of the gate."""

    statistical = "statistical"
    strict = "strict"
    simple = "simple"


def gate(
    base: Annotated[
        str,
        typer.Argument(
            metavar="BASE|RUN", help="The baseline's results (.csv, .jsonl or a run), or one run."
        ),
    ],
    cand: Annotated[
        str | None,
        typer.Argument(
            metavar="CAND",
            help="The candidate's results: .csv, .jsonl or a run.",
            show_default=False,
        ),
    ] = None,
    max_drop_pp: Annotated[
        float | None,
        typer.Option(
            help="For result files, the margin: how many percentage points it may drop. Default 3.",
            show_default=False,
        ),
    ] = None,
    rule: Annotated[
        RuleName | None,
        typer.Option(
            help="For result files: when a drop fails. Default statistical.", show_default=False
        ),
    ] = None,
    json_: options.Json = False,
) -> int:
    """Decide again, without a model call: a stored run by its own gate, or results against others.

    A result file has the columns (or keys) case and passed, and optionally trial, group, tags,
    cost_usd.
    """
    from evalkit.report.verdict import verdict_json, verdict_text
    from evalkit.workflows.compare import compare_files, decide_stored, is_result_file
    from evalkit.workflows.project import find_runs_root

    if cand is not None and is_result_file(base) and is_result_file(cand):
        verdict = compare_files(
            base,
            cand,
            max_drop_pp=3 if max_drop_pp is None else max_drop_pp,
            rule=rule or "statistical",
        )
    elif max_drop_pp is not None or rule is not None:
        raise UsageError("a stored run has its own gate: --max-drop-pp and --rule are for files")
    elif is_result_file(base) or (cand is not None and is_result_file(cand)):
        raise UsageError("a result file is gated against another: evalkit gate BASE.csv CAND.csv")
    else:
        verdict = decide_stored(find_runs_root(base, cand), base, cand)
    print_result(verdict_json(verdict) if json_ else verdict_text(verdict))
    return verdict.exit_code
