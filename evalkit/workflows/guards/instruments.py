"""What judges are measured with, against what it was: rubrics, floors, labels, calibrations.

Pure comparisons in sentences, like `yardstick`: whoever may edit what vouches for a judge can make
any judge fit.
"""

from collections.abc import Iterable

from evalkit.ports import FileTree
from evalkit.records.asset import CalibrationFloor, Rubric
from evalkit.sources.assets import SuiteAssets
from evalkit.sources.calibrations import calibration_path
from evalkit.sources.labels import labels_path

_LOWER_IS_WEAKER = ("min_passes", "min_fails", "min_tpr", "min_tnr", "min_j")


def changed_judges(
    old: SuiteAssets, new: SuiteAssets, before: FileTree, now: FileTree
) -> Iterable[str]:
    """What changed about the gating judges that a suite had and has, a sentence each."""
    for entry in old.suite.scorers:
        if entry.judge is None or not entry.gate:
            continue
        was, became = old.rubrics.get(entry.label), new.rubrics.get(entry.label)
        if was is None or became is None:
            continue  # a judge that is gone is told as any scorer is
        yield from _weaker_floor(was.floor, became)
        if was.ref != became.ref:
            # also where the suite asks for the latest one, and so says what it said
            yield f"the gating judge {entry.label} went from {was.ref} to {became.ref}"
            continue
        if was.digest != became.digest:
            yield (
                f"rubric {was.ref}, by which the gating judge {entry.label} decides, was changed; "
                "a changed rubric needs a new version"
            )
        yield from _changed_files(was, before, now)


def _weaker_floor(old: CalibrationFloor, rubric: Rubric) -> Iterable[str]:
    new = rubric.floor
    for name in _LOWER_IS_WEAKER:
        was, became = getattr(old, name), getattr(new, name)
        if became < was:
            yield f"calibration.{name} of {rubric.ref} went from {was:g} to {became:g}"
    if new.max_abstained > old.max_abstained:
        yield (
            f"calibration.max_abstained of {rubric.ref} went from {old.max_abstained:g} to "
            f"{new.max_abstained:g}"
        )
    if old.labelled_by == "people" and new.labelled_by == "anyone":
        yield f"labels that no person made count for {rubric.ref} now"


def _changed_files(rubric: Rubric, before: FileTree, now: FileTree) -> Iterable[str]:
    """What vouched for the judge and is another thing now; what is new vouches for it first."""
    paths = [labels_path(rubric), calibration_path(rubric)]
    paths += [] if rubric.recorded is None else [rubric.recorded]
    changed = [
        path
        for path in paths
        if before.exists(path) and (not now.exists(path) or before.read(path) != now.read(path))
    ]
    if changed:
        yield f"{', '.join(changed)}, which vouch for the judge of {rubric.ref}, changed"
