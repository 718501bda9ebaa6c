"""Which stored sessions a replay is about."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from evalkit.errors import Refused
from evalkit.sources.assets import read_config
from evalkit.sources.tree import WorkingTree
from evalkit.store.traces import TraceStore
from evalkit.workflows.traces.listing import list_traces


def select_traces(
    root: Path,
    suite: str,
    *,
    named: Sequence[str] = (),
    route: str | None = None,
    since: datetime | None = None,
    last: int,
) -> tuple[str, ...]:
    """The ids of the sessions that are named, else of the newest `last` on the suite's route.

    Whether each may be replayed is told where it is read. Raises UsageError for a trace that is not
    there, Refused where none fits.
    """
    if named:
        store = TraceStore(root)
        return tuple(dict.fromkeys(store.find(each).trace_id for each in named))
    if route is None:
        known = read_config(WorkingTree(root)).suites.get(suite)
        route = None if known is None else known.route
    found = list_traces(
        root, user=None, org=None, team=None, route=route, since=since, limit=last
    ).traces
    if not found:
        raise Refused(
            f"no session on route {route} is stored, so there is nothing to replay; `evalkit trace "
            "list` shows what there is"
        )
    return tuple(trace.trace_id for trace in found)
