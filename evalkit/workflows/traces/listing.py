"""Which stored sessions are meant: by user, route and time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.records.span import SessionTrace
from evalkit.store.traces import TraceStore
from evalkit.workflows.traces.sessions import pseudonym_of

_AGO = re.compile(r"([1-9][0-9]{0,5})([mhdw])")
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PSEUDONYM = re.compile(r"u-[0-9a-f]{10}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The traces that fit, newest first. `more` tells that there are further ones."""

    traces: tuple[SessionTrace, ...]
    more: bool
    damaged: int


def list_traces(
    root: Path,
    *,
    user: str | None,
    org: str | None,
    team: str | None,
    route: str | None,
    since: datetime | None,
    limit: int,
) -> Listed:
    """The newest traces that fit everything given. Names may be real or pseudonyms."""
    wanted = {
        key: name if _PSEUDONYM.fullmatch(name) else pseudonym_of(key, name)
        for key, name in (("user", user), ("org", org), ("team", team))
        if name is not None
    }
    store = TraceStore(root)
    fitting = (
        trace
        for trace in store.newest(since=since)
        if route in (None, trace.route)
        and all(value in (getattr(trace, key), trace.identity) for key, value in wanted.items())
    )
    found: Sequence[SessionTrace] = list(islice(fitting, limit + 1))
    return Listed(traces=tuple(found[:limit]), more=len(found) > limit, damaged=store.damaged)


def moment_of(text: str, *, now: datetime, option: str = "--since") -> datetime:
    """A moment as it is written on a command line: `2h`, `2026-11-01`, or a whole ISO 8601 time.

    A time without a zone is UTC. Raises UsageError.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            return now.astimezone(UTC) - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
        at = datetime.fromisoformat(text.strip())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{option} {text!r} is no time: give an age (30m, 2h, 7d, 4w), a day (2026-11-01) or "
            "an ISO 8601 time (2026-11-01T09:30+01:00)"
        ) from error
