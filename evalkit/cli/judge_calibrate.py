"""`evalkit judge calibrate` and `evalkit judge freeze`."""

from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_note, print_result

EXAMPLE = "Example: evalkit judge calibrate reply_tone@v1"
FREEZE_EXAMPLE = "Example: evalkit judge freeze reply_tone@v1"

Reference = Annotated[
    str, typer.Argument(metavar="RUBRIC", help="NAME@vN, or NAME for its latest version.")
]


def calibrate(
    rubric: Reference,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Labels instead of those beside the rubric.", show_default=False
        ),
    ] = None,
    verdicts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Verdicts of any other judge (.jsonl or .csv: id, and verdict or score) instead "
            "of asking the rubric's.",
            show_default=False,
        ),
    ] = None,
    width: Annotated[
        float,
        typer.Option(
            min=0.1,
            max=100,
            metavar="PP",
            help="Say how many labels are missing for an interval this wide, in points.",
        ),
    ] = 10,
    json_: options.Json = False,
    no_store: Annotated[
        bool, typer.Option("--no-store", help="Print only; leave the stored calibration alone.")
    ] = False,
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache", help="Ask again, instead of reading replies from the cache; shows drift."
        ),
    ] = False,
) -> int:
    """Measure how often a judge is wrong, against labels, and store it beside the rubric.

    Exit codes: 0 measured, whether the judge is fit or not (an unfit one cannot gate, and the
    page says why), 2 bad input, 4 stopped before every output was judged.
    """
    from evalkit.report.calibration.document import calibration_json
    from evalkit.report.calibration.terminal import calibration_text
    from evalkit.workflows.judges.calibrating import CalibrationRequest, calibrate_judge
    from evalkit.workflows.project import find_root
    from evalkit.workflows.wiring import Wiring

    def tell(done: int, of: int) -> None:
        if done == of or done % 50 == 0:
            print_note(f"judged {done} of {of}")

    found = calibrate_judge(
        CalibrationRequest(
            rubric=rubric,
            labels=labels,
            verdicts=verdicts,
            width_pp=width,
            use_cache=not no_cache,
            store=not no_store,
        ),
        wiring=Wiring(find_root()),
        on_answer=tell,
    )
    if json_:
        print_result(calibration_json(found.calibration))
        for note in found.notes:
            print_note(note)
        return 0
    print_result(
        calibration_text(
            found.calibration,
            rubric=found.rubric,
            stored=found.stored,
            notes=found.notes,
            billed_usd=found.billed_usd,
        )
    )
    return 0


def freeze(rubric: Reference) -> int:
    """Write the rubric's digest into its file; a later change of it needs a new version."""
    from evalkit.workflows.judges.freezing import freeze_rubric
    from evalkit.workflows.project import find_root

    frozen = freeze_rubric(find_root(), rubric)
    print_result(f"{frozen.ref} is frozen at {frozen.digest}")
    return 0
