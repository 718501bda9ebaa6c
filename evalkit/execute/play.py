"""One case being played: from what came back to the attempt that is stored."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from evalkit.errors import BudgetExhausted, InvalidReply, PolicyBlocked, ProviderError, SessionError
from evalkit.ports import Session
from evalkit.records.attempt import Attempt, AttemptState, FailureMode, Step, VariantName
from evalkit.records.call import Completion, Origin, PreparedCall, Reply, ToolCall, Usage
from evalkit.records.case import Case, Document
from evalkit.records.json_text import decode_json, may_be_container
from evalkit.records.stored import (
    stored_decisions,
    stored_fallback,
    stored_text,
    stored_tool_call,
    stored_value,
)


class Play:
    """One case being played: what came back, what was decided about it, how it ended."""

    def __init__(self, *, session: Session, case: Case, json: bool) -> None:
        """Nothing has come back yet; `json` is whether the prompt asks for JSON."""
        self.session = session
        self.case = case
        self.json = json
        self.documents: tuple[Document, ...] = ()
        self.completions: list[Completion] = []
        self.replies: list[Reply] = []
        self.parsed: Any = None
        self.allowed: list[str] = []
        self.state: AttemptState = "answered"
        self.failure_mode: FailureMode | None = None
        self.error: str | None = None
        self.rule: str | None = None

    def take(self, completion: Completion) -> None:
        """One more turn of the model; its reply is kept as it may be stored."""
        self.completions.append(completion)
        self.replies.append(self.session.redacted_reply(completion.reply))

    def record_failure(self, error: SessionError) -> None:
        """End in the state that a session's error stands for."""
        held_back = getattr(error, "completion", None)
        if held_back is not None and all(each is not held_back for each in self.completions):
            self.take(held_back)
        self.error = str(error)
        match error:
            case PolicyBlocked():
                self.state, self.failure_mode = "blocked", FailureMode.POLICY
                self.rule = error.rule
                # Output that a policy held back is still what the model wrote, and is scored.
                self._parse(held_back)
            case BudgetExhausted():
                self.state, self.failure_mode = "error", FailureMode.BUDGET
                self.rule = error.rule
            case ProviderError():
                self.state, self.failure_mode = "error", FailureMode(error.code)
            case InvalidReply():
                self._invalid(str(error))
            case _:
                raise error

    def judge_reply(self) -> None:
        """Refused, invalid or answered; then one authorization for each tool call."""
        self._judge_form()
        for call in self.completions[-1].reply.tool_calls:
            self._authorize(call)

    def ends_with_turn(self) -> bool:
        """Whether the last turn of a loop leaves nothing to go on with: refused, cut or invalid.

        A turn with tool calls is no answer yet, so its text has no form.
        """
        reply = self.completions[-1].reply
        if reply.tool_calls and reply.refusal is None:
            if reply.finish_reason == "length":
                self._invalid("the reply is not whole")
        else:
            self._judge_form()
        return self.state != "answered"

    def _judge_form(self) -> None:
        """Refused, invalid or answered."""
        completion = self.completions[-1]
        reply = completion.reply
        if reply.refusal is not None:
            filtered = reply.finish_reason == "content_filter"
            self.state = "refused"
            self.failure_mode = FailureMode.CONTENT_FILTER if filtered else FailureMode.REFUSAL
            self.error = reply.refusal
        elif not self._parse(completion) and not (reply.tool_calls and not reply.content.strip()):
            self._invalid("the reply is not JSON, which the prompt asks for")
        elif self._is_cut(reply):
            self._invalid("the reply is not whole")

    def _authorize(self, call: ToolCall) -> None:
        try:
            self.session.authorize(call)
        except PolicyBlocked as blocked:
            if self.state != "blocked":  # the first denial names the rule, all are in the trace
                self.state, self.failure_mode = "blocked", FailureMode.POLICY
                self.error, self.rule = str(blocked), blocked.rule
        else:
            self.allowed.append(call.name)

    def _parse(self, completion: Completion | None) -> bool:
        """Whether the reply has the form that was asked for; JSON is kept in `parsed`."""
        if not self.json or completion is None:
            return True
        parsed, self.parsed = _decoded(completion.reply.content)
        return parsed

    def _is_cut(self, reply: Reply) -> bool:
        """Whether the model was stopped inside its answer, which must not pass by what is there.

        A JSON value that was asked for is whole once it is closed; a number never shows that it is.
        """
        if reply.finish_reason != "length":
            return False
        closed = self.json and not reply.tool_calls
        number = isinstance(self.parsed, int | float) and not isinstance(self.parsed, bool)
        return not closed or number

    def _invalid(self, message: str) -> None:
        cut = bool(self.completions) and self.completions[-1].reply.finish_reason == "length"
        self.state = "invalid"
        self.failure_mode = FailureMode.TRUNCATED if cut else FailureMode.INVALID_OUTPUT
        self.error = f"{message} (it was cut off by max_tokens)" if cut else message

    def attempt(
        self,
        *,
        at: str,
        suite: str,
        variant: VariantName,
        trial: int,
        prompt: str,
        route: str,
        prepared: PreparedCall | None,
        steps: Sequence[Step] = (),
    ) -> Attempt:
        """The attempt as it is stored; `steps` are those of a workflow of several."""
        redact = self.session.redacted
        attempt = Attempt(
            at=at,
            variant=variant,
            suite=suite,
            case=self.case.id,
            trial=trial,
            key="" if prepared is None else prepared.request.key,
            planned_model="" if prepared is None else prepared.model,
            state=self.state,
            identity=self.session.identity,
            failure_mode=self.failure_mode,
            error=None if self.error is None else stored_text(self.error, redact),
            rule=self.rule,
            allowed_tools=tuple(stored_text(name, redact) for name in self.allowed),
            documents=tuple(document.id for document in self.documents),
            prompt=prompt,
            route=route,
            decisions=stored_decisions(self.session.decisions, redact, self.session.is_plain),
            tries=self.session.tries,
            billed_usd=self.session.billed_usd,
            steps=tuple(steps),
        )
        return self._with_replies(attempt) if self.completions else attempt

    def _with_replies(self, attempt: Attempt) -> Attempt:
        """The attempt with its answer, and what all its turns came to."""
        redact = self.session.redacted
        turns, reply = self.completions, self.replies[-1]
        # the turn of a fallback is the one that tells which model answered
        shown = next((each for each in turns if each.model != each.planned_model), turns[-1])
        output = stored_text(reply.content, redact)
        parsed = stored_value(self.parsed, redact)
        return msgspec.structs.replace(
            attempt,
            key=turns[0].key,
            origin=_origin_of(turns),
            output=output,
            parsed=parsed,
            tool_calls=tuple(
                stored_tool_call(call, redact) for each in self.replies for call in each.tool_calls
            ),
            citations=self.session.cited(output, parsed if self.json else _answered(output)),
            model=shown.model,
            planned_model=shown.planned_model,
            model_id=shown.reply.model,
            fallbacks=tuple(
                stored_fallback(hop, redact) for each in turns for hop in each.fallbacks
            ),
            usage=add_usage(each.reply.usage for each in turns),
            cost_usd=add_costs(each.cost_usd for each in turns),
            latency_s=sum(each.reply.latency_s for each in turns),
            finish_reason=reply.finish_reason,
            measurement_id=_measurement_of(turns),
            measured_at=min(each.reply.measured_at for each in turns),
        )


def add_usage(parts: Iterable[Usage]) -> Usage:
    """Tokens of several calls together; estimated as soon as one of them is."""
    known = list(parts)
    if len(known) == 1:
        return known[0]
    return Usage(
        input_tokens=sum(each.input_tokens for each in known),
        output_tokens=sum(each.output_tokens for each in known),
        cached_tokens=sum(each.cached_tokens for each in known),
        cache_write_tokens=sum(each.cache_write_tokens for each in known),
        reasoning_tokens=sum(each.reasoning_tokens for each in known),
        estimated=any(each.estimated for each in known),
    )


def add_costs(costs: Iterable[float | None]) -> float | None:
    """What several calls cost; None as soon as one of them has no price."""
    known = list(costs)
    priced = [cost for cost in known if cost is not None]
    return sum(priced) if len(priced) == len(known) else None


def _origin_of(turns: Sequence[Completion]) -> Origin:
    """Where an attempt's turns come from: live as soon as one was asked for now."""
    if len(turns) == 1:
        return turns[0].reply.origin
    origins = {each.reply.origin for each in turns}
    order: tuple[Origin, ...] = ("live", "cache", "recording", "scripted")
    return next(each for each in order if each in origins)


def _measurement_of(turns: Sequence[Completion]) -> str:
    """One id for all turns: the same turns are the same measurement."""
    ids = [each.reply.measurement_id for each in turns]
    if len(ids) == 1:
        return ids[0]
    return "turns/" + hashlib.sha256("\n".join(ids).encode()).hexdigest()[:20]


def _answered(output: str) -> Any:
    """The JSON that an answer is although none was asked for; None for words."""
    return _decoded(output)[1] if may_be_container(output) else None


def _decoded(content: str) -> tuple[bool, Any]:
    """Whether a text is JSON, and its value."""
    try:
        return True, decode_json(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False, None
