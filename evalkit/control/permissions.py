"""The steps of one session: which one it is in, and what a step's token permits.

A workflow is in one step at a time. Entering a step ends the one before it, so that a token cannot
be kept for later; a token also expires, on the session's clock.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, timedelta

import msgspec

from evalkit.config.permissions import DEFAULT_TTL_S, Step
from evalkit.config.routes import Route
from evalkit.control.names import folded
from evalkit.control.ruling import Ruling
from evalkit.ports import Clock
from evalkit.records.permission import StepToken

TOKEN_RULE = "steps.token"


class _Issued(msgspec.Struct, frozen=True):
    """A session's own copy of a token, and when it ends on the monotonic clock."""

    token: StepToken
    ends_s: float


class StepPermits:
    """Issues the tokens of one session and rules on them."""

    def __init__(self, route: Route, clock: Clock) -> None:
        """No step is entered yet."""
        self._route = route
        self._steps: Mapping[str, Step] = route.steps
        self._clock = clock
        self._current: _Issued | None = None
        self._left: dict[str, str] = {}

    @property
    def current(self) -> str | None:
        """The step that was entered last, whether or not its token still holds."""
        return None if self._current is None else self._current.token.step

    def rule_entry(self, step: str) -> Ruling:
        """Whether there is such a step. A route without steps has every one: it restricts none."""
        if step in self._steps or not self._steps:
            return Ruling(True, self._rule_of(step), f"step {step} begins")
        names = ", ".join(self._steps)
        return Ruling(
            False, "steps", f"route {self._route.name} has no step {step}; it has {names}"
        )

    def _rule_of(self, step: str) -> str:
        """The key of a step. One that the route does not name is a client's word, and no key."""
        return f"steps.{step}" if step in self._steps else "steps"

    def enter(self, step: str) -> StepToken:
        """Begin a step that `rule_entry` allows; the one before it ends."""
        if self._current is not None:
            self._left[self._current.token.id] = self._current.token.step
        known = self._steps.get(step)
        ttl_s = DEFAULT_TTL_S if known is None else known.ttl_s
        ends_at = self._clock.now().astimezone(UTC) + timedelta(seconds=ttl_s)
        token = StepToken(
            id=secrets.token_urlsafe(18),
            step=step,
            tools=None if known is None else tuple(known.tools),
            data=None if known is None else tuple(known.data),
            expires_at=ends_at.isoformat(timespec="milliseconds"),
        )
        self._current = _Issued(token, self._clock.monotonic() + ttl_s)
        return token

    def rule_tool(self, name: str, token: StepToken | None) -> Ruling | None:
        """Whether a tool may be called now; None where the route has no steps and no token came."""
        return self._rule(name, "tools", token)

    def rule_data(self, index: str, token: StepToken | None) -> Ruling | None:
        """Whether an index may be read now; None as for tools."""
        return self._rule(index, "data", token)

    def _rule(self, name: str, kind: str, token: StepToken | None) -> Ruling | None:
        if not self._steps and token is None:
            return None
        refusal = self._refusal(token)
        if refusal is not None:
            return Ruling(False, TOKEN_RULE, f"{name}: {refusal}")
        assert self._current is not None, "a session without a step refuses"
        step = self._current.token.step
        permitted = self._current.token.tools if kind == "tools" else self._current.token.data
        rule = f"{self._rule_of(step)}.{kind}"
        if permitted is None:
            return Ruling(True, rule, f"step {step} may use {name}")
        # tools by their exact name would let Send_Email pass where send_email is meant, and the
        # other way round: it is the same tool to whoever wrote the list
        known = {folded(each) for each in permitted} if kind == "tools" else set(permitted)
        if (folded(name) if kind == "tools" else name) in known:
            return Ruling(True, rule, f"step {step} may use {name}")
        names = ", ".join(permitted) or "none"
        noun = "tools" if kind == "tools" else "indexes"
        return Ruling(False, rule, f"step {step} may not use {name}; its {noun}: {names}")

    def _refusal(self, token: StepToken | None) -> str | None:
        """Why no step's permission stands, or None for one that does."""
        issued = self._current
        if token is not None and (issued is None or token.id != issued.token.id):
            left = self._left.get(token.id)
            if left is not None:
                return f"step {left} was left, and its token ended with it"
            return "the token is not of this session"
        if issued is None:
            return f"no step was entered; route {self._route.name} has {', '.join(self._steps)}"
        if self._clock.monotonic() >= issued.ends_s:
            return f"the token of step {issued.token.step} expired at {issued.token.expires_at}"
        return None
