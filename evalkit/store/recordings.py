"""Recordings as files of the repository, sorted: `recordings/<model>/<suite>.jsonl`."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from evalkit.config.json_lines import decode_lines
from evalkit.config.problems import capped
from evalkit.errors import ConfigError, Problem, StoreError
from evalkit.records.recording import Recording
from evalkit.store.files import read_whole, write_whole


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
        """What is recorded already; empty where nothing is.

        Raises ConfigError with every broken line: the file is the project's, not private state.
        """
        path = self.path(model, suite)
        try:
            raw = read_whole(path)
        except FileNotFoundError:
            return ()
        problems: list[Problem] = []
        file = path.relative_to(self.root.parent).as_posix()
        found = [
            recording
            for _, recording in decode_lines(
                raw, Recording, noun="recording", file=file, problems=problems
            )
        ]
        if problems:
            raise ConfigError(capped(problems))
        return tuple(found)

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
