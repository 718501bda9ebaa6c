"""The judges of a suite at the start of a run: opened, and held against their calibration."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from evalkit.config.model import Config
from evalkit.ports import FileTree
from evalkit.records.asset import Rubric
from evalkit.records.calibration import Calibration, JudgeStanding, Standing
from evalkit.records.judgment import RecordedVerdict
from evalkit.records.label import LabelledItem
from evalkit.records.run import JudgeSetting
from evalkit.sources.calibrations import read_calibration
from evalkit.sources.labels import read_labels
from evalkit.sources.verdicts import read_recorded_verdicts
from evalkit.workflows.judges.opening import OpenedJudge, configured_digest, is_scripted
from evalkit.workflows.setup.content import arm_contents
from evalkit.workflows.setup.variants import SuiteSetup

# a judge, given its rubric and the threshold of its calibration
Opener = Callable[[Rubric, float | None], OpenedJudge]


class SuiteJudgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The judges of a suite, by scorer, and how the suite uses each."""

    opened: Mapping[str, OpenedJudge]
    settings: tuple[JudgeSetting, ...]


def set_up_judges(setup: SuiteSetup, tree: FileTree, open_one: Opener) -> SuiteJudgeSettings:
    """Open every judge of a suite. Raises ConfigError for a calibration or labels that are none."""
    suite = setup.assets.suite
    opened: dict[str, OpenedJudge] = {}
    settings = []
    for entry in suite.scorers:
        if entry.judge is None:
            continue
        rubric = setup.assets.rubrics[entry.label]
        calibration = read_calibration(tree, rubric)
        threshold = None if calibration is None else calibration.measured.threshold
        judge = opened[entry.label] = open_one(rubric, threshold)
        margin = entry.judge.max_drop_pp
        settings.append(
            JudgeSetting(
                scorer=entry.label,
                rubric=rubric,
                judge=judge.digest,
                asked=judge.asked,
                standing=_told(
                    _standing(rubric, calibration, judge.digest, tree), scripted=judge.scripted
                ),
                gate=entry.gate,
                margin_pp=suite.gate.max_drop_pp if margin is None else margin,
                floor=entry.judge.min_pass_rate,
                assume_equal_errors=suite.assume_equal_errors,
                same_arms=_same_arms(setup),
                spot_checks=entry.judge.spot_checks,
                # its verdicts are not read again, and a bundle need not hold thousands of them
                calibration=None
                if calibration is None
                else msgspec.structs.replace(calibration, verdicts={}),
            )
        )
    return SuiteJudgeSettings(opened=opened, settings=tuple(settings))


def read_standing(
    rubric: Rubric, config: Config, tree: FileTree, labels: Sequence[LabelledItem]
) -> JudgeStanding:
    """The standing of a rubric's judge as the configuration names it; nobody is opened.

    Raises ConfigError for a calibration or recorded verdicts that are none, and for unknown routes.
    """
    from evalkit.workflows.judges.standing import standing_of

    digest = configured_digest(rubric, config)
    calibration = read_calibration(tree, rubric)
    recorded = _recorded(rubric, calibration, tree)
    standing = standing_of(rubric, calibration, labels, judge_digest=digest, recorded=recorded)
    return _told(standing, scripted=is_scripted(rubric, config))


def _told(standing: JudgeStanding, *, scripted: bool) -> JudgeStanding:
    """The standing of a judge; one with a script says the same of whatever a case comes to."""
    if not scripted:
        return standing
    why = "Its replies are scripted: found by their case, they are the same for any output."
    found: Standing = "unfit" if standing.fit else standing.standing
    return msgspec.structs.replace(standing, standing=found, why=(why, *standing.why))


def _standing(
    rubric: Rubric, calibration: Calibration | None, digest: str, tree: FileTree
) -> JudgeStanding:
    from evalkit.workflows.judges.standing import standing_of  # few suites have a judge

    labels = read_labels(tree, rubric) if calibration is not None else ()
    recorded = _recorded(rubric, calibration, tree)
    return standing_of(rubric, calibration, labels, judge_digest=digest, recorded=recorded)


def _recorded(
    rubric: Rubric, calibration: Calibration | None, tree: FileTree
) -> Mapping[str, RecordedVerdict] | None:
    """What the judge said elsewhere, where it is not asked and there is a measurement to refute."""
    if rubric.recorded is None or calibration is None:
        return None
    return read_recorded_verdicts(tree, rubric)


def _same_arms(setup: SuiteSetup) -> bool:
    """Whether baseline and candidate are the same content, so that no judge can favour one."""
    contents = arm_contents(setup)
    return contents.get("baseline") == contents.get("candidate")
