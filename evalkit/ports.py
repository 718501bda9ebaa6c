"""What the stages ask of each other; `workflows` hands each of them an object that has it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime
from typing import Any, BinaryIO, Literal, Protocol

import msgspec

from evalkit.records.approval import ApprovalAsked, ApprovalClaim
from evalkit.records.asset import Output, Tool
from evalkit.records.attempt import Attempt, Step
from evalkit.records.call import (
    Completion,
    Decision,
    Message,
    Piece,
    PreparedCall,
    Reply,
    Request,
    ToolCall,
)
from evalkit.records.call_log import EarlierAnswer, ModelGivenUp
from evalkit.records.case import Document
from evalkit.records.event import Event
from evalkit.records.history import CaseTally, RunEntry, Trend
from evalkit.records.judgment import Subject
from evalkit.records.ledger import Account, Amount, Balance, Held, Limit, Refusal
from evalkit.records.permission import StepToken
from evalkit.records.run import Flake


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> datetime:
        """The time of day, in UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class HttpReply(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP reply; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Transport(Protocol):
    """HTTP out. Raises ProviderError for what never became a reply: timeout, connection,
    malformed_reply (not readable as HTTP says), bad_request (an address that cannot be asked)."""

    async def post(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> HttpReply:
        """POST and read the whole reply."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_s: float,
    ) -> HttpReply:
        """The same by any method; without a body where it is None."""

    async def close(self) -> None:
        """Give the connections back."""


class HttpStream(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP reply whose body is still arriving; header names are in lower case.

    `chunks` raises what `Transport` raises, and ends where the body ends.
    """

    status: int
    headers: dict[str, str]
    chunks: AsyncIterator[bytes]


class StreamingTransport(Transport, Protocol):
    """A transport that also hands over a body as it arrives."""

    def stream(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> AbstractAsyncContextManager[HttpStream]:
        """POST, and read the reply's body piece by piece; leaving the context ends the exchange.

        `timeout_s` bounds how long the server is waited for in all, not how long a reader takes.
        """


class Provider(Protocol):
    """A source of replies. Raises ProviderError.

    `identity` is what a request's key knows of it (kind and address): two providers with one
    identity answer alike, so a recording has the identity of the model that was recorded.
    """

    @property
    def name(self) -> str:
        """The configured provider's name, for messages."""

    @property
    def identity(self) -> str:
        """Kind and address."""

    @property
    def origin(self) -> Literal["live", "recording", "scripted"]:
        """Where its replies come from."""

    def missing(self, request: Request) -> str | None:
        """What a replaying provider lacks to answer this, or None."""

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        """Ask once."""

    def stream(self, request: Request, *, timeout_s: float) -> AsyncGenerator[Piece, None]:
        """Ask once, and hand over the reply as it arrives; the last piece is the whole reply.

        An error may come after pieces: whoever has passed them on cannot ask again. A reader that
        stops early closes it (`contextlib.aclosing`), which ends the call.
        """

    async def close(self) -> None:
        """Give everything back."""


class Cache(Protocol):
    """Replies by the key of their request."""

    def get(self, key: str) -> Reply | None:
        """The stored reply, or None."""

    def put(self, key: str, reply: Reply) -> None:
        """Store a reply."""


class Accounts(Protocol):
    """Where a ledger counts. Every method raises StoreError where that cannot be read or written.

    Amounts are integers; a hold is on all of its accounts or on none.
    """

    def hold_now(self, amount: Amount, limits: Sequence[Limit]) -> Held | Refusal:
        """Set an amount aside if it fits under every limit, and wait for the disk if need be."""

    async def hold(self, amount: Amount, limits: Sequence[Limit]) -> Held | Refusal:
        """The same for many tasks at once: those of one tick of the event loop go together.

        A task that is cancelled meanwhile leaves nothing held.
        """

    def end(self, held: Held, charged: Amount, then: Callable[[], None]) -> None:
        """Charge `charged` in place of the hold and call `then`, soon.

        A hold that is no longer there was charged in full; only what goes beyond it is added.
        """

    def balances(self, accounts: Sequence[Account]) -> tuple[Balance, ...]:
        """What is spent and held on each, without writing anything."""

    def open_run(self, account: Account, spent: Amount) -> None:
        """Go on with a run: charge in full what its earlier processes held, and see to it that its
        account says at least `spent`."""

    def forget_run(self, run: str) -> None:
        """A session that was a run of its own has ended, and nobody goes on with it."""

    def settle(self) -> None:
        """Write what calls were charged that have ended. Raises StoreError."""

    @property
    def shared(self) -> bool:
        """Whether other processes may count here too, so that waiting means looking again."""

    def close(self) -> None:
        """Write what is left to write and give the file back. Closing twice is harmless."""


class Vectors(Protocol):
    """Embeddings by the digest of what was embedded, as bytes. Raises StoreError."""

    def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Those of the keys that are stored."""

    def put(self, vectors: Mapping[str, bytes]) -> None:
        """Store them."""


class Journal(Protocol):
    """The append-only record of a run."""

    def append(self, attempt: Attempt) -> None:
        """Write one line and hand it to the operating system before returning."""


class WorkCalls(Protocol):
    """The calls for one attempt or judgment, written down before and after each.

    `before_usd` and `before_tries` are of calls that a process made for it which was stopped before
    it was finished. Every method raises StoreError.
    """

    before_usd: float
    before_tries: int

    def answered(self, key: str) -> Reply | ModelGivenUp | None:
        """What a stopped process was answered to this very request, or that it gave the model up
        and asked another. Each answer stands for one call."""

    def left(self) -> Sequence[EarlierAnswer]:
        """What `answered` may still give, in order."""

    def asked(self, key: str, *, usd: float, tokens: int) -> int:
        """A call is about to leave, with its upper bounds; its number."""

    def ended(self, number: int, *, usd: float, tokens: int, reply: Reply | None = None) -> None:
        """It ended and was charged so much; `reply` is as it may be stored."""

    def gave_up(self, key: str, message: str, *, code: str = "", busy: bool = False) -> None:
        """Another model is asked instead; `message` is redacted."""


class CallLog(Protocol):
    """Where the calls of a run are written down."""

    def of(self, work: str) -> WorkCalls | None:
        """The calls for a piece of work (`records.call_log`); None where nothing is kept."""


class History(Protocol):
    """The runs that were made, as queries need them; rebuilt from the bundles at any time.

    Every method raises StoreError for a store that cannot be read or written.
    """

    def record(self, run: RunEntry, tallies: Mapping[tuple[str, str], Iterable[CaseTally]]) -> None:
        """Store a run, or replace what is stored of it. `tallies` by (suite, variant)."""

    def runs(
        self,
        *,
        branch: str | None = None,
        sha: str | None = None,
        tag: str | None = None,
        passed: bool = False,
        main: bool = False,
        suite: str | None = None,
        limit: int = 100,
    ) -> tuple[RunEntry, ...]:
        """Complete runs that gate and match everything given, newest first. `sha` may be a prefix.

        `passed` asks for exit code 0 with outcome PASS.
        """

    def of_content(self, suite: str, content: str) -> tuple[RunEntry, ...]:
        """Complete runs that gate and have an arm of that suite and content, oldest first."""

    def flakes(self, suite: str, content: str) -> tuple[Flake, ...]:
        """Cases that passed some of at least five measurements of that content, and not all.

        Counted are arms that `RunEntry.counts`.
        """

    def tallies(self, suite: str, content: str) -> tuple[CaseTally, ...]:
        """Every case of that content with its distinct measurements, as `flakes` counts them."""

    def trends(
        self,
        *,
        suite: str | None = None,
        metric: str = "pass_rate",
        slices: bool = False,
        branch: str | None = None,
        limit: int = 50,
    ) -> tuple[Trend, ...]:
        """One series a suite (and slice) of the candidates' figures, over its last `limit` runs."""

    def known(self) -> frozenset[str]:
        """Ids of the runs that are stored."""

    def stamps(self) -> Mapping[str, str]:
        """The stored runs with their stamps, so that one whose bundle changed is read again."""

    def forget(self, runs: Sequence[str]) -> None:
        """Drop runs whose bundles are gone."""

    def close(self) -> None:
        """Give the store back."""


class AuditLog(Protocol):
    """Who decided what, in entries that cannot be changed or taken out unseen.

    The one place where identities are real names; everywhere else they are pseudonyms.
    """

    def append(self, kind: str, actor: Mapping[str, str], about: Mapping[str, Any]) -> None:
        """Write one entry and hand it to the operating system before returning.

        `kind` is a dotted name such as `approval.granted`; `actor` tells who did it (`user`,
        `org`, `team`, as far as they are known), `about` what: plain data without secrets and
        without personal data of anybody else. Raises StoreError.
        """


class Approvals(Protocol):
    """Approvals of tool calls that people give while a service runs."""

    def claim(self, asked: ApprovalAsked) -> ApprovalClaim:
        """Use an approval that covers the call, or leave a request for one. Raises StoreError.

        Of two claims of one approval, at any time and from any process, exactly one has it.
        """


class Opening(Protocol):
    """A session that may not be needed: what its first call would be is known without it."""

    @property
    def keeping(self) -> bool:
        """Whether what is put together for it is worth to be kept: few attempts will ask it."""

    def session(self) -> "Session":
        """The session, once it is needed."""

    def prepare(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        trial: int = 1,
    ) -> PreparedCall:
        """As the session's. With `keeping` a session that asks the same, by the very same objects,
        need not put it together again."""


class Session(Protocol):
    """One workflow execution for one identity on one route: the three guarded acts."""

    @property
    def identity(self) -> str:
        """The pseudonym of whom it is for; empty where that is nobody."""

    @property
    def trace_id(self) -> str:
        """What its trace will be called; empty where none is kept under that name."""

    @property
    def decisions(self) -> Sequence[Decision]:
        """The trace so far."""

    @property
    def steps(self) -> Sequence[Step]:
        """What it did so far, in order, as it may be stored."""

    @property
    def tries(self) -> int:
        """Provider calls made so far, retries and fallbacks included."""

    @property
    def billed_usd(self) -> float:
        """What its calls were charged so far; one whose reply was lost counts with its bound."""

    def enter(self, step: str) -> StepToken:
        """Begin a step of the route; the one before it ends. Raises PolicyBlocked."""

    async def retrieve(
        self, index: str, query: str, token: StepToken | None = None
    ) -> tuple[Document, ...]:
        """Documents of an index. Raises PolicyBlocked."""

    async def check_documents(
        self,
        index: str,
        query: str,
        documents: Sequence[Document],
        token: StepToken | None = None,
    ) -> tuple[Document, ...]:
        """Of documents that were looked up elsewhere, those that may be used. Raises
        PolicyBlocked."""

    def declare(self, tools: Sequence[Tool]) -> None:
        """Say which tools a model was offered elsewhere."""

    def prepare(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        trial: int = 1,
    ) -> PreparedCall:
        """The call that `complete` would make, priced, without making it. Raises ConfigError."""

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        trial: int = 1,
        interim: bool = False,
    ) -> Completion:
        """Ask the route's model. Raises SessionError.

        With `interim` a reply that asks for tools is a turn on the way to an answer: its text needs
        no form and no citations.
        """

    def stream(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        trial: int = 1,
        interim: bool = False,
    ) -> AsyncGenerator[Piece | Completion, None]:
        """Ask like `complete`: pieces as they may be handed on, then the completion.

        Closing it ends the call. Raises SessionError, also after pieces.
        """

    def authorize(self, call: ToolCall, token: StepToken | None = None) -> None:
        """Return if the call may be executed. Raises PolicyBlocked.

        `token` is the step's; without one the step that was entered last is meant.
        """

    def tool_result(
        self,
        call: ToolCall,
        result: Any,
        *,
        error: str | None = None,
        latency_s: float | None = None,
    ) -> Message:
        """An authorized call's result, or its `error`, as the message that the model gets."""

    def redacted(self, text: str) -> str:
        """The text as it may be stored."""

    def is_plain(self, texts: Iterable[str]) -> bool:
        """Whether there is for certain nothing to redact in any of these; False says nothing."""

    def redacted_reply(self, reply: Reply) -> Reply:
        """The reply as it may be stored; a text that is JSON stays JSON."""

    def cited(self, text: str, parsed: Any) -> tuple[str, ...]:
        """Ids of the documents that a reply cites; `parsed` is its JSON, None for a text."""


class JudgeSessions(Protocol):
    """Opens a judge's sessions: the same control core as every other call, on the judge's route."""

    def open(self, route: str, subject: Subject, *, suite: str = "", case: str = "") -> Session:
        """A session on a route of the working tree. What it spends is the run's.

        The subject's data is what its redaction is primed with; suite and case are for attribution.
        """


class ModelSession(Protocol):
    """As much of a session as somebody needs who only asks models."""

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        interim: bool = False,
    ) -> Completion:
        """As `Session.complete`."""

    def stream(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        interim: bool = False,
    ) -> AsyncGenerator[Piece | Completion, None]:
        """As `Session.stream`."""


class ModelDoor(Protocol):
    """Where an application's own model calls come in while it is tested."""

    async def issue(self) -> str:
        """A new token, once the door is open. Raises Refused where it cannot be opened."""

    def attempt(self, token: str, session: ModelSession) -> AbstractContextManager[None]:
        """Around an attempt: calls that come with the token are made in the session."""

    def environ(self, token: str) -> Mapping[str, str]:
        """Variables from which the vendors' own clients take their address and their key."""

    def headers(self, token: str) -> Mapping[str, str]:
        """What an application that runs already is told: the address and the key."""


class FileTree(Protocol):
    """Files of a project: the working tree, or a git ref."""

    label: str

    def read(self, path: str) -> bytes:
        """The content of a file. Raises FileNotFoundError, and ConfigError for a forbidden path."""

    def open(self, path: str) -> AbstractContextManager[BinaryIO]:
        """The content of a file as a stream, for files that are too large to read whole.

        Raises as `read` does.
        """

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""

    def list(self, folder: str) -> list[str]:
        """Names in a folder, sorted; empty where there is none."""


EventSink = Callable[[Event], None]
