"""What has become of every waiver: in force, expired, or in force and needed by nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from evalkit.errors import StoreError
from evalkit.records.run import RunRecord
from evalkit.records.verdict import Waiver
from evalkit.sources.tree import WorkingTree
from evalkit.sources.waivers import load_waivers
from evalkit.store.bundle import Bundle
from evalkit.store.runs import RunStore
from evalkit.workflows.setup.deadlines import today_utc

WaiverState = Literal["in force", "unused", "expired"]
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class StatedWaiver:
    """A waiver and its state. `days` are left while it is in force, or past since it expired.

    `run` is the last run that held the suite against it; None where no stored run did.
    """

    waiver: Waiver
    state: WaiverState
    days: int
    run: str | None = None


def state_waivers(root: Path, *, today: date | None = None) -> tuple[StatedWaiver, ...]:
    """Every waiver of the project in the order of the file. Raises ConfigError."""
    day = today or today_utc()
    waivers = load_waivers(WorkingTree(root), today=day)
    if not waivers:
        return ()
    runs = _recent(root)
    return tuple(_stated(waiver, day, runs) for waiver in waivers)


def _stated(waiver: Waiver, day: date, runs: Sequence[tuple[Bundle, RunRecord]]) -> StatedWaiver:
    days = (date.fromisoformat(waiver.until) - day).days
    if days < 0:
        return StatedWaiver(waiver, "expired", -days)
    for bundle, record in runs:
        if not _knew(bundle, record, waiver):
            continue
        needed = any(
            part.waiver is not None and part.waiver.id == waiver.id
            for suite in (() if record.verdict is None else record.verdict.suites)
            for part in suite.parts
        )
        return StatedWaiver(waiver, "in force" if needed else "unused", days, record.id)
    return StatedWaiver(waiver, "in force", days)


def _recent(root: Path) -> list[tuple[Bundle, RunRecord]]:
    """The last runs that decided something, the newest first; one that is damaged tells nothing."""
    found = []
    for bundle in RunStore(root).list()[:_LOOKED_AT]:
        try:
            record = bundle.read_record()
        except StoreError:
            continue
        if record.verdict is not None:
            found.append((bundle, record))
    return found


def _knew(bundle: Bundle, record: RunRecord, waiver: Waiver) -> bool:
    """Whether the run was held against the waiver as it stands."""
    if all(suite.suite != waiver.suite for suite in record.suites):
        return False
    try:
        snapshots = bundle.snapshots()
    except StoreError:
        return False
    return any(
        (each.id, each.until, each.part) == (waiver.id, waiver.until, waiver.part)
        for snapshot in snapshots
        for each in snapshot.waivers
    )
