"""Judgments of a suite to the parts of its verdict: counted, corrected, held against the margin.

As everything that decides, this reads a bundle and asks nobody.
"""

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction

import msgspec

from evalkit.gate.intervals import DropInterval, drop_interval
from evalkit.gate.judged import (
    CorrectedDrop,
    JudgeQuestion,
    decide_judged_drop,
    decide_judged_floor,
)
from evalkit.gate.samples import Bound, tally_pairs
from evalkit.gate.settings import GateSettings, floor_of, margin_of
from evalkit.judge.drops import corrected_drop, p_value
from evalkit.judge.items import ErrorRates
from evalkit.judge.rates import corrected_arm
from evalkit.records.attempt import Place
from evalkit.records.calibration import JudgeStanding, Method, Share
from evalkit.records.judgment import Judgment
from evalkit.records.label import LabelledItem, LabellerKind
from evalkit.records.lookup import FindsScores
from evalkit.records.run import JudgeSetting, SuiteSnapshot
from evalkit.records.verdict import Estimate, Judged, JudgedArm, PartVerdict
from evalkit.workflows.judged.blocking import reasons_against
from evalkit.workflows.judged.equality import RunLabels, read_run_labels
from evalkit.workflows.judged.tallying import ArmOf, JudgeTally, tally_judge

_MAKERS: tuple[LabellerKind, ...] = ("person", "model", "rule")
_NOTHING_ASKED = (
    "There is no baseline to hold the candidate against, and no pass rate that it has to reach."
)


class SuiteJudges:
    """The judge parts of one suite, look by look."""

    def __init__(
        self,
        snapshot: SuiteSnapshot,
        *,
        arm_of: ArmOf,
        scores: FindsScores,
        judgments: Iterable[Judgment],
        labels: Iterable[LabelledItem],
    ) -> None:
        """`arm_of(variant, case)` are attempts by trial, `labels` those given to this run."""
        self.snapshot = snapshot
        self._arm_of = arm_of
        self._scores = scores
        self._judgments: defaultdict[str, dict[Place, Judgment]] = defaultdict(dict)
        for each in judgments:
            if each.suite == snapshot.suite:
                self._judgments[each.scorer][each.place] = each
        self._labels = tuple(labels)

    def parts(self, trials: int, settings: GateSettings) -> list[PartVerdict]:
        """A part for each judge's drop and floor after `trials` trials, at the settings' alpha."""
        out = {each.case for each in settings.quarantined}
        cases = [case for case in self.snapshot.cases if case.id not in out]
        found: list[PartVerdict] = []
        for judge in self.snapshot.judges:
            judgments = self._judgments[judge.scorer]
            tally = tally_judge(
                judge,
                self.snapshot,
                cases,
                trials,
                arm_of=self._arm_of,
                scores=self._scores,
                judgments=judgments,
            )
            labels = read_run_labels(judge, judgments.values(), self._labels, tally.cases)
            found += _Parts(judge, tally, labels, settings, self.snapshot.has_baseline).decide()
        return found


class _Parts:
    """The parts of one judge at one look."""

    def __init__(
        self,
        judge: JudgeSetting,
        tally: JudgeTally,
        labels: RunLabels,
        settings: GateSettings,
        has_baseline: bool,
    ) -> None:
        self.judge = judge
        self.tally = tally
        self.labels = labels
        self.settings = settings
        self.has_baseline = has_baseline
        self.rates = _error_rates(judge)
        self.pairs = tally_pairs(tally.cases) if has_baseline else None

    def decide(self) -> list[PartVerdict]:
        judged = self._judged()
        parts = []
        if self.has_baseline:
            question = self._question("drop")
            drops = {} if question.blocked else self._drops()
            parts.append(
                decide_judged_drop(
                    question,
                    margin_of(self.judge.margin_pp),
                    judged,
                    best=drops.get(Bound.BEST),
                    worst=drops.get(Bound.WORST),
                )
            )
        floor = floor_of(self.judge.floor)
        if floor is not None:
            parts.append(self._floor(floor, judged))
        if not parts:
            # without a baseline a margin asks for nothing, and nothing must not look like a pass
            question = self._question("drop")
            question = msgspec.structs.replace(
                question, blocked=(*question.blocked, _NOTHING_ASKED)
            )
            margin = margin_of(self.judge.margin_pp)
            parts.append(decide_judged_drop(question, margin, judged, best=None, worst=None))
        return parts

    def _question(self, what: str) -> JudgeQuestion:
        against = reasons_against(
            self.judge, self.tally, self.labels, drop=what == "drop", rates=self.rates
        )
        name = f"judge {self.judge.scorer}"
        return JudgeQuestion(
            name=name if what == "drop" else f"{name} floor",
            alpha=self.settings.alpha,
            rule=self.settings.rule,
            required=self.judge.gate,
            owner=self.judge.rubric.owner or self.settings.owner,
            blocked=against.why,
            what_would_settle=against.settle,
        )

    def _judged(self) -> Judged:
        raw = self._raw(Bound.WORST)
        return Judged(
            rubric=self.judge.rubric.ref,
            asked=self.judge.asked,
            standing=self._standing(),
            baseline=self._corrected_arm("baseline", self.tally.baseline),
            candidate=self._corrected_arm("candidate", self.tally.candidate)
            or self.tally.candidate,
            equal_errors=self.labels.equal_errors,
            raw=None if raw is None else Estimate(drop=raw.drop, lower=raw.lower, upper=raw.upper),
            labels=self.labels.count,
            shared=self.tally.shared,
        )

    def _standing(self) -> JudgeStanding:
        """The judge's, with who made the labels of this run among those its figures rest on."""
        standing = self.judge.standing
        makers = {*standing.labelled_by, *self.labels.labelled_by}
        return msgspec.structs.replace(
            standing, labelled_by=tuple(each for each in _MAKERS if each in makers)
        )

    def _raw(self, bound: Bound) -> DropInterval | None:
        """The drop on the judge's own scale, as the gate measures any drop."""
        if self.pairs is None or not self.tally.cases:
            return None
        sample = self.pairs.sample(bound)
        return drop_interval(
            [difference / sample.scale for difference in sample.differences],
            sample.groups,
            self.settings.alpha,
            one_run=sample.one_run,
        )

    def _drops(self) -> dict[Bound, CorrectedDrop]:
        """The corrected drop at both bounds; empty where nothing was judged."""
        found = {}
        for bound in Bound:
            raw = self._raw(bound)
            if raw is None or self.rates is None:
                return {}
            paired = self.labels.paired_drop(self.tally.cases, self.settings.alpha, bound)
            if paired is not None:
                found[bound] = CorrectedDrop(
                    estimate=paired,
                    p_value=p_value(paired, alpha=self.settings.alpha),
                    groups=raw.groups,
                )
                continue
            estimate = corrected_drop(
                Estimate(drop=raw.drop, lower=raw.lower, upper=raw.upper),
                self.rates,
                alpha=self.settings.alpha,
                judged_excess=self.tally.judged_excess,
            )
            found[bound] = CorrectedDrop(
                estimate=estimate,
                p_value=p_value(estimate, alpha=self.settings.alpha),
                groups=raw.groups,
            )
        return found

    def _floor(self, floor: Fraction, judged: Judged) -> PartVerdict:
        question = self._question("floor")
        arm = self.tally.candidate
        shares: list[Share | None] = [None, None]
        if not question.blocked and self.rates is not None:
            lost = arm.without_verdict
            shares = [
                corrected_arm(
                    passed=arm.passed + gained,
                    judged=arm.judged + lost,
                    known_fails=arm.known_fails,
                    rates=self.rates,
                    alpha=self.settings.alpha,
                )
                for gained in (lost, 0)
            ]
        return decide_judged_floor(question, floor, judged, best=shares[0], worst=shares[1])

    def _corrected_arm(self, name: str, arm: JudgedArm | None) -> JudgedArm | None:
        """The arm with its corrected rate: by this run's labels where it has enough of them."""
        if arm is None or self.rates is None or self.judge.rubric.compare == "pair":
            return arm
        share = self.labels.post_stratified(name, arm)
        method: Method = "post_stratified"
        if share is None and arm.judged:
            method = "rogan_gladen"
            share = corrected_arm(
                passed=arm.passed,
                judged=arm.judged,
                known_fails=arm.known_fails,
                rates=self.rates,
                alpha=0.025,
            )
        return arm if share is None else arm.with_rate(share, method)


def _error_rates(judge: JudgeSetting) -> ErrorRates | None:
    standing = judge.standing
    if not standing.fit or standing.tpr is None or standing.tnr is None:
        return None
    if judge.rubric.compare == "pair":
        # asked in both orders a judge says of the turned pair the opposite, so it has one rate of
        # being right; which output the labels call `output` must not shift the correction
        n = standing.n_pass + standing.n_fail
        right = (standing.tpr * standing.n_pass + standing.tnr * standing.n_fail) / n
        # J = 2 r - 1 has 4 times the variance of r: that of two rates on half of the labels each
        return ErrorRates(tpr=right, fpr=1 - right, n_pass=n / 2, n_fail=n / 2)
    return ErrorRates(
        tpr=standing.tpr, fpr=1 - standing.tnr, n_pass=standing.n_pass, n_fail=standing.n_fail
    )
