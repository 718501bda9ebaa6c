"""What judging a run may take: how many questions at most, and what they may cost."""

import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from evalkit.records.asset import Rubric
from evalkit.records.call import Message
from evalkit.records.case import Case
from evalkit.records.plan import PlannedJudging, PlannedSuite, RunPlan
from evalkit.records.run import JudgeSetting, StoredRun, SuiteSnapshot
from evalkit.records.subject import subject_id
from evalkit.score.judge import needs_judgment, reference_of, subject_of
from evalkit.score.judging.asking import Judge
from evalkit.workflows.judges.opening import OpenedJudge

Opened = Mapping[tuple[str, str], OpenedJudge]


def with_judging(
    plan: RunPlan,
    snapshots: Sequence[SuiteSnapshot],
    opened: Opened,
    stored: Mapping[str, StoredRun] = MappingProxyType({}),
) -> RunPlan:
    """The plan with what the judges of each suite may take beside the attempts. `stored` are the
    runs that stand for the baseline of suites: what no judge has seen of them is asked about."""
    by_name = {snapshot.suite: snapshot for snapshot in snapshots}
    suites = tuple(
        _with_judging(suite, plan, by_name[suite.suite], opened, stored.get(suite.suite))
        for suite in plan.suites
    )
    return RunPlan(attempts=plan.attempts, suites=suites)


def _with_judging(
    suite: PlannedSuite,
    plan: RunPlan,
    snapshot: SuiteSnapshot,
    opened: Opened,
    stored: StoredRun | None,
) -> PlannedSuite:
    if not snapshot.judges:
        return suite
    calls, usd = 0, 0.0
    unpriced: set[str] = set()
    for setting in snapshot.judges:
        judge = opened[snapshot.suite, setting.scorer]
        if not isinstance(judge.judge, Judge):
            continue
        unpriced |= set(judge.unpriced)
        bound = (
            None if judge.unpriced else _Bound.of(judge.judge, setting.rubric, suite=suite.suite)
        )
        for attempt in plan.attempts:
            anchored = attempt.variant == "anchor"
            if attempt.suite != suite.suite or attempt.refused or anchored:
                continue
            if setting.rubric.compare == "pair" and attempt.variant != "candidate":
                continue
            calls += judge.judge.questions
            if bound is not None:
                usd += bound.usd(snapshot.cases.by_id(attempt.case), attempt.output_tokens)
        for case, output in () if stored is None else _unjudged(stored, snapshot, setting, judge):
            calls += judge.judge.questions
            if bound is not None:
                usd += bound.usd(case, len(output.encode()))
    return msgspec.structs.replace(
        suite,
        judging=PlannedJudging(
            calls=calls,
            max_cost_usd=None if unpriced else usd,
            unpriced_models=tuple(sorted(unpriced)),
        ),
    )


def _unjudged(
    stored: StoredRun, snapshot: SuiteSnapshot, setting: JudgeSetting, judge: OpenedJudge
) -> Iterator[tuple[Case, str]]:
    """Outputs of a stored arm that this judge has to be asked about, with their cases."""
    rubric = setting.rubric
    if rubric.compare == "pair":
        return  # asked at the candidate
    known = {
        each.subject
        for each in stored.judgments
        if each.judge == judge.digest and each.opinion.state != "error"
    }
    for attempt in stored.attempts:
        here = attempt.suite == snapshot.suite and attempt.variant == "candidate"
        if not here or not snapshot.cases.has(attempt.case):
            continue
        case = snapshot.cases.by_id(attempt.case)
        if not needs_judgment(attempt, case, rubric):
            continue
        if subject_id(subject_of(attempt, case, rubric)) not in known:
            yield case, attempt.output or ""


class _Bound(msgspec.Struct):
    """About the most that judging one output can cost: there is none yet, so it fills its cap.

    What the prompt's template makes of an output cannot be rendered before there is one; its
    source, the rubric's own texts and the case stand for it, a token a byte.
    """

    rubric: Rubric
    fixed_usd: float
    usd_a_token: float
    data_tokens: dict[str, int] = msgspec.field(default_factory=dict)

    @classmethod
    def of(cls, judge: Judge, rubric: Rubric, *, suite: str) -> "_Bound":
        """What every question costs, and what each further token of input does."""
        anchors = (f"{anchor.text} {anchor.why}" for anchor in rubric.anchors)
        own = "\n".join((judge.frame, rubric.prompt, *rubric.criteria, *anchors))
        calls = judge.prepare([Message(role="system", content=own, part="system")], suite=suite)
        of_input = [
            ((call.max_cost_usd or 0.0) - (call.max_output_cost_usd or 0.0))
            / max(1, sum(call.input_tokens.values()))
            for call in calls
        ]
        whole = sum(call.max_cost_usd or 0.0 for call in calls)
        return cls(rubric=rubric, fixed_usd=whole, usd_a_token=sum(of_input))

    def usd(self, case: Case, output_tokens: int) -> float:
        """Of one output of the case."""
        outputs = 2 if self.rubric.compare == "pair" else 1
        tokens = self._of_case(case) + outputs * output_tokens
        return self.fixed_usd + self.usd_a_token * tokens

    def _of_case(self, case: Case) -> int:
        known = self.data_tokens.get(case.id)
        if known is None:
            texts = [json.dumps(case.input, ensure_ascii=False), reference_of(case) or ""]
            if "documents" in self.rubric.prompt:
                texts += [document.text for document in case.documents]
            known = self.data_tokens[case.id] = sum(len(text.encode()) for text in texts)
        return known
