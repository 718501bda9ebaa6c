"""The runs of a project: made, found again by id, path, prefix or "latest", and listed."""

import os
import random
import re
from datetime import MAXYEAR, UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path

from evalkit.errors import StoreError, UsageError
from evalkit.records.run import RunRecord
from evalkit.store.bundle import RECORD, Bundle
from evalkit.store.files import explained, sync_folder
from evalkit.store.folder import PRIVATE, private_folder

LATEST = "latest"
_SHOWN = 5
_LAST = 0xFFFF
_STAMP = "%Y%m%dT%H%M%SZ"
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")
_ID_START = re.compile(r"\d{8}T")


class RunStore:
    """`.evalkit/runs/` of the project at `root`. Nothing is made before a run is."""

    def __init__(self, root: Path) -> None:
        """`root` is the folder of evalkit.yaml."""
        self.root = root
        self.folder = root / PRIVATE / "runs"

    def new_id(self, now: datetime, chance: random.Random | None = None) -> str:
        """An id that no run has: the second in UTC and four random hex digits; ids sort by time.

        It sorts behind all there are, so that it is the latest: after other runs of the same
        second, and after runs that were made before the clock was set back, whose second it takes.
        """
        chance = chance or random.SystemRandom()
        second, least = now.astimezone(UTC).replace(microsecond=0), 0
        for name in reversed(self._ids()):
            taken = _second_of(name)
            if taken is not None:
                if taken >= second:
                    second, least = taken, int(name[-4:], 16) + 1
                break
        if least > _LAST:
            second, least = second + timedelta(seconds=1), 0
        return f"{second:{_STAMP}}-{chance.randint(least, _LAST):04x}"

    def create(self, record: RunRecord) -> Bundle:
        """Make the run's folder with its run.json. Raises StoreError, also for an id in use."""
        private_folder(self.root)
        bundle = Bundle(self.folder / record.id)
        with explained("make", bundle.path):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                bundle.path.mkdir()
            except FileExistsError as error:
                raise StoreError(f"there is a run {record.id} already") from error
            sync_folder(self.folder)
        bundle.write_record(record)
        return bundle

    def list(self) -> tuple[Bundle, ...]:
        """Every run, the newest first. A folder without run.json is no run and left out."""
        return tuple(Bundle(self.folder / name) for name in reversed(self._ids()))

    def _ids(self) -> tuple[str, ...]:
        try:
            with explained("read", self.folder), os.scandir(self.folder) as entries:
                names = [
                    entry.name
                    for entry in entries
                    if not entry.name.startswith(".") and (Path(entry.path) / RECORD).is_file()
                ]
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return ()
            raise
        return tuple(sorted(names))

    def holds(self, name: str) -> bool:
        """Whether `open` would find a run under this name, or several; a git ref is no run."""
        # Ids begin with a date: a start shorter than that may as well be a branch or a commit.
        return bool(self._named(name) or (_ID_START.match(name) and self._starting(name)))

    def open(self, name: str) -> Bundle:
        """The run with that id, path or unique prefix of an id, or the "latest".

        Raises UsageError for a name that fits no run, or several.
        """
        matches = self._named(name) or self._starting(name)
        if len(matches) == 1:
            return matches[0]
        ids = self._ids()
        if matches:
            found = ", ".join(bundle.id for bundle in matches[:_SHOWN])
            raise UsageError(f"{name!r} fits {len(matches)} runs ({found}); give more of the id")
        if not ids:
            raise UsageError(f"there is no run {name!r}: this project has no stored run yet")
        close = get_close_matches(name, ids, n=1, cutoff=0.7)
        hint = f"did you mean {close[0]}? " if close else ""
        newest = ", ".join(reversed(ids[-_SHOWN:]))
        raise UsageError(f"there is no run {name!r}; {hint}the newest are {newest}")

    def _named(self, name: str) -> tuple[Bundle, ...]:
        """The run that is meant by the latest, an id, or a path: one or none."""
        ids = self._ids()
        if name == LATEST:
            return tuple(Bundle(self.folder / each) for each in ids[-1:])
        if name in ids:
            return (Bundle(self.folder / name),)
        path = Path(name)
        try:
            if name and (path / RECORD).is_file():
                return (Bundle(path.resolve()),)
            if path.name == RECORD and path.is_file():
                return (Bundle(path.resolve().parent),)
        except OSError:  # too long to be a path, or behind a loop of links
            return ()
        return ()

    def _starting(self, name: str) -> tuple[Bundle, ...]:
        return tuple(Bundle(self.folder / each) for each in self._ids() if each.startswith(name))


def _second_of(name: str) -> datetime | None:
    """The second that an id begins with; None of what is no id, and of the end of all time."""
    if _ID.fullmatch(name) is None:
        return None
    try:
        # without strptime, which takes 2 ms to load
        at = datetime.fromisoformat(name[:-5])
    except ValueError:
        return None
    return at if at.year < MAXYEAR else None
