"""Outputs that wait for a label: `.evalkit/spot_checks/<rubric>@vN.jsonl`.

Each run puts a few of those that its judges judged into the queue; who labels takes them out.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from evalkit.errors import StoreError
from evalkit.records.label import LabelledItem
from evalkit.store.files import explained, write_whole
from evalkit.store.folder import PRIVATE, private_folder
from evalkit.store.journal import read_lines
from evalkit.store.labels import waiting_lock

MOST_WAITING = 1000
"""Items that a queue holds; the oldest make room."""

_FOLDER = "spot_checks"
_LOCK = "lock"
_DECODER = msgspec.json.Decoder(LabelledItem)
_ENCODER = msgspec.json.Encoder()


class SpotChecks:
    """The queues of the project at `root`, one a rubric version (`name@vN`)."""

    def __init__(self, root: Path, *, most: int = MOST_WAITING) -> None:
        """Nothing is made before something is queued. `most` bounds each queue."""
        self._root = root
        self._most = most

    def path(self, rubric: str) -> Path:
        """The file of a rubric's queue. Raises StoreError for a name that leads out."""
        if not rubric or "/" in rubric or "\\" in rubric or "\0" in rubric or rubric[0] == ".":
            raise StoreError(f"{rubric!r} cannot be the name of a queue of spot checks")
        return self._root / PRIVATE / _FOLDER / f"{rubric}.jsonl"

    def waiting(self, rubric: str) -> tuple[LabelledItem, ...]:
        """What waits, the oldest first. Raises StoreError for a line that evalkit did not write."""
        return tuple(read_lines(self.path(rubric), _DECODER))

    def put(self, rubric: str, items: Iterable[LabelledItem]) -> int:
        """Queue items without their labels and return how many are new. Raises StoreError.

        One that waits already stays as it is. Beyond the bound the oldest are dropped.
        """
        path = self.path(rubric)
        queued: dict[str, LabelledItem] = {}
        for item in items:
            queued.setdefault(item.id, msgspec.structs.replace(item, labels=()))
        if not queued:
            return 0
        private_folder(self._root)
        with explained("make", path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        with waiting_lock(path.parent / _LOCK):
            known = self.waiting(rubric)
            names = {item.id for item in known}
            new = [item for item in queued.values() if item.id not in names]
            if new:
                self._write(path, [*known, *new][-self._most :])
        return len(new)

    def remove(self, rubric: str, ids: Collection[str]) -> None:
        """Take items out of the queue. Raises StoreError."""
        path = self.path(rubric)
        if not ids or not path.exists():
            return
        with waiting_lock(path.parent / _LOCK):
            known = self.waiting(rubric)
            left = [item for item in known if item.id not in ids]
            if len(left) < len(known):
                self._write(path, left)

    def _write(self, path: Path, items: Iterable[LabelledItem]) -> None:
        write_whole(path, b"".join(_ENCODER.encode(item) + b"\n" for item in items))
