"""One case being played: from what came back to the attempt that is stored."""

from typing import Any

import msgspec

from evalkit.errors import BudgetExhausted, InvalidReply, PolicyBlocked, ProviderError, SessionError
from evalkit.ports import Session
from evalkit.records.attempt import Attempt, AttemptState, FailureMode, VariantName
from evalkit.records.call import Completion, PreparedCall, Reply, ToolCall
from evalkit.records.case import Case, Document
from evalkit.records.json_text import decode_json
from evalkit.records.stored import (
    stored_decision,
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
        self.completion: Completion | None = None
        self.parsed: Any = None
        self.allowed: list[str] = []
        self.state: AttemptState = "answered"
        self.failure_mode: FailureMode | None = None
        self.error: str | None = None
        self.rule: str | None = None

    def record_failure(self, error: SessionError) -> None:
        """End in the state that a session's error stands for."""
        self.completion = getattr(error, "completion", None) or self.completion
        self.error = str(error)
        match error:
            case PolicyBlocked():
                self.state, self.failure_mode = "blocked", FailureMode.POLICY
                self.rule = error.rule
                # Output that a policy held back is still what the model wrote, and is scored.
                self._parse()
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
        assert self.completion is not None
        reply = self.completion.reply
        if reply.refusal is not None:
            filtered = reply.finish_reason == "content_filter"
            self.state = "refused"
            self.failure_mode = FailureMode.CONTENT_FILTER if filtered else FailureMode.REFUSAL
            self.error = reply.refusal
        elif not self._parse() and not (reply.tool_calls and not reply.content.strip()):
            self._invalid("the reply is not JSON, which the prompt asks for")
        elif self._is_cut(reply):
            self._invalid("the reply is not whole")
        for call in reply.tool_calls:
            self._authorize(call)

    def _authorize(self, call: ToolCall) -> None:
        try:
            self.session.authorize(call)
        except PolicyBlocked as blocked:
            if self.state != "blocked":  # the first denial names the rule, all are in the trace
                self.state, self.failure_mode = "blocked", FailureMode.POLICY
                self.error, self.rule = str(blocked), blocked.rule
        else:
            self.allowed.append(call.name)

    def _parse(self) -> bool:
        """Whether the reply has the form that was asked for; JSON is kept in `parsed`."""
        if not self.json or self.completion is None:
            return True
        parsed, self.parsed = _decoded(self.completion.reply.content)
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
        cut = self.completion is not None and self.completion.reply.finish_reason == "length"
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
    ) -> Attempt:
        """The attempt as it is stored."""
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
            decisions=tuple(stored_decision(each, redact) for each in self.session.decisions),
            tries=self.session.tries,
            billed_usd=self.session.billed_usd,
        )
        return attempt if self.completion is None else self._with_reply(attempt, self.completion)

    def _with_reply(self, attempt: Attempt, completion: Completion) -> Attempt:
        redact = self.session.redacted
        reply = self.session.redacted_reply(completion.reply)
        output = stored_text(reply.content, redact)
        parsed = stored_value(self.parsed, redact)
        return msgspec.structs.replace(
            attempt,
            key=completion.key,
            origin=reply.origin,
            output=output,
            parsed=parsed,
            tool_calls=tuple(stored_tool_call(call, redact) for call in reply.tool_calls),
            citations=self.session.cited(output, parsed if self.json else _decoded(output)[1]),
            model=completion.model,
            planned_model=completion.planned_model,
            model_id=reply.model,
            fallbacks=tuple(stored_fallback(hop, redact) for hop in completion.fallbacks),
            usage=reply.usage,
            cost_usd=completion.cost_usd,
            latency_s=reply.latency_s,
            finish_reason=reply.finish_reason,
            measurement_id=reply.measurement_id,
            measured_at=reply.measured_at,
        )


def _decoded(content: str) -> tuple[bool, Any]:
    """Whether a text is JSON, and its value."""
    try:
        return True, decode_json(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False, None
