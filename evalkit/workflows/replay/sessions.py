"""Stored sessions as a replay reads them, and requests that tell one conversation."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from evalkit.control.redaction.redactor import Redactor
from evalkit.control.telemetry import attributes as names
from evalkit.errors import Refused
from evalkit.execute.play import add_costs, add_usage
from evalkit.records.call import Message, Usage
from evalkit.records.digest import digest_of
from evalkit.records.span import SessionTrace, Span
from evalkit.workflows.traces.observed import Observed, observe

_MARKED = "marked `use: {use}`"
_NOTHING_ASKED = "nothing was asked of a model"
_SHORT, _NAMED = 8, 3


@dataclass(slots=True)
class LeftOut:
    """Sessions that are not played, by why: `barred` may not be or asked nothing, so a replay is
    not about them; `unplayed` are those that it should have been about."""

    barred: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unplayed: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def words(self) -> str:
        """All of them by why, most first; empty where there is none."""
        return named_by_why({**self.barred, **self.unplayed})


def named_by_why(sessions: Mapping[str, Sequence[str]]) -> str:
    """Sessions by why, most first: how many, and the first of them by name."""
    parts = []
    for why, ids in sorted(sessions.items(), key=lambda each: -len(each[1])):
        named = ", ".join(each[:_SHORT] for each in ids[:_NAMED])
        more = ", …" if len(ids) > _NAMED else ""
        parts.append(f"{why} ({len(ids):,}: {named}{more})")
    return "; ".join(parts)


@dataclass(slots=True)
class Session:
    """A session that can be read. `chats` are its answered calls, oldest first: with those of the
    requests before it, where each was a session of its own. `tries` counts the calls."""

    trace: SessionTrace
    seen: Observed
    chats: list[Span]
    tries: int

    @property
    def usage(self) -> Usage:
        """Tokens of all its calls."""
        return add_usage(map(_usage, self.chats))

    @property
    def cost_usd(self) -> float | None:
        """The list price of all its calls; None as soon as one has none."""
        return add_costs(map(_cost, self.chats))

    @property
    def latency_s(self) -> float:
        """What its calls took."""
        return sum(chat.duration_s for chat in self.chats)

    def is_whole(self, first: int) -> bool:
        """Whether every answer after the `first` messages is one of its calls, so that its sums are
        those of the conversation."""
        answers = sum(each.role == "assistant" for each in self.seen.heard[first:])
        return len(self.chats) > answers


def read_sessions(traces: Iterable[SessionTrace], left_out: LeftOut) -> list[Session]:
    """Those that may be played and can be read; the others are put into `left_out`."""
    sessions = []
    for trace in traces:
        found = _read(trace)
        if isinstance(found, Session):
            sessions.append(found)
        elif found == _NOTHING_ASKED or trace.use != "evaluation":
            left_out.barred[found].append(trace.trace_id)
        else:
            left_out.unplayed[found].append(trace.trace_id)
    return sessions


def _read(trace: SessionTrace) -> Session | str:
    """The session, or why it is none to play."""
    if trace.use != "evaluation":
        return _MARKED.format(use=trace.use)
    asked = [span for span in trace.spans if span.operation == "chat"]
    chats = [span for span in asked if span.error is None]
    if not asked:
        return "blocked before a model was asked" if trace.denied else _NOTHING_ASKED
    if not chats:
        return "no answer"
    if not trace.content:
        return "no content in the trace"
    try:
        session = Session(trace, observe(trace), chats, trace.calls)
        _ = session.usage, session.cost_usd
    except (Refused, msgspec.ValidationError):
        return "content that cannot be read"
    if session.seen.cut:
        return "too long to stand in a trace whole"
    if session.seen.lost:
        return "documents without their texts in the trace"
    if not _is_redacted(session.seen):
        return "personal data or a secret, which no trace is written with"
    return session


def _is_redacted(seen: Observed) -> bool:
    """Whether what was said holds nothing that redaction takes out: a trace that somebody edited
    must not bring it to a model, or into a bundle."""
    messages = (*seen.heard, Message(role="assistant", content=seen.answer))
    redactor = Redactor()
    redactor.redact_value([each.content for each in messages])
    redactor.redact_value([call.arguments for call in seen.all_calls])
    redactor.redact_value([each.result for each in seen.calls])
    redactor.redact_value([each.text for each in seen.documents])
    return not redactor.replaced


def join_requests(sessions: Sequence[Session]) -> list[Session]:
    """The sessions without those that a later one tells to its end.

    A client that keeps no session sends the whole conversation with every request, so each of them
    is a trace, and the last one holds all. Its calls are then those of all of them.
    """
    ended: defaultdict[str, list[Session]] = defaultdict(list)
    for each in sessions:
        seen = each.seen
        answer = Message(role="assistant", content=seen.answer, tool_calls=seen.asks_for)
        ended[_ends(each.trace, (*seen.heard, answer))[-1]].append(each)
    joined: set[str] = set()
    for each in sorted(sessions, key=lambda each: -len(each.seen.heard)):
        if each.trace.trace_id in joined:
            continue
        before = [
            found
            for message, end in zip(
                each.seen.heard, _ends(each.trace, each.seen.heard), strict=True
            )
            if message.role == "assistant"
            for found in [_latest(ended[end], each, joined)]
            if found is not None
        ]
        joined |= {found.trace.trace_id for found in before}
        each.chats = [chat for found in before for chat in found.chats] + each.chats
        each.tries += sum(found.tries for found in before)
    return [each for each in sessions if each.trace.trace_id not in joined]


def _latest(found: Sequence[Session], after: Session, joined: set[str]) -> Session | None:
    """The last of these that began before another, and is no part of a conversation yet."""
    free = [
        each
        for each in found
        if each is not after
        and each.trace.at <= after.trace.at
        and each.trace.trace_id not in joined
    ]
    return max(free, key=lambda each: each.trace.at, default=None)


def _ends(trace: SessionTrace, messages: Sequence[Message]) -> list[str]:
    """What tells a conversation of one caller on one route, up to and with each message."""
    end = digest_of([trace.route, trace.user, trace.org, trace.team])
    ends = []
    for each in messages:
        calls = [[call.name, call.arguments] for call in each.tool_calls]
        end = digest_of([end, each.role, each.content.strip(), calls])
        ends.append(end)
    return ends


def _usage(chat: Span) -> Usage:
    """Raises msgspec.ValidationError."""
    about = chat.attributes
    told = {
        "input_tokens": about.get(names.INPUT_TOKENS, 0),
        "output_tokens": about.get(names.OUTPUT_TOKENS, 0),
        "cached_tokens": about.get(names.CACHE_READ_TOKENS, 0),
        "cache_write_tokens": about.get(names.CACHE_CREATION_TOKENS, 0),
        "reasoning_tokens": about.get(names.REASONING_TOKENS, 0),
        "estimated": about.get(names.USAGE_ESTIMATED, False),
    }
    return msgspec.convert(told, Usage)


def _cost(chat: Span) -> float | None:
    """Raises msgspec.ValidationError."""
    return msgspec.convert(chat.attributes.get(names.COST_USD), float | None)
