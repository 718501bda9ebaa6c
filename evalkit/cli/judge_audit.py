"""`evalkit judge audit RUBRIC`: what moves a judge's verdicts that should not."""

from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_note, print_result

EXAMPLE = "Example: evalkit judge audit reply_tone@v1 --count 60"


def audit(
    rubric: Annotated[
        str, typer.Argument(metavar="RUBRIC", help="NAME@vN, or NAME for its latest version.")
    ],
    count: Annotated[
        int, typer.Option(min=1, max=100_000, metavar="N", help="Labelled outputs to try it on.")
    ] = 40,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Labels instead of those beside the rubric.", show_default=False
        ),
    ] = None,
    repeats: Annotated[
        int, typer.Option(min=1, max=20, metavar="N", help="Times to ask again, unchanged.")
    ] = 2,
    seed: Annotated[int, typer.Option(metavar="N", help="Draws the outputs.")] = 0,
    live: options.Live = False,
    no_cache: options.NoCache = False,
    json_: options.Json = False,
) -> int:
    """See what moves a judge's verdicts that should not: asking again, order, length, injections.

    Exit codes: 0 measured, whatever was found, 2 bad input, 4 stopped before everything was asked.
    """
    from evalkit.report.audit import audit_json, audit_text
    from evalkit.workflows.judges.audit_asking import AuditRequest
    from evalkit.workflows.judges.auditing import audit_judge
    from evalkit.workflows.project import find_root
    from evalkit.workflows.wiring import Wiring

    def tell_plan(calls: int) -> None:
        print_note(f"asking the judge up to {calls:,} times; the cache answers what it has")

    def tell(done: int, of: int) -> None:
        if done * 10 // of > (done - 1) * 10 // of:
            print_note(f"asked {done:,} of {of:,}")

    found = audit_judge(
        AuditRequest(
            rubric=rubric,
            labels=labels,
            count=count,
            repeats=repeats,
            seed=seed,
            use_cache=not no_cache,
        ),
        wiring=Wiring(find_root(), live=live),
        on_plan=tell_plan,
        on_answer=tell,
    )
    if found.stale:
        print_note(f"warning: the judge drifted, so the calibration of {rubric} is marked stale")
    print_result(audit_json(found.audit) if json_ else audit_text(found.audit, stored=found.stored))
    return 0
