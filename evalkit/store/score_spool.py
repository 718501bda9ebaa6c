"""The scores of a run while it is under way: on disk, and scores.jsonl only when all are there."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import msgspec

from evalkit.records.score import Score
from evalkit.store.attempt_lines import AttemptLines
from evalkit.store.files import explain, explained, sync_folder
from evalkit.store.score_lines import ScoreLines

_BUFFER = 1 << 16


class ScoreSpool:
    """Takes scores in the order in which attempts are made; a run that is killed leaves them aside.

    Every method raises StoreError where the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        """A spool that replaces `path` in the end; what a killed run left of one is dropped."""
        self._target = path
        self._path = path.with_name(f".{path.name}.part")
        self._encode = msgspec.json.Encoder().encode
        self._size = 0
        self._lines: ScoreLines | None = None
        # what was written since it was read last, with where it ends
        self._unread: list[tuple[Sequence[Score], int]] = []
        with explained("write", self._path):
            self._path.unlink(missing_ok=True)
            self._file = open(self._path, "xb", buffering=_BUFFER)  # noqa: SIM115 -- see close

    def append(self, scores: Sequence[Score]) -> None:
        """Take the scores of one attempt."""
        lines = b"".join([self._encode(score) + b"\n" for score in scores])
        try:
            self._file.write(lines)
        except OSError as error:
            raise explain(error, "write", self._path) from error
        self._size += len(lines)
        if scores:
            self._unread.append((scores, self._size))

    def read(self, attempts: AttemptLines) -> ScoreLines:
        """What it has taken so far, of these attempts, which are the same each time. What is taken
        later is in it when this is asked again."""
        with explained("write", self._path):
            self._file.flush()
        if self._lines is None:
            self._lines = ScoreLines(self._path, attempts, empty=True)
        unread, self._unread = self._unread, []
        for scores, end in unread:
            self._lines.take(scores, end)
        return self._lines

    def sync(self) -> None:
        """Make what it has taken survive a power cut, which leaves less to `keep`."""
        with explained("write", self._path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def keep(self, read: ScoreLines) -> None:
        """Make it scores.jsonl; `read` is what was read of it."""
        with explained("write", self._target):
            self._file.flush()
            os.fsync(self._file.fileno())
            os.replace(self._path, self._target)
            sync_folder(self._target.parent)
        read.moved(self._target)

    def __enter__(self) -> "ScoreSpool":
        """The spool itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it, and drop what was not kept."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
