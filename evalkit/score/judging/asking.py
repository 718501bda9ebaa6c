"""Asks a rubric's judge about a subject, through the control session of its route."""

from collections.abc import Mapping, Sequence

import msgspec

from evalkit.errors import (
    BudgetExhausted,
    ConfigError,
    InvalidReply,
    PolicyBlocked,
    ProviderError,
    SessionError,
)
from evalkit.ports import JudgeSessions, Session
from evalkit.records.asset import Output, Rubric
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Completion, Message, PreparedCall, Reply
from evalkit.records.judgment import (
    JudgeCall,
    JudgmentState,
    Opinion,
    Order,
    RecordedVerdict,
    Subject,
)
from evalkit.records.stored import stored_decision, stored_text
from evalkit.records.subject import subject_id
from evalkit.score.judging.combining import combine
from evalkit.score.judging.fencing import FencedTemplate, fence_token, split_at_data
from evalkit.score.judging.frame import closing_text, frame_text, reply_schema
from evalkit.score.judging.replies import (
    Said,
    UnreadableReply,
    is_quoted,
    read_reply,
    stored_call,
    swapped,
)
from evalkit.score.wording import clip


class RecordedJudge:
    """A judge whose verdicts were given before: nobody is asked."""

    def __init__(
        self,
        rubric: Rubric,
        verdicts: Mapping[str, RecordedVerdict],
        *,
        threshold: float | None = None,
    ) -> None:
        """`verdicts` are by subject id."""
        self.rubric = rubric
        self._verdicts = verdicts
        self._threshold = threshold

    async def ask(
        self, subject: Subject, *, suite: str = "", case: str = "", trial: int = 1
    ) -> Opinion:
        """What was recorded of the subject; an error where nothing was."""
        return self.look_up(subject_id(subject))

    def look_up(self, subject: str) -> Opinion:
        """The opinion on the subject of this id."""
        said = self._verdicts.get(subject)
        route = self.rubric.recorded_by
        if said is None:
            call = JudgeCall(
                route=route,
                state="error",
                failure_mode=FailureMode.NOT_RECORDED,
                error=f"{self.rubric.recorded} has no verdict of output {subject}",
            )
        else:
            call = JudgeCall(
                route=route,
                state=said.state,
                passed=said.passed,
                score=said.score,
                reason=said.reason,
                origin="recording",
            )
        return combine(self.rubric, (call,), self._threshold)


class Judge:
    """A judge that is asked: every route of its rubric, in both orders for a pair."""

    def __init__(
        self, rubric: Rubric, *, sessions: JudgeSessions, threshold: float | None = None
    ) -> None:
        """Compile the rubric's prompt. Raises ConfigError."""
        self.rubric = rubric
        self._sessions = sessions
        self._threshold = threshold
        self._template = FencedTemplate(rubric)
        self._frame = f"{frame_text(rubric)}\n\n"
        self._output = Output(kind="json", schema=reply_schema(rubric))
        self._orders: tuple[Order | None, ...] = (
            ("first", "second") if rubric.compare == "pair" else (None,)
        )

    async def ask(
        self, subject: Subject, *, suite: str = "", case: str = "", trial: int = 1
    ) -> Opinion:
        """What the judge says. Whatever a model, a policy or a provider does ends in an opinion;
        only StoreError (the cache) is raised. Other `trial`s are asked anew at temperature > 0."""
        calls = [
            await self._call(route, subject, order, suite=suite, case=case, trial=trial)
            for route in self.rubric.routes
            for order in self._orders
        ]
        return combine(self.rubric, calls, self._threshold)

    def messages(self, subject: Subject, order: Order | None = None) -> tuple[Message, ...]:
        """What the judge is shown. Raises ConfigError for a prompt that reads what is not there."""
        shown = subject
        if order == "second":
            shown = Subject(
                input=subject.input,
                output=subject.other,
                reference=subject.reference,
                documents=subject.documents,
                other=subject.output,
            )
        token = fence_token(shown)
        # what stands before all data is the rubric's own and the same for every output, so it goes
        # where providers keep computed beginnings; from the first data on it is the question
        head, data = split_at_data(self._template.render(shown, token), token)
        question = f"{data.rstrip()}\n\n{closing_text(token)}\n"
        return (
            Message(role="system", content=f"{self._frame}{head}", part="system"),
            Message(role="user", content=question, part="input"),
        )

    @property
    def frame(self) -> str:
        """What evalkit itself tells the judge."""
        return self._frame

    @property
    def questions(self) -> int:
        """How many calls one output takes."""
        return len(self.rubric.routes) * len(self._orders)

    def prepare(self, messages: Sequence[Message], *, suite: str = "") -> tuple[PreparedCall, ...]:
        """The calls that these messages would be, priced and not made, one a question."""
        nothing = Subject(input={}, output="")
        return tuple(
            self._sessions.open(route, nothing, suite=suite).prepare(
                messages, params=self.rubric.params, output=self._output
            )
            for route in self.rubric.routes
            for _ in self._orders
        )

    async def _call(
        self,
        route: str,
        subject: Subject,
        order: Order | None,
        *,
        suite: str,
        case: str,
        trial: int,
    ) -> JudgeCall:
        session = self._sessions.open(route, subject, suite=suite, case=case)
        completion: Completion | None = None
        said = Said(state="error")
        mode: FailureMode | None = None
        error: str | None = None
        try:
            completion = await session.complete(
                self.messages(subject, order),
                params=self.rubric.params,
                output=self._output,
                trial=trial,
            )
        except InvalidReply as invalid:
            # it may still say what it thinks, around or beside the asked form
            completion = invalid.completion
            error = str(invalid)
        except SessionError as failed:
            completion = getattr(failed, "completion", None)
            state, mode = _ended(failed)
            said, error = Said(state=state), str(failed)
        except ConfigError as broken:
            error, mode = str(broken.problems[0].message), FailureMode.SCORER_ERROR
        if completion is not None and mode is None:
            said, mode, error = self._read(completion.reply, session, error)
            if completion.model != completion.planned_model:
                # a stand-in is another judge, of whose errors nobody knows anything
                said, mode = Said(state="error"), FailureMode.OTHER_MODEL
                error = (
                    f"{completion.model} answered in place of {completion.planned_model}, whose "
                    "verdict is asked for"
                )
        redact = session.redacted
        call = JudgeCall(
            route=route,
            state=said.state,
            passed=swapped(said, order).passed,
            score=said.score,
            reason=stored_text(said.reason, redact),
            evidence=stored_text(said.evidence, redact),
            quoted=is_quoted(said.evidence, _shown(subject)),
            answers=said.answers,
            order=order,
            error=None if error is None else clip(stored_text(error, redact)),
            failure_mode=mode,
            billed_usd=session.billed_usd,
            decisions=tuple(stored_decision(each, redact) for each in session.decisions),
        )
        return stored_call(call if completion is None else _with_reply(call, completion))

    def _read(
        self, reply: Reply, session: Session, invalid: str | None
    ) -> tuple[Said, FailureMode | None, str | None]:
        if reply.refusal is not None:
            filtered = reply.finish_reason == "content_filter"
            mode = FailureMode.CONTENT_FILTER if filtered else FailureMode.REFUSAL
            return Said(state="refused"), mode, reply.refusal
        if reply.finish_reason == "length":
            cut = "the reply was cut off by max_tokens"
            return Said(state="unparseable"), FailureMode.TRUNCATED, cut
        try:
            return read_reply(self.rubric, reply.content), None, None
        except UnreadableReply as unreadable:
            words = invalid or self._found(session.redacted_reply(reply), unreadable)
            return Said(state="unparseable"), FailureMode.INVALID_OUTPUT, words

    def _found(self, storable: Reply, unreadable: UnreadableReply) -> str:
        """What was expected and found, quoted from the reply as it may be stored: what is personal
        is not known by its first half, which is all that a short quote may show."""
        try:
            read_reply(self.rubric, storable.content)
        except UnreadableReply as found:
            return str(found)
        return unreadable.expected


def _ended(error: SessionError) -> tuple[JudgmentState, FailureMode]:
    """The state that a session's error leaves a judge in."""
    match error:
        case BudgetExhausted():
            return "error", FailureMode.BUDGET
        case PolicyBlocked():
            return "refused", FailureMode.POLICY
        case ProviderError():
            mode = FailureMode(error.code)
            return ("refused" if mode is FailureMode.CONTENT_FILTER else "error"), mode
        case _:
            raise error


def _with_reply(call: JudgeCall, completion: Completion) -> JudgeCall:
    reply = completion.reply
    return msgspec.structs.replace(
        call,
        key=completion.key,
        model=completion.model,
        model_id=reply.model,
        origin=reply.origin,
        usage=reply.usage,
        cost_usd=completion.cost_usd,
        latency_s=reply.latency_s,
    )


def _shown(subject: Subject) -> list[object]:
    return [subject.output, subject.other]
