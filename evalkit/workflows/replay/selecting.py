"""Which stored sessions a replay is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from evalkit.config.problems import listed, suggest
from evalkit.errors import Refused, UsageError
from evalkit.sources.assets import read_config
from evalkit.sources.tree import WorkingTree
from evalkit.store.traces import TraceStore
from evalkit.workflows.traces.listing import list_traces


@dataclass(frozen=True, slots=True)
class Selected:
    """The ids of sessions, newest first, and how many lines beside them could not be read: each may
    have been such a session."""

    traces: tuple[str, ...]
    unreadable: int = 0


def select_traces(
    root: Path,
    suite: str,
    *,
    named: Sequence[str] = (),
    route: str | None = None,
    since: datetime | None = None,
    limit: int,
) -> Selected:
    """The sessions that are named, else the newest `limit` on the suite's route.

    Whether each may be replayed is told where it is read. Raises UsageError for a suite or a trace
    that is not there, Refused where none fits.
    """
    suites = read_config(WorkingTree(root)).suites
    if suite not in suites:
        hint = suggest(suite, suites) or f"there are: {listed(suites)}"
        raise UsageError(f"there is no suite {suite!r} in evalkit.yaml; {hint}")
    if named:
        store = TraceStore(root)
        return Selected(tuple(dict.fromkeys(store.find(each).trace_id for each in named)))
    on = route or suites[suite].route
    found = list_traces(root, user=None, org=None, team=None, route=on, since=since, limit=limit)
    if not found.traces:
        unread = f" ({found.damaged:,} lines cannot be read)" if found.damaged else ""
        began = "" if since is None else f" and began since {since:%Y-%m-%d %H:%M} UTC"
        raise Refused(
            f"no session on route {on}{began} is stored{unread}, so there is nothing to replay; "
            "`evalkit trace list` shows what there is"
        )
    return Selected(tuple(trace.trace_id for trace in found.traces), found.damaged)
