"""Several `evalkit serve` of one project under load, and an upstream that keeps its own books.

Every question names its key and has a number of its own, so that what the upstream was asked, what
clients were told, and what the ledger charged can be held against each other call by call.
"""

import asyncio
import re
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from evalkit import Project
from evalkit.records.call import Message, PreparedCall
from evalkit.records.ledger import KeyCaps, Scopes
from evalkit.store.gateway_keys import GatewayKeys
from tests.peers.gateway import serving
from tests.servers.openai_server import OpenAIServer, SeenRequest, tokens

ROUTE = "work"
MAX_TOKENS = 20
USD_PER_MTOK = (1.0, 4.0)
# every policy that acts on a question and its answer; what is spent is capped by `budgets`
CONFIG = """\
version: 1
providers: {{up: {{kind: openai, base_url: "{url}", region: eu}}}}
models:
  one: {{provider: up, price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 4}}}}
routes:
- name: work
  models: {{primary: one}}
  regions: [eu]
  max_tokens: 20
  max_tool_calls: 2
  max_steps: 4
  max_total_tokens: 1000
  policies:
    pii_redaction: true
    secrets: {{mode: block}}
    disallow_actions: [refund]
    blocked_phrases: [{{text: falcon, where: both}}]
    allow_actions: [lookup]
  approvals: {{on_execute: legal}}
run: {{retries: 0}}
telemetry: {{content: redacted}}
budgets:
{budgets}
"""


@dataclass(frozen=True)
class Key:
    """A key of the gateway. `name` is what questions call it."""

    name: str
    secret: str
    scopes: Scopes


class HeldNow(NamedTuple):
    """A hold as it stands in the ledger file: whose it is, until when its lease lasts, in seconds
    since 1970, and the keys of its accounts, a line each."""

    owner: str
    tokens: int
    expires_at: float
    accounts: str

    def is_of(self, pid: int) -> bool:
        """Whether that process holds it."""
        return self.owner.startswith(f"{pid}-")


@dataclass
class Told:
    """What became of one question: its `status`, 0 for a connection that broke."""

    key: str
    number: int
    at: str
    status: int = 0
    text: str = ""
    rule: str = ""
    code: str = ""
    again: str = ""
    trace: str = ""


@dataclass
class Process:
    """One `evalkit serve`; `url` ends with /v1."""

    url: str
    process: "subprocess.Popen[str]"
    told: list[str]

    def kill(self) -> None:
        """As the kernel does it when memory runs out."""
        self.process.send_signal(signal.SIGKILL)


@dataclass
class Fleet:
    """The processes of one project, their upstream, and keys."""

    root: Path
    upstream: OpenAIServer
    processes: list[Process] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def start(self) -> Process:
        """One more process."""
        told: list[str] = []
        url, process = self.stack.enter_context(serving(self.root, told=told))
        self.processes.append(Process(url, process, told))
        return self.processes[-1]

    def forget(self, process: Process) -> None:
        """Leave one alone that has ended."""
        self.processes.remove(process)

    def add_key(self, name: str, *, team: str, org: str = "", caps: KeyCaps | None = None) -> Key:
        """A key of the user of that name."""
        secret, kept = GatewayKeys(self.root, now=lambda: datetime.now(UTC)).add(
            user=name, team=team, org=org, routes=(ROUTE,), caps=caps
        )
        scopes = Scopes(
            user=name, team=team, org=org, route=ROUTE, key=kept.id, caps=caps, shared=True
        )
        return Key(name, secret, scopes)

    def holds_of(self, pid: int) -> list["HeldNow"]:
        """What a process holds, once the others have settled: a matter of milliseconds."""
        while True:
            found = self.holds()
            if all(each.is_of(pid) for each in found):
                return found

    def holds(self) -> list["HeldNow"]:
        """Every hold in the ledger file."""
        with closing(sqlite3.connect(self.root / ".evalkit/ledger.db", timeout=20)) as ledger:
            rows = ledger.execute("SELECT owner, tokens, expires_at, accounts FROM holds")
            return [HeldNow(*row) for row in rows]


@contextmanager
def fleet(root: Path, budgets: str, *, processes: int) -> Iterator[Fleet]:
    """The processes serve until the block ends, over an upstream of this process."""
    upstream = OpenAIServer(usd_per_mtok=USD_PER_MTOK)
    upstream.answer = answer
    upstream.start()
    root.mkdir(parents=True, exist_ok=True)
    (root / "evalkit.yaml").write_text(CONFIG.format(url=upstream.url, budgets=budgets))
    it = Fleet(root, upstream)
    try:
        with it.stack:
            for _ in range(processes):
                it.start()
            yield it
    finally:
        upstream.stop()


def answer(request: SeenRequest) -> str:
    """From one token to the whole of `max_tokens`, with the number that was asked about."""
    _, number = asked_of(request)
    return f"{number} ".ljust(4 * (1 + number * 7 % MAX_TOKENS), "y")


def question(key: str, number: int) -> str:
    """With personal data, which the upstream must not see."""
    return f"I am kim@example.org. {key} asks {number}."


def asked_of(request: SeenRequest) -> tuple[str, int]:
    """The key's name and the number in a question."""
    found = re.search(r"(\S+) asks (\d+)\.", request.prompt)
    assert found is not None, request.prompt
    return found[1], int(found[2])


def bound_of(root: Path, key: str, number: int) -> tuple[int, int]:
    """Nano-USD and tokens that are set aside for a question, as the control core works it out."""

    async def prepare() -> PreparedCall:
        async with Project.load(root).session(ROUTE) as session:
            return session.prepare([Message(role="user", content=question(key, number))])

    call = asyncio.run(prepare())
    assert call.max_cost_usd is not None
    return round(call.max_cost_usd * 1e9), sum(call.input_tokens.values()) + call.output_tokens


@dataclass(frozen=True)
class Answered:
    """What the upstream would bill for one question."""

    key: str
    number: int
    tokens: int
    nano: int
    text: str


def answered_by(upstream: OpenAIServer) -> list[Answered]:
    """Every question that it answered, by the books that it keeps."""
    found = []
    for request in upstream.seen:
        key, number = asked_of(request)
        text = answer(request)
        sent, received = tokens(request.prompt), tokens(text)
        nano = round(1000 * (sent * USD_PER_MTOK[0] + received * USD_PER_MTOK[1]))
        found.append(Answered(key, number, sent + received, nano, text))
    assert sum(each.tokens for each in found) == (
        upstream.books.input_tokens + upstream.books.output_tokens
    )
    return found


def total(found: Iterable[Answered]) -> tuple[int, int]:
    """Nano-USD and tokens."""
    counted: Counter[str] = Counter()
    for each in found:
        counted.update(nano=each.nano, tokens=each.tokens)
    return counted["nano"], counted["tokens"]


async def ask_all(
    work: Sequence[tuple[Key, Sequence[Process]]],
    numbers: Iterator[int],
    *,
    each: int,
    until_refused: bool = False,
    heard: Callable[[Told], None] = lambda told: None,
) -> list[Told]:
    """One task for each of `work`, all at once, asks `each` questions, or until a budget refuses.

    It asks the first of its processes, and the next one once that is not there any more. `heard`
    is told of each answer as it comes.
    """
    found: list[Told] = []
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=60)
    ) as client:

        async def one(key: Key, processes: Sequence[Process]) -> None:
            left = list(processes)
            for _ in range(each):
                told = await _ask(client, key, left[0].url, next(numbers))
                found.append(told)
                heard(told)
                if not told.status and len(left) > 1:
                    left.pop(0)
                if until_refused and told.rule.startswith("budgets."):
                    return

        await asyncio.gather(*(one(*each) for each in work))
    return found


async def _ask(client: aiohttp.ClientSession, key: Key, url: str, number: int) -> Told:
    body: dict[str, Any] = {
        "model": ROUTE,
        "messages": [{"role": "user", "content": question(key.name, number)}],
    }
    told = Told(key.name, number, url)
    try:
        async with client.post(
            f"{url}/chat/completions",
            json=body,
            headers={"authorization": f"Bearer {key.secret}"},
        ) as reply:
            said = await reply.json()
    except aiohttp.ClientError:
        return told
    told.status = reply.status
    told.trace = reply.headers.get("x-evalkit-trace", "")
    told.again = reply.headers.get("x-should-retry", "")
    if reply.status == 200:
        told.text = said["choices"][0]["message"]["content"]
    else:
        told.code, told.rule = said["error"]["code"], said["error"].get("rule", "")
    return told
