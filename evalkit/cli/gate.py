"""`evalkit gate`: the verdict on a stored run, on two of them, or on two result files."""

from enum import StrEnum
from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_result
from evalkit.errors import UsageError

EXAMPLE = "Example: evalkit gate latest; evalkit gate main.csv branch.csv --max-drop-pp 2"
_FILES = "For result files"


class RuleName(StrEnum):
    """The rules of the gate."""

    statistical = "statistical"
    strict = "strict"
    simple = "simple"


def gate(
    base: Annotated[
        str,
        typer.Argument(
            metavar="BASE|RUN",
            help="The baseline: a file with results, or a run. Alone, the run to decide on.",
        ),
    ],
    cand: Annotated[
        str | None,
        typer.Argument(
            metavar="CAND", help="The candidate: a file with results, or a run.", show_default=False
        ),
    ] = None,
    max_drop_pp: Annotated[
        float | None,
        typer.Option(
            help=f"{_FILES}, the margin: how many percentage points it may drop. Default 3.",
            show_default=False,
        ),
    ] = None,
    rule: Annotated[
        RuleName | None,
        typer.Option(help=f"{_FILES}: when a drop fails. Default statistical.", show_default=False),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="For inspect_ai logs with several scorers: the one that decides. NAME.KEY for one "
            "of its values.",
            show_default=False,
        ),
    ] = None,
    pass_at: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE",
            help="For inspect_ai logs with scores beside 0 and 1: the smallest that passes.",
            show_default=False,
        ),
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="For promptfoo results with several columns: prompt=…, provider=… or promptIdx=…; "
            "base.prompt=… for one side. Repeatable.",
            show_default=False,
        ),
    ] = None,
    accept_gate_change: Annotated[
        bool,
        typer.Option(
            "--accept-gate-change",
            help=f"{_FILES}: let tests decide that are not the same on both sides.",
        ),
    ] = False,
    json_: options.Json = False,
) -> int:
    """Decide again, without a model call: a stored run by its own gate, or results against others.

    Result files: CSV or JSON Lines with case and passed (optional: trial, group, tags, cost_usd,
    tokens, latency_s), JUnit XML, JSON of promptfoo, logs of inspect_ai.
    """
    from evalkit.report.verdict import verdict_json, verdict_text
    from evalkit.workflows.compare import decide_stored
    from evalkit.workflows.project import find_runs_root
    from evalkit.workflows.result_files import FileChoices, compare_files, is_result_file

    files = is_result_file(base), cand is not None and is_result_file(cand)
    if cand is not None and all(files):
        verdict = compare_files(
            base,
            cand,
            max_drop_pp=3 if max_drop_pp is None else max_drop_pp,
            rule=rule or "statistical",
            choices=FileChoices(scorer=scorer, pass_at=pass_at, select=tuple(select or ())),
            accept_changed=accept_gate_change,
        )
    elif any(files):
        raise UsageError("a result file is gated against another: evalkit gate BASE.csv CAND.csv")
    elif accept_gate_change or any(
        each is not None for each in (max_drop_pp, rule, scorer, pass_at, select)
    ):
        raise UsageError("a stored run has its own gate: these options are for result files")
    else:
        verdict = decide_stored(find_runs_root(base, cand), base, cand)
    print_result(verdict_json(verdict) if json_ else verdict_text(verdict))
    return verdict.exit_code
