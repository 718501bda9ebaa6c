"""Asks a judge what an audit has to know, and puts the answers together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit._version import __version__
from evalkit.config.model import Config
from evalkit.errors import BudgetExhausted, ProviderError
from evalkit.execute.judging import Question, ask_judges
from evalkit.execute.stopping import StopSignal
from evalkit.execute.workers import ExecutionEnd
from evalkit.judge.bias import Verdict
from evalkit.judge.drift import MINIMUM_ANCHORS, anchor_drift
from evalkit.ports import Cache
from evalkit.records.asset import Rubric
from evalkit.records.audit import AUDIT_SCHEMA, JudgeAudit
from evalkit.records.calibration import Calibration, Drift
from evalkit.records.event import Event
from evalkit.records.judgment import Opinion
from evalkit.records.label import LabelledItem, labelled_by
from evalkit.score.judging.asking import Judge
from evalkit.score.judging.combining import passing_score
from evalkit.workflows.interrupting import passing_signals
from evalkit.workflows.judges.audit_parts import Asked
from evalkit.workflows.judges.audit_rows import audit_rows
from evalkit.workflows.judges.opening import OpenedJudge, judge_route, open_judge
from evalkit.workflows.judges.probing import (
    AGAIN,
    CLEAN,
    Answers,
    Plan,
    draw_anchors,
    plan_probes,
    sample_items,
    sees_change,
)
from evalkit.workflows.wiring import Wiring

DEFAULT_COUNT, DEFAULT_REPEATS, DEFAULT_SEED = 40, 2, 0
OnPlan = Callable[[int], None]
OnAnswer = Callable[[int, int], None]
RECORDED = "Recorded verdicts answer no new question."
SCRIPTED = "Replies that were written by hand answer no new question."
REPLAYED = "Replies are replayed here, so asking again would tell nothing; --live asks the model."


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRequest:
    """What to audit. `labels` is a file that stands in for the rubric's own labels.

    `count` labelled outputs are drawn by `seed`, `repeats` times asked about again.
    """

    rubric: str
    labels: Path | None = None
    count: int = DEFAULT_COUNT
    repeats: int = DEFAULT_REPEATS
    seed: int = DEFAULT_SEED
    use_cache: bool = True


class Audit:
    """One audit: what is known before, and the asking."""

    def __init__(
        self,
        request: AuditRequest,
        rubric: Rubric,
        config: Config,
        wiring: Wiring,
        items: Sequence[LabelledItem],
        calibration: Calibration | None,
    ) -> None:
        """`items` have a truth; `calibration` is the stored one, of whatever judge."""
        self.request = request
        self.rubric = rubric
        self.config = config
        self.wiring = wiring
        self.items = items
        self.calibration = calibration
        self.threshold = None if calibration is None else calibration.measured.threshold
        self.ledger = wiring.ledger(config)

    async def make(self, cache: Cache | None, on_plan: OnPlan, on_answer: OnAnswer) -> JudgeAudit:
        """Ask, and say what was found. Raises as `audit_judge` does."""
        stored, anew = self._open(cache), self._open(None)
        origins = self._origins()
        silent = self._silent(origins)
        unrepeatable = silent or (None if origins == {"live"} else REPLAYED)
        sample = self._sample()
        plan = plan_probes(
            self.rubric,
            sample,
            anchors=self._anchors(stored, sample),
            repeats=0 if unrepeatable else self.request.repeats,
            sees=sees_change(stored.judge)
            if silent is None and isinstance(stored.judge, Judge)
            else None,
        )
        if self.rubric.recorded is None:
            orders = 2 if self.rubric.compare == "pair" else 1
            on_plan(plan.questions * len(self.rubric.routes) * orders)
        answers = await self._ask(plan, stored, anew, on_answer)
        now = self.wiring.clock.now().isoformat(timespec="seconds")
        drift, no_drift = self._drift(stored, answers, now, unrepeatable)
        asked = Asked(
            rubric=self.rubric,
            items=self.items,
            plan=plan,
            answers=answers,
            verdicts=self._calibrated(stored) | answers.verdicts(CLEAN),
            own=self._own(answers),
            threshold=self.threshold,
            silent=silent,
            unrepeatable=unrepeatable,
            drift=drift,
            no_drift=no_drift,
        )
        calls = [call for opinion in answers.opinions for call in opinion.calls]
        return JudgeAudit(
            schema=AUDIT_SCHEMA,
            rubric=self.rubric.ref,
            judge=stored.digest,
            asked=stored.asked,
            made_at=now,
            evalkit=__version__,
            seed=self.request.seed,
            repeats=len(plan.repeats),
            outputs=len(sample),
            labelled_by=tuple(sorted(labelled_by(self.items))),
            calls=len(calls),
            errors=sum(call.state == "error" for call in calls),
            billed_usd=self.ledger.spent_usd,
            rows=audit_rows(asked),
            drift=drift,
        )

    def _open(self, cache: Cache | None) -> OpenedJudge:
        return open_judge(
            self.rubric,
            config=self.config,
            wiring=self.wiring,
            ledger=self.ledger,
            cache=cache,
            threshold=self.threshold,
        )

    def _origins(self) -> set[str]:
        """Where the replies of its models come from."""
        return {
            self.wiring.provider(self.config, model, suite=self.rubric.name).origin
            for name in self.rubric.routes
            for model in judge_route(self.rubric, self.config, name).every_model
        }

    def _silent(self, origins: set[str]) -> str | None:
        if self.rubric.recorded is not None:
            return RECORDED
        return SCRIPTED if "scripted" in origins else None

    def _sample(self) -> list[LabelledItem]:
        """What is looked at: of recorded verdicts everything, for they cost nothing."""
        count = len(self.items) if self.rubric.recorded is not None else self.request.count
        return sample_items(self.items, count, self.request.seed)

    def _anchors(self, opened: OpenedJudge, sample: Sequence[LabelledItem]) -> list[LabelledItem]:
        return draw_anchors(self.items, sample, self._calibrated(opened), self.request.seed)

    def _calibrated(self, opened: OpenedJudge) -> dict[str, Verdict]:
        """What this very judge said when it was calibrated; empty if that was another one."""
        if self.calibration is None or self.calibration.judge != opened.digest:
            return {}
        return {
            id_: value if value is None or isinstance(value, bool) else self._passes(value)
            for id_, value in self.calibration.verdicts.items()
        }

    def _passes(self, score: float) -> bool:
        return score >= passing_score(self.rubric.scale, self.threshold)

    async def _ask(
        self, plan: Plan, stored: OpenedJudge, anew: OpenedJudge, on_answer: OnAnswer
    ) -> Answers:
        answers = Answers()
        trials = {probe.name: probe.trial for probe in plan.probes}

        async def ask(question: Question) -> Opinion:
            trial = trials[question.scorer]
            judge = (anew if trial > 1 else stored).judge
            return await judge.ask(
                question.subject, suite=question.suite, case=question.case, trial=trial
            )

        def take(question: Question, opinion: Opinion) -> None:
            answers.take(question.scorer, question.id, opinion)
            on_answer(len(answers), plan.questions)

        stop = StopSignal()
        with passing_signals(stop, _ignore):
            ended = await ask_judges(
                plan.of_suite(self.rubric.name),
                ask,
                take,
                concurrency=self.config.run.concurrency,
                stop=stop,
            )
        _check_end(ended, cached=self.request.use_cache)
        return answers

    def _drift(
        self, opened: OpenedJudge, answers: Answers, at: str, unrepeatable: str | None
    ) -> tuple[Drift | None, str]:
        """The drift, or why it was not tested."""
        if unrepeatable is not None:
            return None, unrepeatable
        calibrate = f"evalkit judge calibrate {self.rubric.ref}"
        old = self._calibrated(opened)
        if not old:
            why = "No calibration is stored"
            if self.calibration is not None:
                why = "The stored calibration is of another judge"
            return None, f"{why}, so there is nothing to compare with: {calibrate}."
        drift = anchor_drift(old, answers.verdicts(f"{AGAIN} 1"), at)
        if drift is None:
            return None, f"It takes {MINIMUM_ANCHORS} labelled outputs that it was calibrated on."
        return drift, ""

    def _own(self, answers: Answers) -> set[str]:
        """What the models that judge are called: in the configuration, and by their providers."""
        if self.rubric.recorded is not None:
            return {self.rubric.recorded_by}
        names = {call.model_id for opinion in answers.opinions for call in opinion.calls}
        for route in self.rubric.routes:
            for model in judge_route(self.rubric, self.config, route).every_model:
                known = self.config.models.get(model)
                names |= {model, (known.id if known else None) or model}
        return names - {""}


def _check_end(ended: ExecutionEnd, *, cached: bool) -> None:
    """Raise for an audit that is not whole: half of the questions is another sample."""
    if ended.reason is None:
        return
    if ended.reason == "interrupted":
        raise KeyboardInterrupt
    kept = "; what was asked for the first time is in the cache" if cached else ""
    message = f"{ended.message}: nothing is found by part of the questions, or stored{kept}"
    if ended.reason == "providers":
        raise ProviderError("connection", message)
    raise BudgetExhausted("budgets", message)


def _ignore(event: Event) -> None:
    pass
