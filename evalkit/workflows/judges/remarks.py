"""What has to be said beside a judge's figures, and why some of them are not stored."""

from evalkit.records.asset import Rubric
from evalkit.records.calibration import Calibration
from evalkit.workflows.judges.hearing import Heard


def against_storing(
    rubric: Rubric, heard: Heard, *, configured: str, elsewhere: bool, own_labels: bool
) -> tuple[str, ...]:
    """Why what was measured is not the rubric's own judge on its own labels; empty if it is.

    `configured` is the digest of the judge that the project names, `elsewhere` tells that the
    verdicts came from a file on the command line, `own_labels` that the labels are the rubric's.
    """
    why = []
    if elsewhere and rubric.recorded is None:
        why.append(
            "The verdicts come from a file, and the rubric's judge is a model that was not asked: "
            "this is a measurement of another judge, so it is printed and not stored."
        )
    elif heard.judge != configured:
        why.append(
            "A stand-in answered in place of the configured judge, whose key is not set here: what "
            "was measured is the stand-in, so it is not stored."
        )
    if not own_labels:
        why.append(
            "The labels are not those beside the rubric, to which a stored calibration is bound, "
            f"so it is not stored. `evalkit judge label {rubric.ref} --import FILE` takes labels "
            "over."
        )
    errors = sum(each.state == "error" for each in heard.verdicts.values())
    if errors > rubric.floor.max_abstained * len(heard.verdicts):
        why.append(
            f"{errors} of {len(heard.verdicts)} outputs met an error or have no recorded verdict, "
            "which tells nothing about the judge, so it is not stored."
        )
    return tuple(why)


def notes_on(heard: Heard, before: Calibration | None) -> tuple[str, ...]:
    """How the verdicts came about, as far as it bears on what they tell."""
    notes = []
    missing = [each for each in heard.verdicts.values() if each.state != "judged"]
    if missing:
        first = next((f" (such as: {each.error})" for each in missing if each.error), "")
        notes.append(
            f"{len(missing)} of {len(heard.verdicts)} labelled outputs got no verdict{first}."
        )
    if heard.scripted:
        notes.append("Its replies are scripted: written by hand, they measure no model.")
    if heard.cached:
        again = before is not None and before.judge == heard.judge
        more = "; --no-cache asks again, which is what shows drift." if again else "."
        notes.append(f"{heard.cached} replies come from the cache{more}")
    return tuple(notes)
