"""Judges in a run: after the attempts, every output that a judge scorer applies to is judged.

Attempts with one subject share one opinion, so an unchanged output adds no noise of the judge and
costs nothing. What earlier runs' judges said of the same subject is taken over where a stored arm
brings it along. Everything asked goes through the control session, inside the run's budget.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import msgspec

from evalkit.execute.judging import Question, ask_judges
from evalkit.execute.stopping import StopSignal
from evalkit.execute.workers import ExecutionEnd
from evalkit.ports import Clock, EventSink
from evalkit.records.attempt import Attempt, Place, VariantName
from evalkit.records.case import Case
from evalkit.records.event import JudgingStarted, JudgmentMade
from evalkit.records.judgment import Judgment, Opinion, Subject
from evalkit.records.run import JudgeSetting, SuiteSnapshot
from evalkit.records.subject import subject_id
from evalkit.score.judge import known_of_pair, needs_judgment, subject_of
from evalkit.store.journal import RunJournal
from evalkit.workflows.runs.results import RunResults

if TYPE_CHECKING:  # few suites have a judge
    from evalkit.workflows.judges.opening import OpenedJudge

JudgeKey = tuple[str, str]


class RunJudges(msgspec.Struct):
    """The judges of a run, by suite and scorer, and what they have said so far."""

    opened: "Mapping[JudgeKey, OpenedJudge]"
    clock: Clock
    opinions: dict[tuple[str, str], Opinion] = msgspec.field(default_factory=dict)

    def remember(self, judgments: Iterable[Judgment]) -> None:
        """Take over what these judges said before; what ended in an error is asked again."""
        from evalkit.score.judging.combining import decided_by

        known = {judge.digest: judge for judge in self.opened.values()}
        for each in judgments:
            judge = known.get(each.judge)
            if judge is not None and each.opinion.state != "error":
                opinion = decided_by(each.opinion, judge.rubric, judge.threshold)
                self.opinions[each.judge, each.subject] = _replayed(opinion)

    async def judge(
        self,
        snapshots: Sequence[SuiteSnapshot],
        results: RunResults,
        *,
        journal: RunJournal,
        emit: EventSink,
        concurrency: int,
        stop: StopSignal,
    ) -> ExecutionEnd:
        """Judge every attempt that has no judgment yet, and journal each one. Raises StoreError."""
        waiting = self._waiting(snapshots, results)
        for key, places in list(waiting.items()):
            opinion = self.opinions.get((self.opened[key.suite, key.scorer].digest, key.id))
            if opinion is not None:
                self._keep(key, places, opinion, results, journal, asked=False)
                del waiting[key]
        if not waiting:
            return ExecutionEnd(reason=None, made=0, left=0)
        emit(JudgingStarted(questions=len(waiting)))

        async def ask(question: Question) -> Opinion:
            return await self.opened[question.suite, question.scorer].judge.ask(
                question.subject, suite=question.suite, case=question.case
            )

        def take(question: Question, opinion: Opinion) -> None:
            self.opinions[self.opened[question.suite, question.scorer].digest, question.id] = (
                opinion
            )
            first = self._keep(question, waiting[question], opinion, results, journal, asked=True)
            emit(JudgmentMade(judgment=first))

        return await ask_judges(list(waiting), ask, take, concurrency=concurrency, stop=stop)

    def _waiting(
        self, snapshots: Sequence[SuiteSnapshot], results: RunResults
    ) -> dict[Question, list[Place]]:
        """What has to be judged: one question a judge and subject, with the places it answers."""
        questions: dict[tuple[str, str, str], tuple[Question, list[Place]]] = {}
        for snapshot in snapshots:
            if not snapshot.judges:
                continue
            for judge in snapshot.judges:
                for attempt in results.attempts:
                    # nothing is decided by a judge against the anchor
                    if attempt.suite != snapshot.suite or attempt.variant == "anchor":
                        continue
                    if results.judged(judge.scorer, attempt.place):
                        continue
                    subject = self._subject(
                        judge, attempt, snapshot.cases.by_id(attempt.case), results
                    )
                    if subject is None:
                        continue
                    key = (snapshot.suite, judge.scorer, subject_id(subject))
                    if key not in questions:
                        question = Question(
                            suite=key[0],
                            scorer=key[1],
                            case=attempt.case,
                            id=key[2],
                            subject=subject,
                        )
                        questions[key] = (question, [])
                    questions[key][1].append(attempt.place)
        return dict(questions.values())

    def _subject(
        self, judge: JudgeSetting, attempt: Attempt, case: Case, results: RunResults
    ) -> Subject | None:
        """What the judge is shown of an attempt; None where there is nothing to tell.

        What is known of a pair without asking is remembered as its opinion.
        """
        rubric = judge.rubric
        if rubric.compare == "output":
            asked = needs_judgment(attempt, case, rubric)
            return subject_of(attempt, case, rubric) if asked else None
        other = _other(attempt, results)
        if attempt.variant != "candidate" or other is None:
            return None
        if "error" in (attempt.state, other.state):
            return None
        subject = subject_of(attempt, case, rubric, other)
        known = known_of_pair(attempt, other, case, rubric)
        if known is not None:
            self.opinions[judge.judge, subject_id(subject)] = known
        return subject

    def _keep(
        self,
        question: Question,
        places: Sequence[Place],
        opinion: Opinion,
        results: RunResults,
        journal: RunJournal,
        *,
        asked: bool,
    ) -> Judgment:
        """Journal the opinion for each of its places; the first one that asked is not shared."""
        opened = self.opened[question.suite, question.scorer]
        made: list[Judgment] = []
        for number, place in enumerate(places):
            shared = not asked or number > 0
            judgment = Judgment(
                at=self.clock.now().isoformat(timespec="milliseconds"),
                suite=place[0],
                variant=cast("VariantName", place[1]),
                case=place[2],
                trial=place[3],
                scorer=question.scorer,
                rubric=opened.rubric.ref,
                judge=opened.digest,
                subject=question.id,
                opinion=_replayed(opinion) if shared else opinion,
                shared=shared,
            )
            journal.append_judgment(judgment)
            results.take_judgment(judgment)
            made.append(judgment)
        return made[0]


def _other(attempt: Attempt, results: RunResults) -> Attempt | None:
    """The baseline's output that a pair compares with: of the same trial, else of its first."""
    suite, _, case, trial = attempt.place
    attempts = results.attempts
    found = attempts.at((suite, "baseline", case, trial))
    return found or attempts.at((suite, "baseline", case, 1))


def _replayed(opinion: Opinion) -> Opinion:
    """The opinion as one that costs this judgment nothing; its trace stands where it was made."""
    return msgspec.structs.replace(
        opinion,
        calls=tuple(
            msgspec.structs.replace(call, billed_usd=0.0, decisions=()) for call in opinion.calls
        ),
    )
