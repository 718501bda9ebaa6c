"""Recordings as files of the repository, sorted: `recordings/<model>/<suite>.jsonl`."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from evalkit.errors import StoreError
from evalkit.records.recording import Recording
from evalkit.store.files import write_whole
from evalkit.store.journal import read_lines


class RecordingWriter:
    """Writes recordings below one folder, which is under version control and not private."""

    def __init__(self, root: Path) -> None:
        """`root` is the folder that the provider names, such as recordings/."""
        self.root = root

    def path(self, model: str, suite: str) -> Path:
        """Where a suite's recordings of a model are. Raises StoreError for names that lead out."""
        for name in (model, suite):
            if name in {"", ".", ".."} or "/" in name or "\\" in name or "\0" in name:
                raise StoreError(f"{name!r} cannot be the name of a file of recordings")
        return self.root / model / f"{suite}.jsonl"

    def read(self, model: str, suite: str) -> tuple[Recording, ...]:
        """What is recorded already; empty where nothing is."""
        return tuple(read_lines(self.path(model, suite), msgspec.json.Decoder(Recording)))

    def write(self, model: str, suite: str, recordings: Iterable[Recording]) -> Path:
        """Replace a suite's recordings of a model; the same recordings give the same bytes.

        Sorted by case, prompt, trial and key. Of two with one key the later stays, so that
        `write(model, suite, [*read(model, suite), *new])` merges. Raises StoreError.
        """
        path = self.path(model, suite)
        by_key = {recording.key: recording for recording in recordings}
        ordered = sorted(
            by_key.values(), key=lambda each: (each.case, each.prompt, each.trial, each.key)
        )
        encode = msgspec.json.Encoder(order="sorted").encode
        write_whole(path, b"".join(encode(recording) + b"\n" for recording in ordered))
        return path
