"""What a judge says of labelled outputs: asked through the control core, or read from a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evalkit.config.model import Config
from evalkit.errors import BudgetExhausted, ProviderError
from evalkit.execute.judging import Question, ask_judges
from evalkit.execute.stopping import StopSignal
from evalkit.execute.workers import ExecutionEnd
from evalkit.ports import Cache
from evalkit.records.asset import Rubric
from evalkit.records.judgment import JudgmentState, Opinion, RecordedVerdict
from evalkit.records.label import LabelledItem
from evalkit.workflows.judges.opening import open_judge
from evalkit.workflows.wiring import Wiring

OnAnswer = Callable[[int, int], None]
_UNREACHABLE = "providers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a judge said of one output; `error` says in words why nothing was said."""

    state: JudgmentState
    passed: bool | None = None
    score: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A judge's verdicts by item, and who it is.

    `cached` replies say nothing about whether the judge still judges as it did; `scripted` tells
    that some replies were written by hand.
    """

    verdicts: Mapping[str, Verdict]
    judge: str
    asked: str
    cached: int = 0
    scripted: bool = False
    billed_usd: float | None = None


async def ask_about(
    items: Sequence[LabelledItem],
    rubric: Rubric,
    *,
    config: Config,
    wiring: Wiring,
    cache: Cache,
    on_answer: OnAnswer,
) -> Heard:
    """Ask the rubric's judge about every item, inside the budget of a run.

    Raises BudgetExhausted and ProviderError where it had to stop, and what `open_judge` raises.
    """
    ledger = wiring.ledger(config)
    opened = open_judge(rubric, config=config, wiring=wiring, ledger=ledger, cache=cache)
    questions = [
        Question(
            suite=rubric.name, scorer=rubric.name, case=item.id, id=item.id, subject=item.subject
        )
        for item in items
    ]
    opinions: dict[str, Opinion] = {}

    async def ask(question: Question) -> Opinion:
        return await opened.judge.ask(question.subject, suite=question.suite, case=question.case)

    def take(question: Question, opinion: Opinion) -> None:
        opinions[question.id] = opinion
        on_answer(len(opinions), len(questions))

    ended = await ask_judges(
        questions, ask, take, concurrency=config.run.concurrency, stop=StopSignal()
    )
    _check_end(ended)
    calls = [call for opinion in opinions.values() for call in opinion.calls]
    return Heard(
        verdicts={id_: _verdict(opinion) for id_, opinion in opinions.items()},
        judge=opened.digest,
        asked=opened.asked,
        cached=sum(call.origin == "cache" for call in calls),
        scripted=any(call.origin == "scripted" for call in calls),
        billed_usd=ledger.spent_usd,
    )


def heard_from(
    recorded: Mapping[str, RecordedVerdict],
    items: Sequence[LabelledItem],
    *,
    judge: str,
    asked: str,
) -> Heard:
    """Verdicts from a file; one of an item that is not in it is an error."""
    verdicts = {}
    for item in items:
        found = recorded.get(item.id)
        if found is None:
            verdicts[item.id] = Verdict(
                state="error", error=f"nothing is recorded of output {item.id}"
            )
        else:
            verdicts[item.id] = Verdict(state=found.state, passed=found.passed, score=found.score)
    return Heard(verdicts=verdicts, judge=judge, asked=asked)


def _verdict(opinion: Opinion) -> Verdict:
    error = next((call.error for call in opinion.calls if call.error), "") or ""
    judged = opinion.state == "judged"
    return Verdict(
        state=opinion.state,
        passed=opinion.passed if judged else None,
        score=opinion.score if judged else None,
        error="" if judged else error,
    )


def _check_end(ended: ExecutionEnd) -> None:
    """Raise for a judge that was not asked about everything: half a sample measures nothing."""
    if ended.reason is None:
        return
    message = (
        f"{ended.message}: {ended.left} outputs were not judged, so nothing is measured; what was "
        "answered is in the cache, so the same command goes on there"
    )
    if ended.reason == _UNREACHABLE:
        raise ProviderError("connection", message)
    raise BudgetExhausted("budgets", message)
