"""`evalkit prune`: private state that is older than it has to be kept."""

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from evalkit.config.model import Config
from evalkit.config.telemetry import age_of, size_of
from evalkit.errors import EvalkitError, Refused, UsageError
from evalkit.ports import History
from evalkit.records.pruned import Pruned, PruneReport
from evalkit.sources.assets import read_config
from evalkit.sources.tree import WorkingTree
from evalkit.store.approvals import ApprovalStore
from evalkit.store.bundle import Bundle
from evalkit.store.cache import ReplyCache
from evalkit.store.files import explained
from evalkit.store.folder import PRIVATE
from evalkit.store.journal import LOCK
from evalkit.store.locks import is_locked
from evalkit.store.runs import RunStore
from evalkit.store.traces import TraceStore
from evalkit.workflows.auditing import open_audit, whoever_runs
from evalkit.workflows.history.keeping import open_synced, resolve_baseline

KINDS = ("runs", "traces", "cache", "approvals", "audit")
_ALL = 1_000_000

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """What is asked for. `older_than` is for every kind named, else the configuration's ages are.

    `keep` is how many of the newest runs stay whatever their age.
    """

    kinds: tuple[str, ...] = ()
    older_than: str | None = None
    keep: int = 1
    dry_run: bool = False


@dataclass(slots=True, kw_only=True)
class _Pruning:
    root: Path
    config: Config
    request: PruneRequest
    now: datetime
    note: Note

    def before(self, age: str | None) -> datetime | None:
        """The moment before which things of that age go; None: they stay."""
        age = self.request.older_than or age
        if age is None:
            return None
        try:
            return self.now - age_of(age)
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC)


def prune(root: Path, request: PruneRequest, *, now: datetime, note: Note) -> PruneReport:
    """Remove what is older than asked, or than `retention:` says. What is removed is audited.

    Raises UsageError for a kind that does not exist or where nothing says how old; ConfigError,
    StoreError.
    """
    unknown = [kind for kind in request.kinds if kind not in KINDS]
    if unknown:
        raise UsageError(f"there is no kind {unknown[0]!r}; there are {', '.join(KINDS)}")
    job = _Pruning(
        root=root, config=read_config(WorkingTree(root)), request=request, now=now, note=note
    )
    kinds = request.kinds or KINDS
    done = [pruned for kind in kinds if (pruned := _PRUNERS[kind](job)) is not None]
    if not done:
        named = ", ".join(kinds)
        raise UsageError(
            f"nothing says how long to keep {named}: give --older-than 30d, or `retention:` in "
            "evalkit.yaml"
        )
    removed = {each.kind: each.count for each in done if each.count and each.kind != "audit"}
    if removed and not request.dry_run:
        open_audit(root, now=lambda: now).append("state.pruned", whoever_runs(), dict(removed))
    return PruneReport(dry_run=request.dry_run, pruned=tuple(done))


def _prune_runs(job: _Pruning) -> Pruned | None:
    before = job.before(job.config.retention.runs)
    if before is None:
        return None
    store = RunStore(job.root)
    bundles = store.list()
    if not bundles:
        return Pruned(kind="runs")
    kept = _baselines(job)
    with open_synced(job.root, note=job.note) as history:
        for branch, run in _newest_passing(history).items():
            kept.setdefault(run, f"the newest that passed on {branch or 'no branch'}")
        gone: list[Bundle] = []
        size = 0
        for bundle in bundles[max(1, job.request.keep) :]:
            if bundle.id in kept or _ran_at(bundle) >= before or is_locked(bundle.path / LOCK):
                continue
            size += _size_of(bundle.path)
            gone.append(bundle)
        if not job.request.dry_run:
            for bundle in gone:
                _remove(bundle.path)
            history.forget([bundle.id for bundle in gone])
    return Pruned(
        kind="runs",
        count=len(gone),
        bytes=size,
        names=tuple(bundle.id for bundle in gone),
        kept={run: why for run, why in kept.items() if any(run == each.id for each in bundles)},
    )


def _baselines(job: _Pruning) -> dict[str, str]:
    """Runs that the configuration compares with."""
    kept: dict[str, str] = {}
    configured = [job.config.baseline, *(suite.baseline for suite in job.config.suites.values())]
    store = RunStore(job.root)
    for name in sorted({each for each in configured if isinstance(each, str)}):
        run: str | None = None
        with suppress(UsageError, Refused):
            run = store.open(name).id if store.holds(name) else resolve_baseline(job.root, name)
        if run is not None:
            kept[run] = f"baseline {name}"
    return kept


def _newest_passing(history: History) -> dict[str | None, str]:
    """The newest run of every branch that passed."""
    newest: dict[str | None, str] = {}
    for entry in history.runs(passed=True, limit=_ALL):
        newest.setdefault(entry.branch, entry.id)
    return newest


def _ran_at(bundle: Bundle) -> datetime:
    """When a run was started, by its record, its id, or its folder."""
    try:
        at = datetime.fromisoformat(bundle.read_record().started_at)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except (EvalkitError, ValueError):
        pass
    try:
        return datetime.strptime(bundle.id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        with explained("read", bundle.path):
            return datetime.fromtimestamp(bundle.path.stat().st_mtime, UTC)


def _size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _remove(folder: Path) -> None:
    """Remove a run's folder so that nobody meets half of one."""
    aside = folder.with_name(f".removed-{folder.name}")
    with explained("remove", folder):
        folder.rename(aside)
        shutil.rmtree(aside)


def _prune_traces(job: _Pruning) -> Pruned | None:
    before = job.before(job.config.retention.traces)
    if before is None:
        return None
    count, size = TraceStore(job.root).prune(before, dry_run=job.request.dry_run)
    return Pruned(kind="traces", count=count, bytes=size)


def _prune_cache(job: _Pruning) -> Pruned | None:
    retention = job.config.retention.cache
    before = job.before(retention.max_age)
    most = None if retention.max_size is None else size_of(retention.max_size)
    if before is None and most is None:
        return None
    aside = _damaged_bytes(job.root, remove=not job.request.dry_run)
    if not (job.root / PRIVATE / "cache.sqlite3").exists():
        return Pruned(kind="cache", bytes=aside)
    with ReplyCache(job.root) as cache:
        count, size = cache.prune(before=before, max_bytes=most, dry_run=job.request.dry_run)
    return Pruned(kind="cache", count=count, bytes=size + aside)


def _damaged_bytes(root: Path, *, remove: bool) -> int:
    """What a damaged cache that was put aside takes."""
    size = 0
    for path in (root / PRIVATE).glob("cache.sqlite3.damaged*"):
        with explained("remove", path):
            size += path.lstat().st_size
            if remove:
                path.unlink()
    return size


def _prune_approvals(job: _Pruning) -> Pruned | None:
    before = job.before(job.config.retention.approvals)
    if before is None:
        return None
    store = ApprovalStore(job.root, now=lambda: job.now)
    return Pruned(kind="approvals", count=store.prune(before, dry_run=job.request.dry_run))


def _prune_audit(job: _Pruning) -> Pruned | None:
    before = job.before(job.config.retention.audit)
    if before is None:
        return None
    log = open_audit(job.root, now=lambda: job.now)
    count = log.prune(before, whoever_runs(), dry_run=job.request.dry_run)
    return Pruned(kind="audit", count=count)


_PRUNERS: Mapping[str, Callable[[_Pruning], Pruned | None]] = {
    "runs": _prune_runs,
    "traces": _prune_traces,
    "cache": _prune_cache,
    "approvals": _prune_approvals,
    "audit": _prune_audit,
}
