"""An attempt's session as the program that is tested uses it, through whatever door it comes.

What the program asks is part of the attempt: traced, charged, held to the route's policies, and
kept for the scorers. What could not be answered decides how the attempt ends.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from evalkit.errors import BudgetExhausted, PolicyBlocked, ProviderError, SessionError
from evalkit.execute.play import Play
from evalkit.execute.programs.answer import TargetFailed
from evalkit.ports import ModelDoor
from evalkit.records.asset import Output, Tool
from evalkit.records.call import Completion, Message, Piece


class AttributedSession:
    """Implements ports.ModelSession for one attempt.

    `unanswered` is the last model that could not be asked, None once one answered again; `blocked`
    is the last no of a policy.
    """

    def __init__(self, play: Play, trial: int) -> None:
        """`trial` is the attempt's: its calls have keys of their own."""
        self._play = play
        self._trial = trial
        self._asked_for: dict[str, str] = {}
        self.unanswered: SessionError | None = None
        self.blocked: PolicyBlocked | None = None

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        interim: bool = False,
    ) -> Completion:
        """As `Session.complete`, in the attempt's trial."""
        self._note_results(messages)
        try:
            completion = await self._play.session.complete(
                messages,
                tools=tools,
                params=params,
                output=output,
                trial=self._trial,
                interim=interim,
            )
        except SessionError as error:
            self._failed(error)
            raise
        self._answered(completion)
        return completion

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        interim: bool = False,
    ) -> AsyncGenerator[Piece | Completion, None]:
        """As `Session.stream`, in the attempt's trial."""
        self._note_results(messages)
        pieces = self._play.session.stream(
            messages,
            tools=tools,
            params=params,
            output=output,
            trial=self._trial,
            interim=interim,
        )
        try:
            async with aclosing(pieces):
                async for each in pieces:
                    if isinstance(each, Completion):
                        self._answered(each)
                    yield each
        except SessionError as error:
            self._failed(error)
            raise

    def _answered(self, completion: Completion) -> None:
        self.unanswered = None
        self._play.take(completion)
        self._asked_for.update({call.id: call.name for call in completion.tool_calls})

    def _failed(self, error: SessionError) -> None:
        completion = getattr(error, "completion", None)
        if completion is not None:
            self._play.take(completion)
        if isinstance(error, ProviderError | BudgetExhausted):
            self.unanswered = error
        if isinstance(error, PolicyBlocked):
            self.blocked = error

    def _note_results(self, messages: Sequence[Message]) -> None:
        """A result of a call that a model asked for here tells that the program made the call."""
        for message in messages:
            if message.role == "tool":
                name = self._asked_for.pop(message.tool_call_id, None)
                if name is not None:
                    self._play.allowed.append(name)


@asynccontextmanager
async def attributed(
    door: ModelDoor | None, play: Play, trial: int, *, token: str | None = None
) -> AsyncIterator[str]:
    """Around the program's work: calls that come in at the door with the token are the attempt's.

    Gives the token, a new one without `token`; empty where there is no door. Ends with what could
    not be answered, whatever the program made of that, and with a policy's no where the program
    failed over it.
    """
    if door is None:
        yield ""
        return
    token = token or await door.issue()
    session = AttributedSession(play, trial)
    try:
        with door.attempt(token, session):
            yield token
    except TargetFailed:
        if session.unanswered is not None:
            raise session.unanswered from None
        if session.blocked is not None:
            raise session.blocked from None
        raise
    if session.unanswered is not None:
        raise session.unanswered
