"""Labels on disk: one more at a time, each safe before the next is asked for.

A file is replaced as a whole under a lock, so that two people who label at once lose nothing, and
a crash leaves the old file or the new one. Lines that do not change stay byte for byte.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from evalkit.errors import StoreError
from evalkit.records.label import Label, LabelledItem
from evalkit.store.files import explained, read_whole, write_whole
from evalkit.store.folder import private_folder
from evalkit.store.journal import read_lines

RUN_LABELS = "labels.jsonl"
_LOCK = "labels.lock"
_BOM = b"\xef\xbb\xbf"
_DECODER = msgspec.json.Decoder(LabelledItem)
_ENCODER = msgspec.json.Encoder()


class LabelFile:
    """A file of labelled items. Every method raises StoreError where the disk refuses, or where the
    line of the item that it changes is none that evalkit reads."""

    def __init__(self, path: Path, lock: Path) -> None:
        """`lock` is a file that all who write labels here agree on; its folder exists."""
        self.path = path
        self._lock = lock
        self._depth = 0

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep everybody else from writing; waits while another process does. May be nested."""
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        with waiting_lock(self._lock):
            self._depth = 1
            try:
                yield
            finally:
                self._depth = 0

    def find(self, item_id: str) -> LabelledItem | None:
        """The item with that id as the file has it now."""
        for line in self._lines():
            if (item := _item_of(line, item_id, self.path)) is not None:
                return item
        return None

    def add(self, item: LabelledItem, label: Label) -> LabelledItem:
        """Add a label and return the item as it is now; one that was not there is added at the end.

        An item that is there keeps its part, weight and source. What this labeller said of it in
        this round before is replaced, never counted twice.
        """
        with self.locked():
            known = self.find(item.id) or item
            changed = msgspec.structs.replace(known, labels=with_label(known.labels, label))
            self.put([changed])
            return changed

    def take_back(self, item_id: str, label: Label, *, keep: bool = True) -> LabelledItem | None:
        """Take out that very label. Without `keep` an item that has no further label goes too."""
        with self.locked():
            known = self.find(item_id)
            if known is None:
                return None
            left = tuple(each for each in known.labels if each != label)
            changed = msgspec.structs.replace(known, labels=left)
            if left or keep:
                self.put([changed])
            else:
                self.put([], without=[item_id])
            return changed

    def put(self, items: Iterable[LabelledItem], *, without: Iterable[str] = ()) -> None:
        """Replace the lines of these items, append those that are not there, drop `without`."""
        new: dict[str, LabelledItem | None] = {item.id: item for item in items}
        new |= dict.fromkeys(without)
        with self.locked():
            lines = [line for line in self._changed(new) if line.strip()]
            write_whole(self.path, b"".join(line + b"\n" for line in lines))

    def _changed(self, new: Mapping[str, LabelledItem | None]) -> Iterator[bytes]:
        seen = set()
        for line in self._lines():
            item = _any_item_of(line, new, self.path)
            if item is None:
                yield line
            elif item.id not in seen:
                seen.add(item.id)
                yield _encoded(new[item.id])
        yield from (_encoded(item) for name, item in new.items() if name not in seen)

    def _lines(self) -> list[bytes]:
        try:
            raw = read_whole(self.path)
        except FileNotFoundError:
            return []
        return [line.rstrip(b"\r") for line in raw.removeprefix(_BOM).split(b"\n") if line.strip()]


def rubric_labels(root: Path, path: str) -> LabelFile:
    """The label file at `path` of the project at `root`."""
    return LabelFile(root / path, private_folder(root) / _LOCK)


def run_label_file(bundle_path: Path) -> LabelFile:
    """The `labels.jsonl` of a run's folder."""
    return LabelFile(bundle_path / RUN_LABELS, bundle_path / _LOCK)


def append_run_labels(bundle_path: Path, items: Iterable[LabelledItem]) -> None:
    """Write items into the `labels.jsonl` of a run's folder, each once: the later one stands.

    An item without labels is taken out. Raises StoreError.
    """
    every = list(items)
    kept = [item for item in every if item.labels]
    file = run_label_file(bundle_path)
    if kept or file.path.exists():
        file.put(kept, without=[item.id for item in every if not item.labels])


def run_labels(bundle_path: Path) -> tuple[LabelledItem, ...]:
    """The labels that were given to a run's own outputs. Raises StoreError for a broken line."""
    return tuple(read_lines(bundle_path / RUN_LABELS, _DECODER))


def with_label(labels: tuple[Label, ...], label: Label) -> tuple[Label, ...]:
    """The labels and one more, in the place of what its labeller said in that round before."""
    kept = [each for each in labels if (each.labeller, each.round) != (label.labeller, label.round)]
    return (*kept, label)


@contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, waiting for it; the operating system drops it with the process."""
    with explained("lock", path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        with explained("lock", path):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _item_of(line: bytes, item_id: str, path: Path) -> LabelledItem | None:
    return _any_item_of(line, {item_id: None}, path)


def _any_item_of(
    line: bytes, wanted: Mapping[str, LabelledItem | None], path: Path
) -> LabelledItem | None:
    """The line as an item, where its id is wanted; most lines are told apart without reading."""
    if len(wanted) == 1 and next(iter(wanted)).encode() not in line:
        return None
    try:
        item = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(
            f"{path} has a line that is no labelled item ({error}); nothing was written. "
            "`evalkit check` names the line"
        ) from error
    return item if item.id in wanted else None


def _encoded(item: LabelledItem | None) -> bytes:
    return b"" if item is None else _ENCODER.encode(item)
