"""Keeping the history of runs: from bundles, at the end of a run, and whenever it is asked.

The bundles are the truth. What is not in the history is read from them, what is gone from them is
forgotten, and a file that is damaged is set aside and made again.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from evalkit.errors import EvalkitError, Refused
from evalkit.ports import History
from evalkit.records.history import RunEntry
from evalkit.records.run import StoredRun
from evalkit.sources.git import default_branch
from evalkit.sources.git_command import GitFailed, run_git
from evalkit.store.bundle import Bundle
from evalkit.store.folder import PRIVATE
from evalkit.store.history import SqliteHistory, open_history, renew_history
from evalkit.store.history_file import bundle_stamp
from evalkit.store.runs import RunStore
from evalkit.workflows.history.healing import HealingHistory

if TYPE_CHECKING:
    from evalkit.workflows.history.entry import Tallies

LAST_PASSING = "last-passing"
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_MANY = 20
_ALL = 1_000_000

Note = Callable[[str], None]
_log = logging.getLogger("evalkit")


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What brought the history up to date. `problems` name bundles that cannot be read."""

    added: int = 0
    forgotten: int = 0
    problems: tuple[str, ...] = ()


@contextmanager
def open_synced(root: Path, *, note: Note = _log.warning) -> Iterator[History]:
    """The history, brought up to date with the bundles.

    A damaged file is set aside and made again, also where the damage shows later. `note` is told of
    that, of bundles that cannot be read, and of work that takes a while. Raises StoreError for a
    file that is newer, locked, or cannot be written.
    """

    history = _open(root, note)
    try:
        for problem in sync(root, history, note=note).problems:
            note(problem)
        yield history
    finally:
        history.close()


def _open(root: Path, note: Note) -> History:
    """The history as it is; one that turns out damaged is made again from the bundles."""

    def heal() -> History:
        healed = _say_aside(renew_history(root), note)
        sync(root, healed, note=note)
        return healed

    return HealingHistory(_say_aside(open_history(root), note), heal)


def _say_aside(history: SqliteHistory, note: Note) -> SqliteHistory:
    if history.set_aside is not None:
        note(
            f"the run history was damaged: it is now {history.set_aside}, and is made again from "
            "the run bundles"
        )
    return history


def sync(root: Path, history: History, *, note: Note = _log.warning) -> Synced:
    """Read bundles that the history does not have as they are, and forget those that are gone.

    A bundle that cannot be read is named in `problems` and tried again the next time. Raises
    StoreError as the history does.
    """
    bundles = {bundle.id: bundle for bundle in RunStore(root).list()}
    known = history.stamps()
    history.forget([run for run in known if run not in bundles])
    new = [
        bundle
        for run, bundle in sorted(bundles.items())
        if known.get(run, "") != bundle_stamp(bundle.path)
    ]
    if len(new) > _MANY:
        note(f"reading {len(new):,} run bundles into the history")
    tags = _tags(root) if new else {}
    problems = []
    for bundle in new:
        try:
            entry, tallies = _entry(root, _load(bundle), tags)
        except Exception as error:  # one bundle that is odd must not keep every run from starting
            if bundle_stamp(bundle.path):  # else it was removed while it was read
                words = str(error) if isinstance(error, EvalkitError) else repr(error)
                problems.append(f"run {bundle.id} is left out of the history: {words}")
            history.forget([bundle.id])  # what was known of it is what it no longer shows
        else:
            history.record(entry, tallies)
    return Synced(
        added=len(new) - len(problems),
        forgotten=len(known.keys() - bundles.keys()),
        problems=tuple(problems),
    )


def _load(bundle: Bundle) -> StoredRun:
    """The bundle; of a run without figures only its record, which is all that is told of it."""
    # scorers take long to import, and most questions find nothing new
    from evalkit.workflows.history.entry import is_measured

    record = bundle.read_record()
    if is_measured(record):
        return bundle.load_whole()
    return StoredRun(path=str(bundle.path), record=record, snapshots=(), attempts=(), scores=())


def rebuild(root: Path, *, note: Note = _log.warning) -> int:
    """Make the history again from the bundles, whatever state it is in. Returns how many it holds.

    Raises StoreError for a file of a newer evalkit, or one that cannot be written.
    """
    history = renew_history(root, empty=True)
    try:
        if history.set_aside is not None:
            note(f"the run history was damaged: it is now {history.set_aside}")
        done = sync(root, history, note=note)
        for problem in done.problems:
            note(problem)
        return done.added
    finally:
        history.close()


def record_run(root: Path, stored: StoredRun, history: History | None = None) -> str | None:
    """Keep a run that has just ended. Returns a warning where that failed, and never raises: the
    run was paid for and decided, and the next query reads it from its bundle.
    """
    try:
        entry, tallies = _entry(root, stored, _tags(root))
        if history is not None:
            history.record(entry, tallies)
        else:
            with closing(_open(root, _log.warning)) as opened:
                opened.record(entry, tallies)
    except Exception as error:  # whatever it is, the run's own outcome stands
        words = str(error) if isinstance(error, EvalkitError) else repr(error)
        return f"the run is not in the history yet ({words}); nothing of it is lost"
    return None


def _entry(
    root: Path, stored: StoredRun, tags: Mapping[str, Sequence[str]]
) -> "tuple[RunEntry, Tallies]":
    # scorers take long to import, and most questions find nothing new
    from evalkit.workflows.history.entry import entry_of

    return entry_of(
        stored,
        root=root,
        tags=tags.get(stored.record.git.sha or "", ()),
        stamp=bundle_stamp(Path(stored.path)),
    )


def _tags(root: Path) -> dict[str, list[str]]:
    """The tags of every commit that has one; empty where there is no git."""
    try:
        # an annotated tag is an object of its own that points at a commit
        raw = run_git(
            root,
            "for-each-ref",
            "--format=%(objectname) %(*objectname) %(refname:strip=2)",
            "refs/tags",
        )
    except GitFailed:
        return {}
    tags: dict[str, list[str]] = {}
    for line in raw.decode(errors="replace").splitlines():
        own, pointed, name = line.split(" ", 2)
        tags.setdefault(pointed or own, []).append(name)
    return tags


def resolve_baseline(root: Path, name: str) -> str | None:
    """The id of the stored run that a baseline's name means when it is no bundle and no git ref.

    `last-passing` is the newest run on the default branch that passed, `last-passing@BRANCH` the
    newest on a branch; else a branch, tag or commit (seven digits or more) that a run was made at.
    A run with uncommitted changes or `--set` is not what its commit holds, and never meant.
    Returns None for a name that fits none. Raises Refused for a `last-passing` that does not exist.
    """
    if not (root / PRIVATE).is_dir():
        return _none_passed(root, name) if _asks_for_passing(name) else None
    with open_synced(root) as history:
        if name == LAST_PASSING:
            return _newest(history.runs(passed=True, main=True, limit=_ALL)) or _none_passed(
                root, name
            )
        if name.startswith(f"{LAST_PASSING}@"):
            branch = name.removeprefix(f"{LAST_PASSING}@")
            found = history.runs(passed=True, branch=branch, limit=_ALL)
            return _newest(found) or _none_passed(root, name)
        for runs in (
            history.runs(branch=name, limit=_ALL),
            history.runs(branch=name.removeprefix("origin/"), limit=_ALL),
            history.runs(tag=name, limit=_ALL),
            history.runs(sha=name, limit=_ALL) if _COMMIT.fullmatch(name) else (),
        ):
            if (run := _newest(runs)) is not None:
                return run
    return None


def _newest(runs: Sequence[RunEntry]) -> str | None:
    return next((run.id for run in runs if run.at_commit), None)


def _none_passed(root: Path, name: str) -> str:
    branch = name.partition("@")[2]
    where = branch or (default_branch(root) or "the default branch").removeprefix("origin/")
    raise Refused(
        f"baseline {name}: no stored run of {where} passed, with nothing uncommitted and no --set; "
        f"run `evalkit run` on {where}, fetch one from CI with `evalkit fetch`, or name a git ref "
        "or a run"
    )


def _asks_for_passing(name: str) -> bool:
    return name == LAST_PASSING or name.startswith(f"{LAST_PASSING}@")
