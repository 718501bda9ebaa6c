"""One case through a program: what it gave back, as the attempt that is stored."""

import hashlib
import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from evalkit.errors import SessionError
from evalkit.execute.play import Play
from evalkit.execute.programs.answer import ProgramAnswer, TargetFailed
from evalkit.ports import Clock, Opening, Session
from evalkit.records.attempt import Attempt, FailureMode, VariantName
from evalkit.records.call import PreparedCall
from evalkit.records.case import Case
from evalkit.records.json_text import decode_json
from evalkit.records.moment import moment_text
from evalkit.records.stored import stored_text, stored_tool_call, stored_value


class ProgramTarget(ABC):
    """A target that is a program: it is asked, and its answer is the attempt.

    A program that fails is a result of the target's: the attempt is invalid, with `target_error`.
    """

    def __init__(self, *, reference: str, route: str) -> None:
        """`reference` is what attempts call it, `route` the one that its sessions are on."""
        self.reference = reference
        self._route = route

    async def prepare(self, opening: Opening, case: Case, trial: int) -> PreparedCall | None:
        """Nothing is known before it runs. Raises Refused for one that cannot be run at all."""
        return None

    async def attempt(
        self,
        session: Session,
        case: Case,
        *,
        suite: str,
        variant: VariantName,
        trial: int,
        clock: Clock,
    ) -> Attempt:
        """Play one case."""
        return await _play(
            lambda play: self._ask(case, trial, play),
            session,
            case,
            suite=suite,
            variant=variant,
            trial=trial,
            clock=clock,
            reference=self.reference,
            route=self._route,
        )

    @abstractmethod
    async def _ask(self, case: Case, trial: int, play: Play) -> ProgramAnswer:
        """What the program answers; `play` is told what its session did.

        Raises TargetFailed, and SessionError for what is not the program's fault.
        """


async def _play(
    ask: Callable[[Play], Awaitable[ProgramAnswer]],
    session: Session,
    case: Case,
    *,
    suite: str,
    variant: VariantName,
    trial: int,
    clock: Clock,
    reference: str,
    route: str,
) -> Attempt:
    play = Play(session=session, case=case, json=False)
    started_at = moment_text(clock.now())
    began = clock.monotonic()
    answer: ProgramAnswer | None = None
    try:
        answer = await ask(play)
    except TargetFailed as failed:
        play.state, play.failure_mode = "invalid", FailureMode.TARGET_ERROR
        play.error = str(failed)
    except SessionError as error:
        play.record_failure(error)
    took_s = clock.monotonic() - began
    attempt = play.attempt(
        at=started_at,
        suite=suite,
        variant=variant,
        trial=trial,
        prompt=reference,
        route=route,
        prepared=None,
        steps=session.steps,
    )
    if not play.completions:
        attempt = msgspec.structs.replace(
            attempt,
            key=_key(reference, case, trial),
            # a program that could not be reached was not measured
            origin=None if attempt.state == "error" else "live",
            measurement_id=f"program/{uuid.uuid4().hex}",
            measured_at=started_at,
            latency_s=None if attempt.state == "error" else took_s,
        )
    elif attempt.origin == "live":
        attempt = msgspec.structs.replace(attempt, latency_s=took_s)
    if answer is None:
        # what a model said to the program is not what the program answered
        return msgspec.structs.replace(attempt, output=None, citations=(), finish_reason=None)
    return _with_answer(attempt, answer, play)


def _with_answer(attempt: Attempt, answer: ProgramAnswer, play: Play) -> Attempt:
    redact = play.session.redacted
    output, parsed = _text(answer.output), answer.output
    if isinstance(parsed, str):
        parsed = _structure(parsed)
    output = stored_text(output, redact)
    parsed = stored_value(parsed, redact)
    if isinstance(answer.output, dict | list):
        output = _text(parsed)  # the two say the same
    changes: dict[str, Any] = {
        "output": output,
        "parsed": parsed,
        "citations": play.session.cited(output, parsed),
        "finish_reason": None,
    }
    if answer.tool_calls is not None:
        changes["tool_calls"] = tuple(stored_tool_call(each, redact) for each in answer.tool_calls)
        # it ran them, so nobody denied them
        changes["allowed_tools"] = tuple(each.name for each in changes["tool_calls"])
    if answer.documents is not None:
        changes["documents"] = tuple(stored_text(each, redact) for each in answer.documents)
    if answer.usage is not None:
        changes["usage"] = answer.usage
    if answer.cost_usd is not None:
        known = attempt.cost_usd if play.completions else 0.0
        changes["cost_usd"] = None if known is None else known + answer.cost_usd
        changes["billed_usd"] = attempt.billed_usd + answer.cost_usd
    return msgspec.structs.replace(attempt, **changes)


def _text(output: Any) -> str:
    if isinstance(output, str):
        return output
    return json.dumps(output, ensure_ascii=False, separators=(",", ":"))


def _structure(text: str) -> Any:
    """The object or list that a text is; None for every other text."""
    try:
        value = decode_json(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _key(reference: str, case: Case, trial: int) -> str:
    asked = msgspec.json.encode([reference, case.id, case.input, trial], order="sorted")
    return hashlib.sha256(asked).hexdigest()
