"""The embedded model, in this process: one thread, one slot, one call at a time.

What a small quantised model answers depends on how its prompt was cut into batches, and with a
prompt cache that depends on what was asked before. So every call starts from the same state: the
prompt's fixed part (system, examples) is computed once from nothing, and the cache is led back to
just that part before each call. Then a reply depends on its request alone, whatever the order.
"""

import asyncio
import threading
import uuid
import zlib
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import msgspec

from evalkit.control.providers.answers import Answer, MalformedAnswer, malformed, reply_from
from evalkit.control.providers.engine import Engine, open_engine, require_weights
from evalkit.control.providers.error_bodies import ErrorBody, error_from
from evalkit.control.providers.event_streams import Event
from evalkit.control.providers.identity import identity_of
from evalkit.control.providers.meanings import meaning_of, status_in
from evalkit.control.providers.openai_reply import convert_completion
from evalkit.control.providers.openai_request import payload_of
from evalkit.control.providers.openai_stream import ChatAssembler
from evalkit.control.providers.provider_errors import shown
from evalkit.control.providers.weights import EMBEDDED
from evalkit.errors import ProviderError, StoreError
from evalkit.ports import Clock
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Message, Piece, Reply, Request

FIXED_PARTS = ("system", "examples")


class LocalProvider:
    """Asks the embedded model. Loading happens at the first call, in the worker thread.

    Raises Refused when it is made where the engine or the weights are missing.
    """

    origin: Literal["live"] = "live"

    def __init__(
        self,
        *,
        name: str,
        clock: Clock,
        weights: Path | None = None,
        open_engine: Callable[[Path], Engine] = open_engine,
    ) -> None:
        """`weights` default to those of `evalkit local pull`."""
        self.name = name
        self.identity = identity_of("local")
        self._weights = weights or require_weights()
        self._open_engine = open_engine
        self._clock = clock
        self._engine: Engine | None = None
        self._computed: set[str] = set()
        self._turn = asyncio.Lock()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedded-model")

    def missing(self, request: Request) -> str | None:
        """Nothing: the model is asked."""
        return None

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        """Ask once; `timeout_s` counts from when the call's turn comes. Raises ProviderError."""
        return await self._ask(request, timeout_s, lambda piece: None)

    async def stream(self, request: Request, *, timeout_s: float) -> AsyncGenerator[Piece, None]:
        """Ask once, and hand over the reply as it is made. Raises as `complete` does."""
        heard: asyncio.Queue[Piece | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def hear(piece: Piece) -> None:
            loop.call_soon_threadsafe(heard.put_nowait, piece)

        asked = asyncio.ensure_future(self._ask(request, timeout_s, hear))
        asked.add_done_callback(lambda _: heard.put_nowait(None))
        try:
            while (piece := await heard.get()) is not None:
                yield piece
            yield Piece(reply=await asked)
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    async def _ask(
        self, request: Request, timeout_s: float, hear: Callable[[Piece], None]
    ) -> Reply:
        if not request.tools and any(message.tool_calls for message in request.messages):
            words = "a turn calls tools, and the request declares none"
            raise self._error(FailureMode.BAD_REQUEST, words)
        stop = threading.Event()
        async with self._turn:
            work = asyncio.get_running_loop().run_in_executor(
                self._worker, self._answer, request, timeout_s, stop, hear
            )
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                stop.set()  # the thread ends at its next token; whoever is next waits for it
                raise

    async def close(self) -> None:
        """Free the model, after a call that is still being made."""
        await asyncio.to_thread(self._worker.shutdown, wait=True, cancel_futures=True)
        self._engine = None
        self._computed.clear()

    def _answer(
        self,
        request: Request,
        timeout_s: float,
        stop: threading.Event,
        hear: Callable[[Piece], None],
    ) -> Reply:
        engine = self._loaded()
        started = self._clock.monotonic()
        # With tools a prompt is a dialogue, and does not begin with the text of its first parts.
        prefix = "" if request.tools else fixed_prefix(request.messages)
        if prefix:
            self._lead_back_to(engine, prefix)
        body = payload_of(request)
        body.setdefault("seed", seed_of(request))
        body |= {
            "cache_prompt": bool(prefix),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        chunks: list[dict[str, Any]] = []
        assembler = ChatAssembler()

        def take(chunk: dict[str, Any]) -> bool:
            chunks.append(chunk)
            if "error" not in chunk:
                for piece in assembler.take(Event("", msgspec.json.encode(chunk))):
                    hear(piece)
            return stop.is_set() or self._clock.monotonic() - started > timeout_s

        try:
            engine.handle_chat_completions(body, take)
        except ValueError as error:  # a schema or parameter that the engine cannot take
            words = shown(str(error))
            raise self._error(FailureMode.BAD_REQUEST, words) from None
        if chunks and (problem := chunks[0].get("error")):
            raise self._refusal(error_from(problem))
        if not assembler.is_whole or "usage" not in chunks[-1]:
            raise self._error(
                FailureMode.TIMEOUT, f"no whole reply within {timeout_s:g} s", retryable=True
            )
        return reply_from(
            self.name,
            request,
            self._read(assembler.body()),
            measurement_id=f"local/{uuid.uuid4().hex[:12]}",
            measured_at=self._clock.now().isoformat(timespec="milliseconds"),
            latency_s=self._clock.monotonic() - started,
        )

    def _read(self, answer: dict[str, Any]) -> Answer:
        try:
            read = convert_completion(answer | {"model": EMBEDDED.model})
        except (MalformedAnswer, msgspec.ValidationError) as error:
            raise malformed(self.name, f"no chat completion: {error}") from None
        if isinstance(read, ErrorBody):
            raise self._refusal(read)
        return read

    def _loaded(self) -> Engine:
        if self._engine is None:
            try:
                self._engine = self._open_engine(self._weights)
            except StoreError as error:
                raise self._error(FailureMode.CONNECTION, str(error)) from error
        return self._engine

    def _lead_back_to(self, engine: Engine, prefix: str) -> None:
        """Make the engine's state exactly the prefix, as it came out when computed from nothing."""
        if prefix not in self._computed:
            self._compute(engine, prefix, from_cache=False)
            self._computed.add(prefix)
        if self._compute(engine, prefix, from_cache=True) > 1:
            # The engine had dropped the prefix and made it anew from something else's beginning.
            self._compute(engine, prefix, from_cache=False)
            self._compute(engine, prefix, from_cache=True)

    def _compute(self, engine: Engine, prefix: str, *, from_cache: bool) -> int:
        """Compute a prompt without generating; returns how many tokens were not in the cache."""
        answer = engine.handle_chat_completions(
            {
                "messages": [{"role": "user", "content": prefix}],
                "max_tokens": 0,
                "temperature": 0,
                "cache_prompt": from_cache,
            }
        )
        if answer is None or "error" in answer:
            raise self._refusal(error_from((answer or {}).get("error")))
        usage = answer["usage"]
        details = usage.get("prompt_tokens_details") or {}
        return int(usage["prompt_tokens"]) - int(details.get("cached_tokens") or 0)

    def _refusal(self, error: ErrorBody) -> ProviderError:
        """The engine's own error, in the format of its HTTP server."""
        status = status_in(error.code) or 500
        meaning = meaning_of(status, error)
        return self._error(meaning.mode, shown(error.message), retryable=meaning.retryable)

    def _error(self, code: FailureMode, words: str, *, retryable: bool = False) -> ProviderError:
        return ProviderError(code, f"provider {self.name}: {words}", retryable=retryable)


def seed_of(request: Request) -> int:
    """A seed of the request's own: other messages and another trial draw anew.

    With one that the cases of a run share they would be lucky together, one observation instead of
    many. Below 2^31: the engine takes 32 bits, of which the highest number means any seed.
    """
    return zlib.crc32(request.key.encode()) >> 1


def fixed_prefix(messages: tuple[Message, ...]) -> str:
    """The text before the first message that differs between cases."""
    prefix = ""
    for message in messages:
        if message.part not in FIXED_PARTS:
            break
        prefix += message.content
    return prefix
