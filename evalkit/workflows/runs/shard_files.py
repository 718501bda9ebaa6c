"""The shards that `evalkit merge` is given: by run, by bundle, or in a folder of downloads."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import Refused, StoreError, UsageError
from evalkit.records.judgment import Judgment
from evalkit.records.run import RunRecord, SuiteSnapshot
from evalkit.records.shard import PlanIdentity, Shard
from evalkit.store.attempt_lines import AttemptLines
from evalkit.store.bundle import RECORD, Bundle
from evalkit.store.runs import RunStore
from evalkit.store.trace_lines import TraceLines

# how far below a folder of downloads a bundle may lie: artifact/.evalkit/runs/ID
_DEEPEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFile:
    """A shard as it was read. `spent_usd` is what all of its lines were charged."""

    bundle: Bundle
    record: RunRecord
    snapshots: tuple[SuiteSnapshot, ...]
    attempts: AttemptLines
    traces: TraceLines
    judgments: tuple[Judgment, ...]
    shard: Shard
    plan: PlanIdentity
    spent_usd: float

    def snapshot(self, suite: str) -> SuiteSnapshot | None:
        """What it has of that suite."""
        return next((each for each in self.snapshots if each.suite == suite), None)

    def __str__(self) -> str:
        """As a refusal names it."""
        return f"{self.shard} (run {self.record.id})"


def find_shards(root: Path, names: Sequence[str]) -> tuple[ShardFile, ...]:
    """Every shard that is meant, each once.

    A folder that is no bundle stands for all shards below it. Raises UsageError for a name that
    fits nothing, Refused for a run that is no shard and for one that cannot be read.
    """
    found: dict[Path, ShardFile] = {}
    for name in names:
        for bundle in _bundles(root, name):
            found.setdefault(bundle.path.resolve(), _read(bundle))
    return tuple(found.values())


def _bundles(root: Path, name: str) -> Iterable[Bundle]:
    path = Path(name)
    if path.is_dir() and not (path / RECORD).is_file():
        below = [bundle for bundle in _below(path) if _is_shard(bundle)]
        if not below:
            raise UsageError(f"there is no shard of a run in {name} or below it")
        return below
    return [RunStore(root).open(name)]


def _below(folder: Path) -> Iterator[Bundle]:
    top = len(folder.parts)
    for place, folders, files in os.walk(folder):
        here = Path(place)
        if RECORD in files:
            yield Bundle(here)
            folders.clear()
        elif len(here.parts) - top >= _DEEPEST:
            folders.clear()
        folders.sort()


def _is_shard(bundle: Bundle) -> bool:
    """Whether it is one, or cannot be read: what is damaged is named, not left out."""
    try:
        return bundle.read_record().shard is not None
    except StoreError:
        return True


def refuse_unfinished(record: RunRecord, name: str) -> None:
    """Raise Refused for a shard that did not make all of its attempts."""
    if record.state != "complete":
        raise Refused(
            f"{name} is {record.state}, so not all of its attempts were made; go on with it where "
            f"it was made, then merge: evalkit run --resume {record.id}"
        )


def _read(bundle: Bundle) -> ShardFile:
    record = None
    try:
        record = bundle.read_record()
        if record.shard is None or record.plan is None:
            raise Refused(
                f"run {record.id} is no shard of a run, so it cannot be merged; shards are made "
                "with evalkit run --shard I/N"
            )
        # there may be many shards, so that none of their lines is kept
        attempts = bundle.attempts(held_bytes=0)
        bundle.read_scores(attempts)  # they are made again, but a damaged bundle is refused
        return ShardFile(
            bundle=bundle,
            record=record,
            snapshots=bundle.snapshots(),
            # what a shard holds beyond its plan is told by merging, by name
            attempts=attempts,
            traces=bundle.trace_lines(),
            judgments=bundle.judgments(),
            shard=record.shard,
            plan=record.plan,
            spent_usd=bundle.spent()[0],
        )
    except StoreError as error:
        if record is not None:  # killed, perhaps before everything of it was written
            refuse_unfinished(record, f"run {record.id}")
        raise Refused(f"{bundle.path} cannot be merged, it is damaged: {error}") from error
