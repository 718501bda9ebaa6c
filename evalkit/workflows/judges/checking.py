"""What `evalkit check` says about judges: a calibration that no longer holds is an error."""

from collections.abc import Iterator, Mapping, Sequence

from evalkit.config.model import Config
from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.records.asset import Rubric
from evalkit.records.label import LabelledItem
from evalkit.sources.assets import SuiteAssets
from evalkit.sources.calibrations import calibration_path
from evalkit.sources.labels import read_labels
from evalkit.sources.rubrics import all_rubrics


def judge_problems(
    tree: FileTree, config: Config, suites: Mapping[str, SuiteAssets]
) -> tuple[Problem, ...]:
    """A stale calibration is an error; a gating judge that may not gate is a warning.

    Label sets are read whole, so a broken line is found here, too.
    """
    problems: list[Problem] = []
    gating = {
        rubric.ref: name
        for name, suite in suites.items()
        for label, rubric in suite.rubrics.items()
        if any(entry.label == label and entry.gate for entry in suite.suite.scorers)
    }
    for rubric in all_rubrics(tree):
        try:
            labels = read_labels(tree, rubric)
            problems += _standing_problems(tree, config, rubric, labels, gating.get(rubric.ref))
        except ConfigError as error:
            problems += error.problems
    return tuple(problems)


def _standing_problems(
    tree: FileTree,
    config: Config,
    rubric: Rubric,
    labels: Sequence[LabelledItem],
    suite: str | None,
) -> Iterator[Problem]:
    calibrated = tree.exists(calibration_path(rubric))
    if not calibrated and suite is None:
        return  # a rubric that nothing uses yet
    # opening judges takes what a run takes to call a model, and few projects have one
    from evalkit.workflows.judges.settings import read_standing

    standing = read_standing(rubric, config, tree, labels)
    if standing.fit:
        return
    again = f"evalkit judge calibrate {rubric.ref}"
    if standing.standing == "stale":
        yield Problem(
            file=calibration_path(rubric),
            message=f"the calibration is stale. {' '.join(standing.why)}",
            expected="the calibration of the judge and the labels as they are",
            suggestion=again,
        )
    elif suite is not None:
        yield Problem(
            file=calibration_path(rubric) if calibrated else rubric.path,
            message=f"the judge of suite {suite} cannot gate. {' '.join(standing.why)}",
            suggestion=f"{again}, or `gate: false` beside the judge",
            severity="warning",
        )
