"""How the table of faults is met: the server, names and proxies of its own, clocks that skip."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import trustme
from aiohttp.abc import AbstractResolver, ResolveResult

from evalkit.config.load import load_config
from evalkit.control.ledger.book import Ledger
from evalkit.control.providers.transport import HttpTransport
from evalkit.control.routing import ask_in_order
from evalkit.control.session import ControlSession
from evalkit.errors import ProviderError
from evalkit.records.call import Message, Piece
from evalkit.workflows.wiring import SystemClock, Wiring
from tests.faults.fault_table import FAULTS, Fault
from tests.servers.byte_acts import ACTS
from tests.servers.byte_server import ByteServer

T = TypeVar("T")
KEY = "sk-test-0123456789abcdefghijklmnop"
HELLO = [Message(role="user", content="hello")]
TIMEOUT_S = 30.0
PROXIES = {"proxied.invalid": "closed", "login.invalid": "plain"}


@dataclass(frozen=True)
class Place:
    """The server, and how it is reached."""

    server: ByteServer
    authority: trustme.CA
    trusted: ssl.SSLContext

    def url(self, name: str) -> str:
        """Where a fault is met."""
        fault = FAULTS.get(name, Fault("an act that is none of the table", None))
        if fault.where:
            return fault.where
        act = name if name in ACTS else "answers"
        url = self.server.url(act, door=fault.door, host=fault.host)
        return f"{fault.scheme}:{url.partition(':')[2]}" if fault.scheme else url

    def proxy_for(self, url: str) -> str | None:
        """The proxies of the table."""
        host = url.split("/")[2]
        door = PROXIES.get(host)
        return None if door is None else self.server.url("", door=door).removesuffix("//v1")

    def transport(self) -> HttpTransport:
        return HttpTransport(
            proxy_for=self.proxy_for,
            max_reply_bytes=1_000_000,
            trusted=self.trusted,
            resolver=lambda: NoNames(self.server),
        )


class NoNames(AbstractResolver):
    """Knows no host by its name, and thinks for ever about one of them."""

    def __init__(self, server: ByteServer) -> None:
        self._server = server

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host == "slow.invalid":
            await self._server.stall()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def close(self) -> None:
        pass


class SkippingLoop(asyncio.SelectorEventLoop):
    """Its time can be put forward, so that what is bounded by time ends at once."""

    ahead_s = 0.0
    step_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s

    def skip(self) -> None:
        """Put it forward by a step, from any thread, once all that has arrived is read."""
        self.call_soon_threadsafe(lambda: self.create_task(self._skip()))

    async def _skip(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        self.ahead_s += self.step_s


def run(work: Coroutine[Any, Any, T], place: Place, *, step_s: float = TIMEOUT_S + 1) -> T:
    """Run it to its end, where a stall takes no time: it is as if `step_s` had gone by."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SkippingLoop)
        loop.step_s, place.server.on_stall = step_s, loop.skip
        try:
            return runner.run(work)
        finally:
            place.server.on_stall = lambda: None


class SkippingClock(SystemClock):
    """The machine's time, and what would have been waited is put on top of it."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=sum(self.slept))

    def monotonic(self) -> float:
        return super().monotonic() + sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@dataclass
class Cell:
    """A control plane whose model `one` meets the fault, and what became of its calls."""

    session: ControlSession
    clock: SkippingClock
    streamed: bool
    heard: list[Piece] = field(default_factory=list)
    hops: list[str] = field(default_factory=list)

    async def ask(self) -> tuple[str, str]:
        """The model that answered and the text, or the error's code and its message."""
        try:
            return await (self._stream() if self.streamed else self._complete())
        except ProviderError as error:
            assert KEY not in str(error)
            return error.code, str(error)

    async def _complete(self) -> tuple[str, str]:
        completion = await self.session.complete(HELLO)
        self.hops = [hop.code for hop in completion.fallbacks]
        return completion.model, completion.content

    async def _stream(self) -> tuple[str, str]:
        generation = self.session._generation
        offer, reply, hops = await ask_in_order(
            generation._order,
            generation._question(HELLO, (), None, None, 1),
            caller=generation._caller,
            trace=generation._state.trace,
            identity="",
            on_piece=self.heard.append,
        )
        self.hops = [hop.code for hop in hops]
        return offer.model.name, reply.content


@asynccontextmanager
async def cell(
    place: Place,
    name: str,
    *,
    streamed: bool,
    retries: int = 0,
    more: str = "",
    spare: bool = False,
) -> AsyncIterator[Cell]:
    """A cell of the table, or of an act that is none of it."""
    clock = SkippingClock()
    config = load_config(
        f"""\
providers:
  served: {{kind: openai, base_url: "{place.url(name)}", api_key_env: LLM_KEY}}
  spare: {{kind: openai, base_url: "{place.server.url("answers")}", api_key_env: LLM_KEY}}
models:
  one: {{provider: served, price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 1}}}}
  two: {{provider: spare, price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 1}}}}
routes:
- {{name: work, models: {{primary: one{", fallback: two" if spare else ""}}}, max_tokens: 20}}
run: {{retries: {retries}, timeout_s: {TIMEOUT_S}}}
{more}
""".encode()
    ).config
    transport = place.transport()
    wiring = Wiring(Path(), clock=clock, transport=transport, environ={"LLM_KEY": KEY})
    route = config.route("work")
    assert route is not None
    plane = wiring.control_plane(config, route, suite="", ledger=Ledger(config.budgets), cache=None)
    try:
        yield Cell(plane.open_for({}), clock, streamed)
    finally:
        await wiring.close()
        await transport.close()
