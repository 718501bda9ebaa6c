"""Sessions that span several requests: what one workflow does over HTTP adds up.

A client names its session in `x-evalkit-session`; without the header each request is a session of
its own. A session belongs to the key and the route that began it, its requests follow each other,
and it ends when it is told to, or was left alone for long: then its trace is written. Once the
project was loaded anew it begins anew, so that what is in force now holds for it, too.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from evalkit.gateway.exchange import Exchange
from evalkit.gateway.refusals import Declined, Refusal, unreadable
from evalkit.gateway.service import Service
from evalkit.ports import Session
from evalkit.records.call import Decision
from evalkit.records.gateway_key import GatewayKey

HEADER = "x-evalkit-session"
STEP = "x-evalkit-step"
TRACE = "x-evalkit-trace"
IDLE_S = 900.0
MOST = 10_000
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")

_Place = tuple[str, str]  # the key's id, and what its client calls the session


@dataclass(slots=True)
class _Open:
    """A session that is open. `users` are requests that are on it or wait for it."""

    route: str
    end_user: str
    stack: AsyncExitStack
    session: Session | None = None
    used_at: float = 0.0
    users: int = 0
    step: str = ""
    generation: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


_SEVERAL = Refusal(
    status=400,
    kind="invalid_request",
    code="sessions_need_one_process",
    message=f"{HEADER} needs a gateway of one process: this one has several workers behind its "
    "port, and a session lives in one of them; serve without --workers, behind a balancer that "
    "sticks by this header",
    param=HEADER,
)


def session_name(exchange: Exchange) -> str | None:
    """What a client calls its session; None for a request by itself. Raises Declined for an id that
    is none."""
    name = exchange.headers.get(HEADER)
    if name is not None and not _ID.fullmatch(name):
        raise unreadable(f"{HEADER} is 1 to 128 letters, digits, and any of _ . : -", HEADER)
    return name


class SessionTable:
    """The sessions of one gateway process."""

    def __init__(
        self,
        service: Service,
        *,
        monotonic: Callable[[], float],
        heard: Callable[[str, Sequence[Decision], float], None],
        idle_s: float = IDLE_S,
        most: int = MOST,
        alone: bool = True,
    ) -> None:
        """A session that nobody uses for `idle_s` ends; there are `most` of them at a time.

        Where the process is not `alone` behind its port, a session that a client names is refused:
        its next request may come to another process, and caps would count anew there.
        `heard` is told, of each request, the route, what was decided, and what calls were charged.
        """
        self._service = service
        self._monotonic = monotonic
        self._heard = heard
        self._idle_s = idle_s
        self._most = most
        self._alone = alone
        self._open: dict[_Place, _Open] = {}

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    @asynccontextmanager
    async def take(
        self, exchange: Exchange, route: str, holder: GatewayKey, end_user: str = ""
    ) -> AsyncIterator[Session]:
        """The session that a request is part of, in the step that it names.

        Raises Declined for an id that is none, or one of another route or user, and for any where
        it cannot be kept; PolicyBlocked for a step that the route does not have.
        """
        exchange.route = route
        name = session_name(exchange)
        if name is not None and not self._alone:
            raise Declined(_SEVERAL)
        step = exchange.headers.get(STEP, "")
        if name is None:
            async with self._service.session(route, holder, end_user=end_user) as session:
                _tell_trace(exchange, session)
                with self._listening(route, session):
                    if step:
                        session.enter(step)
                    yield session
            return
        await self.end_idle()
        mine = self._find(name, route, holder, end_user)
        mine.users += 1
        try:
            async with mine.turn:
                if mine.session is not None and mine.generation != self._service.generation:
                    mine.session, mine.step = None, ""
                    await mine.stack.aclose()
                if mine.session is None:
                    mine.generation = self._service.generation
                    opened = self._service.session(route, holder, end_user=end_user)
                    mine.session = await mine.stack.enter_async_context(opened)
                _tell_trace(exchange, mine.session)
                with self._listening(route, mine.session):
                    if step and step != mine.step:
                        mine.session.enter(step)
                        mine.step = step
                    yield mine.session
        finally:
            mine.users -= 1
            mine.used_at = self._monotonic()
            if mine.session is None and not mine.users:
                self._open.pop((holder.id, name), None)

    @contextmanager
    def _listening(self, route: str, session: Session) -> Iterator[None]:
        """Tell what one request adds to a session."""
        seen, spent_usd = len(session.decisions), session.billed_usd
        try:
            yield
        finally:
            self._heard(route, session.decisions[seen:], session.billed_usd - spent_usd)

    def _find(self, name: str, route: str, holder: GatewayKey, end_user: str) -> _Open:
        place = (holder.id, name)
        mine = self._open.get(place)
        if mine is None:
            if len(self._open) >= self._most:
                message = f"{self._most} sessions are open; end some, or wait"
                raise Declined(
                    Refusal(
                        status=503,
                        kind="overloaded",
                        code="too_many_sessions",
                        message=message,
                        retry=True,
                    )
                )
            mine = self._open[place] = _Open(route, end_user, AsyncExitStack())
            mine.used_at = self._monotonic()
        elif mine.route != route:
            raise unreadable(f"session {name} is on route {mine.route}", HEADER)
        elif end_user not in ("", mine.end_user):
            raise unreadable(f"session {name} is for another user", "user")
        return mine

    async def end(self, holder: GatewayKey, name: str) -> bool:
        """End a session; whether there was one. A request that is on it ends first."""
        mine = self._open.pop((holder.id, name), None)
        if mine is None:
            return False
        async with mine.turn:
            await mine.stack.aclose()
        return True

    async def end_idle(self) -> None:
        """End those that nobody has used for long."""
        before = self._monotonic() - self._idle_s
        idle = [
            place for place, each in self._open.items() if not each.users and each.used_at < before
        ]
        await self._end(idle)

    async def sweep(self, every_s: float) -> None:
        """End those again and again: nobody may come any more who would notice."""
        while True:
            await asyncio.sleep(every_s)
            await self.end_idle()

    async def end_all(self) -> None:
        """End all of them: the gateway stops."""
        await self._end(list(self._open))

    async def _end(self, places: list[_Place]) -> None:
        for place in places:
            if (mine := self._open.pop(place, None)) is not None:
                async with mine.turn:
                    await mine.stack.aclose()


def _tell_trace(exchange: Exchange, session: Session) -> None:
    """Every answer from here on, refusals too, names the trace that will tell of it."""
    if session.trace_id:
        exchange.about[TRACE] = session.trace_id
