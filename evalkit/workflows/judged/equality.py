"""Labels given to a run's own outputs: what they tell of the judge's errors on each arm.

The correction of a drop assumes that the judge errs alike on baseline and candidate. Labels of
both arms can show that it does, or correct the drop case by case without that assumption.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from evalkit.gate.cases import CaseResult, TrialResult
from evalkit.gate.samples import Bound
from evalkit.judge.differential import EqualErrors, equal_errors
from evalkit.judge.drift import spot_drift
from evalkit.judge.items import JudgedItem
from evalkit.judge.paired import PairedCase, paired_drop
from evalkit.judge.rates import post_stratified
from evalkit.records.calibration import Drift, Share
from evalkit.records.judgment import Judgment
from evalkit.records.label import LabelledItem, LabellerKind, labelled_by, wholly_human
from evalkit.records.run import JudgeSetting
from evalkit.records.verdict import Estimate, JudgedArm
from evalkit.workflows.judged.tallying import is_known_fail

Found = Literal["same", "assumed", "verified", "paired", "unverified", "differ"]
# below this many labels of an arm its corrected rate is the calibration's business
_ENOUGH_LABELS = 30


class LabelledPair(msgspec.Struct, frozen=True, kw_only=True):
    """A case with labels on both outputs. `labelled` is baseline minus candidate, -1..1."""

    labelled: float
    weight: float


class RunLabels(msgspec.Struct, frozen=True, kw_only=True):
    """The labels of a run that a judge's verdicts can be held against, by arm and case.

    `drift` compares the judge's errors on them with those of its calibration; None without labels.
    `labelled_by` tells who made them.
    """

    by_arm: Mapping[str, tuple[JudgedItem, ...]]
    pairs: Mapping[str, LabelledPair]
    equal_errors: Found
    told: str = ""
    drift: Drift | None = None
    labelled_by: frozenset[LabellerKind] = frozenset()

    @property
    def count(self) -> int:
        """How many labelled outputs there are."""
        return sum(len(items) for items in self.by_arm.values())

    def paired_drop(
        self, cases: Sequence[CaseResult], alpha: float, bound: Bound
    ) -> Estimate | None:
        """The drop corrected by labels on both outputs of a case; None with too few of them.

        Labels speak for the cases that were judged whole. The others count for or against the
        candidate, by `bound`, but for attempts without an answer, which are known to fail.
        """
        if self.equal_errors != "paired":
            return None
        paired: list[PairedCase] = []
        others: list[float] = []
        for case in cases:
            if not case.baseline or not case.candidate:
                continue
            judged = _difference(case)
            if judged is None:
                others.append(_bounded(case, bound))
                continue
            pair = self.pairs.get(case.case)
            paired.append(
                PairedCase(
                    judged=judged,
                    labelled=None if pair is None else pair.labelled,
                    weight=1.0 if pair is None else pair.weight,
                    group=case.group or case.case,
                )
            )
        found = paired_drop(paired, alpha=alpha)
        if found is None or not others:
            return found
        total = len(paired) + len(others)
        share, rest = len(paired) / total, sum(others) / total
        return Estimate(
            drop=share * found.drop + rest,
            lower=share * found.lower + rest,
            upper=share * found.upper + rest,
        )

    def post_stratified(self, arm: str, counts: JudgedArm) -> Share | None:
        """The arm's pass rate by its own labels; None with fewer than thirty."""
        items = self.by_arm.get(arm, ())
        if len(items) < _ENOUGH_LABELS or counts.known_fails:
            return None
        return post_stratified(counts.passed, counts.judged - counts.passed, items)


def read_run_labels(
    judge: JudgeSetting,
    judgments: Iterable[Judgment],
    labels: Iterable[LabelledItem],
    cases: Sequence[CaseResult],
) -> RunLabels:
    """The labels on what this judge judged in the run, and whether it errs alike on both arms."""
    people = judge.rubric.floor.labelled_by == "people"
    items = {
        item.id: item
        for item in labels
        if item.truth is not None and (wholly_human([item]) or not people)
    }
    by_arm: defaultdict[str, dict[str, JudgedItem]] = defaultdict(dict)
    cells: defaultdict[str, defaultdict[str, dict[str, JudgedItem]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for judgment in judgments if items else ():
        item = items.get(judgment.subject)
        if item is None or item.truth is None or judgment.opinion.state != "judged":
            continue
        judged = JudgedItem(
            truth=item.truth,
            verdict=judgment.opinion.passed,
            score=judgment.opinion.score,
            weight=item.weight,
            arm=judgment.variant,
        )
        by_arm[judgment.variant][judgment.subject] = judged
        cells[judgment.case][judgment.variant][judgment.subject] = judged
    arms = {name: tuple(found.values()) for name, found in by_arm.items()}
    pairs = {
        case: _pair(cell["baseline"], cell["candidate"])
        for case, cell in cells.items()
        if cell["baseline"] and cell["candidate"]
    }
    labelled = RunLabels(
        by_arm=arms,
        pairs=pairs,
        equal_errors="paired",
        drift=_drift(judge, by_arm.values()),
        labelled_by=labelled_by(items[name] for found in by_arm.values() for name in found),
    )
    if judge.same_arms or judge.rubric.compare == "pair":
        # a pair is judged in both orders and under no name: neither arm can be favoured
        return msgspec.structs.replace(labelled, equal_errors="same")
    if labelled.paired_drop(cases, 0.05, Bound.WORST) is not None:
        return labelled
    found, told = _found(judge, arms)
    return msgspec.structs.replace(labelled, equal_errors=found, told=told)


def _drift(judge: JudgeSetting, arms: Iterable[Mapping[str, JudgedItem]]) -> Drift | None:
    """Whether the judge errs on this run as it did on the labels that it was calibrated with."""
    if judge.calibration is None or not judge.standing.fit:
        return None
    counts = judge.calibration.measured.confusion
    cells = (
        (True, True, counts.true_pass),
        (True, False, counts.false_fail),
        (False, True, counts.false_pass),
        (False, False, counts.true_fail),
    )
    calibrated = [
        JudgedItem(truth=truth, verdict=verdict)
        for truth, verdict, number in cells
        for _ in range(round(number))
    ]
    spot = {name: item for arm in arms for name, item in arm.items()}
    return spot_drift(calibrated, spot.values(), judge.calibration.made_at)


def _pair(baseline: Mapping[str, JudgedItem], candidate: Mapping[str, JudgedItem]) -> LabelledPair:
    """Labels of a case in both arms, which are drawn together: its weight is that of its items."""
    weight = max(item.weight for item in (*baseline.values(), *candidate.values()))
    return LabelledPair(labelled=_share(baseline) - _share(candidate), weight=weight)


def _share(items: Mapping[str, JudgedItem]) -> float:
    return sum(item.truth for item in items.values()) / len(items)


def _found(judge: JudgeSetting, arms: Mapping[str, Sequence[JudgedItem]]) -> tuple[Found, str]:
    checked = equal_errors(arms.get("baseline", ()), arms.get("candidate", ()))
    told = _told(checked)
    if checked.verified is False:
        return "differ", told
    if judge.assume_equal_errors:
        return "assumed", told
    return ("verified" if checked.verified else "unverified"), told


def _told(checked: EqualErrors) -> str:
    counts = [arm.passes + arm.fails for arm in (checked.baseline, checked.candidate)]
    if not any(counts):
        return ""
    words = f"{counts[0]} labels on the baseline's outputs, {counts[1]} on the candidate's"
    return f"{words}, p = {min(checked.tpr_p, checked.tnr_p):.2g}"


def _difference(case: CaseResult) -> float | None:
    """Baseline minus candidate as the judge sees it; None unless it judged every trial of both."""
    before, after = _mean(case.baseline), _mean(case.candidate)
    return None if before is None or after is None else before - after


def _mean(trials: Sequence[TrialResult]) -> float | None:
    known = [trial.passed for trial in trials if trial.passed is not None]
    if len(known) < len(trials) or any(is_known_fail(trial) for trial in trials):
        return None
    return sum(known) / len(known)


def _bounded(case: CaseResult, bound: Bound) -> float:
    """The drop of a case at its end: all that is not known to fail for one arm only."""
    arm, sign = (case.baseline, 1) if bound is Bound.WORST else (case.candidate, -1)
    return sign * sum(not is_known_fail(trial) for trial in arm) / len(arm)
