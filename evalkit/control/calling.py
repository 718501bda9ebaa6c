"""One model being asked: the cache, a hold on the budget, the call, and more tries where it helps.

Each try has its own hold. What a failed try leaves of it: nothing where the provider did not do the
work (429, 5xx, no connection), all of it where it may have (a timeout, a connection lost later, a
task that was cancelled), because what is billed and not counted would break the cap.
"""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, aclosing, nullcontext

import msgspec

from evalkit.control.asking import Offer
from evalkit.control.flights import Flights
from evalkit.control.granting import Budgets, Passing, SetAside
from evalkit.control.providers.answers import estimate_usage
from evalkit.control.providers.pieces import pieces_of
from evalkit.control.trace import Trace
from evalkit.control.traffic import Busy
from evalkit.errors import BudgetExhausted, ProviderError, StoreError
from evalkit.ports import Cache, CallLog, Clock, EventSink, Provider
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Piece, Reply, Request
from evalkit.records.call_log import ModelGivenUp
from evalkit.records.event import AttemptRetried, CallFailed
from evalkit.records.ledger import Scopes

BACKOFF_S = 0.5
MAX_BACKOFF_S = 30.0
MAX_RETRY_AFTER_S = 60.0
# too much is asked of the provider, or it is left alone: another model may have time
LOAD_CODES = frozenset({FailureMode.RATE_LIMITED, FailureMode.CIRCUIT_OPEN})


class CallSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls of a control plane share. `retries` are further tries of one model.

    `fetch` asks for a stored reply where the cache is not in this process.
    """

    ledger: Budgets
    cache: Cache | None
    clock: Clock
    timeout_s: float
    retries: int
    jitter: random.Random
    emit: EventSink | None = None
    flights: Flights | None = None
    fetch: Callable[[str], Awaitable[Reply | None]] | None = None
    calls: CallLog | None = None


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is asked.

    An open circuit is waited for where it `is_last`, so that nobody else can be asked. A call that
    would wait for limits longer than `busy_after_s` ends as Busy. With `on_piece` the reply is
    streamed and each piece handed on; after the first one nothing is tried again.
    """

    is_last: bool = True
    busy_after_s: float | None = None
    on_piece: Callable[[Piece], None] | None = None


_PLAINLY = Manner()


class Caller:
    """Makes the calls of one session, and counts them."""

    def __init__(
        self,
        settings: CallSettings,
        trace: Trace,
        *,
        storable: Callable[[Reply], Reply],
        knows: tuple[tuple[str, str, str], ...],
        scopes: Scopes,
        work: str = "",
    ) -> None:
        """`storable` redacts a reply for the cache; `knows` are the placeholders of the session;
        `scopes` are what its calls are charged to, `work` is what they are made for in a run.
        """
        self._settings = settings
        self._trace = trace
        self._scopes = scopes
        self._storable = storable
        self._salt = salt_of(knows)
        self._calls = None if settings.calls is None else settings.calls.of(work)
        # what a stopped process did for this was tried and billed too
        self.tries = 0 if self._calls is None else self._calls.before_tries
        self.billed_usd = 0.0 if self._calls is None else self._calls.before_usd
        self._kept: tuple[Reply, Reply] | None = None

    def _cache_key(self, offer: Offer) -> str:
        return cache_key(offer.request.key, self._salt)

    async def ask(self, offer: Offer, manner: Manner = _PLAINLY) -> Reply:
        """A reply of the offer's model. Raises ProviderError, BudgetExhausted, StoreError, Busy."""
        if offer.model.provider.origin != "live":
            return await self._replay(offer, manner)
        earlier = self._answered_before(offer)
        if earlier is not None:
            told = f"the reply of {earlier.measured_at}, before the run was stopped"
            self._hand_on(earlier, offer, manner, "journal", told)
            return earlier
        stored = await self._cached(offer)
        if stored is not None:
            reply = msgspec.structs.replace(stored, origin="cache")
            told = f"the stored reply of {stored.measured_at}, billed nothing"
            self._hand_on(reply, offer, manner, "cache", told)
            return reply
        try:
            reply = await self._ask_with_retries(offer, manner)
        except ProviderError as error:
            self._note_given_up(offer, str(error), code=error.code)
            raise
        except Busy as busy:
            self._note_given_up(offer, str(busy), busy=True)
            raise
        if self._settings.cache is not None:
            self._settings.cache.put(self._cache_key(offer), self._to_keep(reply))
        return reply

    async def _cached(self, offer: Offer) -> Reply | None:
        """The stored reply to a live model's request. Raises StoreError."""
        cache, fetch = self._settings.cache, self._settings.fetch
        if fetch is not None:
            return await fetch(self._cache_key(offer))
        return None if cache is None else cache.get(self._cache_key(offer))

    def _hand_on(self, reply: Reply, offer: Offer, manner: Manner, rule: str, told: str) -> None:
        """Trace a reply that nobody was asked for now, and stream it where that is asked for."""
        name = offer.model.name
        with self._trace.spans.open("chat", name, offer=offer, reply=reply):
            self._trace.add("complete", "answered", rule, f"{name}: {told}", key=offer.request.key)
        if manner.on_piece is not None:
            for piece in pieces_of(reply):
                if piece.reply is None:
                    manner.on_piece(piece)

    def _answered_before(self, offer: Offer) -> Reply | None:
        """What the model said to this for the same attempt, before the run was stopped.

        Raises what it ended with where another model answered then: that answer comes next.
        """
        if self._calls is None:
            return None
        answer = self._calls.answered(self._cache_key(offer))
        if not isinstance(answer, ModelGivenUp):
            return answer
        if answer.busy:
            raise Busy(answer.message)
        raise ProviderError(answer.code, answer.message)

    def _note_given_up(
        self, offer: Offer, message: str, *, code: str = "", busy: bool = False
    ) -> None:
        if self._calls is not None:
            message = self._trace.redact(message)
            self._calls.gave_up(self._cache_key(offer), message, code=code, busy=busy)

    def _to_keep(self, reply: Reply) -> Reply:
        """The reply as it may be stored; worked out once for the journal and the cache."""
        if self._kept is None or self._kept[0] is not reply:
            self._kept = (reply, self._storable(reply))
        return self._kept[1]

    async def _replay(self, offer: Offer, manner: Manner) -> Reply:
        """A recorded or scripted reply: no money moves, and trying again finds nothing new."""
        provider = offer.model.provider
        self.tries += 1
        with self._trace.spans.open("chat", offer.model.name, offer=offer) as span:
            reply = await self._receive(offer, manner, [])
            span.about["reply"] = reply
            self._trace.add(
                "complete",
                "answered",
                provider.origin,
                f"{offer.model.name}: {provider.origin} reply",
            )
        return reply

    async def _ask_with_retries(self, offer: Offer, manner: Manner) -> Reply:
        settings, busy_after_s = self._settings, manner.busy_after_s
        for tried in range(settings.retries + 1):
            try:
                return await self._ask_once(offer, manner)
            except ProviderError as error:
                hopeless = not error.retryable or error.output_began or tried == settings.retries
                if hopeless or (error.code == FailureMode.CIRCUIT_OPEN and not manner.is_last):
                    self._tell_failed(offer, error, retried=False)
                    raise
                wait_s = self._wait_s(tried, error.retry_after_s)
                if error.code in LOAD_CODES and busy_after_s is not None and wait_s > busy_after_s:
                    self._tell_failed(offer, error, retried=False)
                    raise Busy(
                        f"{offer.model.name}: {error}; to try again takes {wait_s:.1f} s, more "
                        f"than {busy_after_s:g} s"
                    ) from error
                self._tell_failed(offer, error, retried=True)
                self._trace.add(
                    "complete",
                    "failed",
                    "run.retries",
                    f"{offer.model.name}: {error}; trying again in {wait_s:.2f} s, "
                    f"{tried + 1} of {settings.retries}",
                    code=error.code,
                )
                self._announce(offer.request, error.code, wait_s)
            await settings.clock.sleep(wait_s)
        raise AssertionError("unreachable: the last try returns or raises")

    def _wait_s(self, tried: int, retry_after_s: float | None) -> float:
        """Exponential backoff with full jitter, or the longer wait that the server asks for."""
        backoff_s = self._settings.jitter.uniform(0, min(MAX_BACKOFF_S, BACKOFF_S * 2**tried))
        return max(backoff_s, min(retry_after_s or 0.0, MAX_RETRY_AFTER_S))

    def _announce(self, request: Request, code: str, wait_s: float) -> None:
        if self._settings.emit is not None:
            about = request.attribution
            self._settings.emit(
                AttemptRetried(suite=about.suite, case=about.case, code=code, wait_s=wait_s)
            )

    def _tell_failed(self, offer: Offer, error: ProviderError, *, retried: bool) -> None:
        if self._settings.emit is not None:
            name = offer.model.provider.name
            self._settings.emit(
                CallFailed(provider=name, code=error.code, status=error.status, retried=retried)
            )

    async def _ask_once(self, offer: Offer, manner: Manner) -> Reply:
        model = offer.model
        if model.lane is None:
            return await self._send(offer, manner, None)
        tokens = offer.max_tokens
        # the turn comes first: a hold that waits for it would keep the budget from others
        async with model.lane.pass_through(
            model.name, tokens, busy_after_s=manner.busy_after_s
        ) as passage:
            return await self._send(offer, manner, passage)

    async def _send(self, offer: Offer, manner: Manner, passage: Passing | None) -> Reply:
        with self._trace.spans.open("chat", offer.model.name, offer=offer) as span:
            reply = await self._ask_held(offer, manner, passage)
            span.about |= {"reply": reply, "tries": self.tries}
        return reply

    async def _receive(self, offer: Offer, manner: Manner, written: list[str]) -> Reply:
        """The reply, whole or piece by piece, whose text is added to `written`.

        Raises ProviderError.
        """
        provider, timeout_s = offer.model.provider, self._settings.timeout_s
        if manner.on_piece is None:
            with self._under_way(provider):
                return await provider.complete(offer.request, timeout_s=timeout_s)
        try:
            with self._under_way(provider):
                pieces = provider.stream(offer.request, timeout_s=timeout_s)
                async with aclosing(pieces):
                    async for piece in pieces:
                        if piece.reply is not None:
                            return piece.reply
                        written.append(_text_of(piece))
                        manner.on_piece(piece)
        except ProviderError as error:
            error.output_began = bool(written)
            raise
        raise AssertionError("unreachable: the last piece of a stream is the whole reply")

    def _under_way(self, provider: Provider) -> AbstractContextManager[None]:
        """Around a live call, where somebody watches; a replay waits for nobody."""
        flights = self._settings.flights
        if flights is None or provider.origin != "live":
            return nullcontext()
        return flights.under_way(provider.name, self._settings.timeout_s)

    async def _ask_held(self, offer: Offer, manner: Manner, passage: Passing | None) -> Reply:
        hold = await self._reserve(offer)
        number = self._note_asked(offer, hold)
        kept: Reply | None = None
        tokens = offer.max_tokens
        self.tries += 1
        written: list[str] = []
        try:
            if passage is not None:
                passage.sent()
            reply = await self._receive(offer, manner, written)
            if passage is not None:
                passage.answered(reply.usage.total)
            cost_usd = offer.model.cost_usd(reply.usage)
            tokens = reply.usage.total
            hold.settle(cost_usd or 0.0, tokens)
            kept = None if self._calls is None else self._to_keep(reply)
        except ProviderError as error:
            if passage is not None:
                passage.failed(error)
            if not error.may_be_billed:
                tokens = 0
                hold.release()
            raise
        except asyncio.CancelledError:
            if written:
                self._settle_left(offer, hold, "".join(written))
            raise
        finally:
            # Without effect where the hold has ended: what is left was cut off in mid-call.
            hold.keep()
            self.billed_usd += hold.charged_usd
            if self._calls is not None:
                self._calls.ended(number, usd=hold.charged_usd, tokens=tokens, reply=kept)
        self._trace.add(
            "complete",
            "answered",
            "live",
            f"{offer.model.name} answered after {reply.latency_s:.3f} s",
            input_tokens=reply.usage.input_tokens,
            output_tokens=reply.usage.output_tokens,
            cost_usd=cost_usd,
        )
        return reply

    def _settle_left(self, offer: Offer, hold: SetAside, written: str) -> None:
        """Nobody listens any more: a provider stops writing then, and charges what it wrote."""
        usage = estimate_usage(offer.request, written)
        hold.settle(offer.model.cost_usd(usage) or 0.0, usage.total)
        self._trace.add(
            "complete",
            "failed",
            "stream.left",
            f"{offer.model.name}: nobody listened any more after about {usage.output_tokens} "
            "tokens, which are charged",
            tokens=usage.total,
        )

    def _note_asked(self, offer: Offer, hold: SetAside) -> int:
        """Write down that the call leaves now. Raises StoreError; then nothing is held."""
        if self._calls is None:
            return 0
        usd, tokens = offer.max_cost_usd or 0.0, offer.max_tokens
        try:
            return self._calls.asked(self._cache_key(offer), usd=usd, tokens=tokens)
        except StoreError:
            hold.release()
            raise

    async def _reserve(self, offer: Offer) -> SetAside:
        max_usd, max_tokens = offer.max_cost_usd, offer.max_tokens
        try:
            hold = await self._settings.ledger.reserve_in_turn(
                max_usd, max_tokens, scopes=self._scopes, degradable=offer.degradable
            )
        except BudgetExhausted as exhausted:
            message = f"{offer.model.name}: {exhausted}"
            self._trace.add("budget", "denied", exhausted.rule, message)
            raise BudgetExhausted(exhausted.rule, message, degrade=exhausted.degrade) from None
        # of so few digits that nothing takes the amount for a number of a person
        price = "no price" if max_usd is None else f"up to {max_usd:.5f} USD"
        self._trace.note(
            "budget", "allowed", "budgets", f"{price} and {max_tokens} tokens are set aside"
        )
        return hold


def cache_key(key: str, salt: str) -> str:
    """What the reply to a request of that key is stored under, in a session of that salt."""
    return hashlib.sha256(f"{key} {salt}".encode()).hexdigest() if salt else key


def salt_of(knows: tuple[tuple[str, str, str], ...]) -> str:
    """What the placeholders of a session, and what they stand for, add to the keys of its replies.

    Two cases whose prompts are alike may number their data differently, and a stored reply carries
    the numbers of one of them.
    """
    if not knows:
        return ""
    return hashlib.sha256(repr(knows).encode("utf-8", "surrogatepass")).hexdigest()


def _text_of(piece: Piece) -> str:
    """What a piece adds to an answer, tool calls included, for counting."""
    call = piece.call
    return piece.text + piece.refusal + ("" if call is None else call.name + call.arguments)
