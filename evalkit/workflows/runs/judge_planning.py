"""What judging a run may take: how many questions at most, and what they may cost."""

import json
from collections.abc import Mapping, Sequence

import msgspec

from evalkit.records.asset import Rubric
from evalkit.records.call import Message
from evalkit.records.case import Case
from evalkit.records.plan import PlannedJudging, PlannedSuite, RunPlan
from evalkit.records.run import SuiteSnapshot
from evalkit.score.judge import reference_of
from evalkit.score.judging.asking import Judge
from evalkit.workflows.judges.opening import OpenedJudge

Opened = Mapping[tuple[str, str], OpenedJudge]


def with_judging(plan: RunPlan, snapshots: Sequence[SuiteSnapshot], opened: Opened) -> RunPlan:
    """The plan with what the judges of each suite may take beside the attempts."""
    by_name = {snapshot.suite: snapshot for snapshot in snapshots}
    suites = tuple(
        _with_judging(suite, plan, by_name[suite.suite], opened) for suite in plan.suites
    )
    return RunPlan(attempts=plan.attempts, suites=suites)


def _with_judging(
    suite: PlannedSuite, plan: RunPlan, snapshot: SuiteSnapshot, opened: Opened
) -> PlannedSuite:
    if not snapshot.judges:
        return suite
    cases = {case.id: case for case in snapshot.cases}
    calls, usd = 0, 0.0
    unpriced: set[str] = set()
    for setting in snapshot.judges:
        judge = opened[snapshot.suite, setting.scorer]
        if not isinstance(judge.judge, Judge):
            continue
        unpriced |= set(judge.unpriced)
        bounds: dict[str, float] = {}
        for attempt in plan.attempts:
            anchored = attempt.variant == "anchor"
            if attempt.suite != suite.suite or attempt.refused or anchored:
                continue
            if setting.rubric.compare == "pair" and attempt.variant != "candidate":
                continue
            calls += judge.judge.questions
            if not judge.unpriced:
                if attempt.case not in bounds:
                    bounds[attempt.case] = _most_usd(
                        judge.judge, setting.rubric, cases[attempt.case], attempt.output_tokens
                    )
                usd += bounds[attempt.case]
    return msgspec.structs.replace(
        suite,
        judging=PlannedJudging(
            calls=calls,
            max_cost_usd=None if unpriced else usd,
            unpriced_models=tuple(sorted(unpriced)),
        ),
    )


def _most_usd(judge: Judge, rubric: Rubric, case: Case, output_tokens: int) -> float:
    """About the most that one output can cost: there is none yet, so it is taken to fill its cap.

    What the prompt's template makes of it cannot be rendered before there is an output; its source,
    the rubric's own texts and the case stand for it.
    """
    own = [rubric.prompt, *rubric.criteria, *(f"{a.text} {a.why}" for a in rubric.anchors)]
    data = [json.dumps(case.input, ensure_ascii=False), reference_of(case) or ""]
    if "documents" in rubric.prompt:
        data += [document.text for document in case.documents]
    texts = (
        Message(role="system", content="\n".join((judge.frame, *own)), part="system"),
        Message(role="user", content="\n".join(data), part="input"),
    )
    outputs = 2 if rubric.compare == "pair" else 1
    usd = 0.0
    for prepared in judge.prepare(texts):
        whole, of_output = prepared.max_cost_usd or 0.0, prepared.max_output_cost_usd or 0.0
        tokens = sum(prepared.input_tokens.values())
        usd += whole + outputs * output_tokens * (whole - of_output) / max(1, tokens)
    return usd
