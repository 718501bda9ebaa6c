"""The append-only record of a run: a line an attempt, whole or not there after kill -9.

`attempts.jsonl` keeps the decisions in which a policy said no, would have said no, or changed
something; the whole trace of an attempt is a line of `traces.jsonl`, and what judges said of it of
`judgments.jsonl`. A line without its newline was cut off by a crash: readers leave it out and the
next writer cuts it.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import msgspec

from evalkit.errors import StoreError
from evalkit.records.attempt import Attempt
from evalkit.records.call_log import attempt_work, judgment_work
from evalkit.records.judgment import Judgment
from evalkit.records.run import TraceRecord
from evalkit.store.files import explain, explained, open_plain
from evalkit.store.locks import RunLock

ATTEMPTS = "attempts.jsonl"
TRACES = "traces.jsonl"
JUDGMENTS = "judgments.jsonl"
LOCK = "run.lock"
_POLICY_EVENTS = frozenset({"denied", "changed", "warned"})
_TAIL = 1 << 16
# no attempt takes a hundredth of it: what it bounds is the memory that a stranger's file takes
LONGEST_LINE = 64 * 1024 * 1024
RESTORE = "restore the file, or remove the line and resume the run"

Line = TypeVar("Line", bound=msgspec.Struct)


class LineFile:
    """A file that grows by whole lines. A torn last line is cut when it is opened."""

    def __init__(self, path: Path, *, mode: int = 0o644) -> None:
        """Open for appending; `mode` is of a file that is made. Raises StoreError."""
        self.path = path
        self._broken = False
        with explained("open", path):
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(path, flags, mode)
            try:
                self._size = _end_of_last_line(self._descriptor)
                os.ftruncate(self._descriptor, self._size)
            except BaseException:
                os.close(self._descriptor)
                raise

    def append(self, line: bytes) -> None:
        """Hand a line (with its newline) to the operating system. Raises StoreError."""
        if self._broken:
            raise StoreError(f"cannot append to {self.path}: an earlier line could not be written")
        try:
            written = os.write(self._descriptor, line)
            while written < len(line):  # a disk that fills takes a part first, then refuses
                written += os.write(self._descriptor, line[written:])
        except OSError as error:
            self._take_back()
            raise explain(error, "append to", self.path) from error
        self._size += len(line)

    def _take_back(self) -> None:
        """Cut what was written of a line that did not fit, so that the next one starts clean."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            self._broken = True

    def sync(self) -> None:
        """Make what was appended survive a power cut. Raises StoreError."""
        with explained("write", self.path):
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _end_of_last_line(descriptor: int) -> int:
    """The offset after the last newline, read from the end in steps."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - _TAIL)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


class RunJournal:
    """Implements ports.Journal for one run. Holds the run's lock until it is closed."""

    def __init__(
        self, folder: Path, *, counted: Callable[[str], None], finished: Callable[[str], None]
    ) -> None:
        """Lock the run and open its files. Raises StoreError, also where the run is locked.

        `finished` is told of every opinion that was journalled, as `records.call_log` names work:
        one that is an error may be asked for again by this process. An attempt is made once, and
        `counted` is told of it.
        """
        self._counted = counted
        self._finished = finished
        self._lock = RunLock(folder / LOCK)
        files: list[LineFile] = []
        try:
            for name in (ATTEMPTS, TRACES):
                files.append(LineFile(folder / name))
        except BaseException:
            for file in files:
                file.close()
            self._lock.release()
            raise
        self._attempts, self._traces = files
        self._judgments: LineFile | None = None
        self._folder = folder
        self._encoder = msgspec.json.Encoder()
        self._open = True

    def append(self, attempt: Attempt) -> None:
        """Write one attempt and hand it to the operating system. Raises StoreError."""
        events = attempt.decisions
        if events or attempt.spans:
            # The trace goes first: an attempt that is in the journal always has its trace.
            trace = TraceRecord(
                suite=attempt.suite,
                variant=attempt.variant,
                case=attempt.case,
                trial=attempt.trial,
                decisions=events,
                spans=attempt.spans,
            )
            self._traces.append(self._encoder.encode(trace) + b"\n")
            kept = tuple(event for event in events if event.outcome in _POLICY_EVENTS)
            if attempt.spans or len(kept) != len(events):
                attempt = msgspec.structs.replace(attempt, decisions=kept, spans=())
        self._attempts.append(self._encoder.encode(attempt) + b"\n")
        self._counted(attempt_work(attempt.place))

    def append_judgment(self, judgment: Judgment) -> None:
        """Write what a judge said of an attempt that is in the journal. Raises StoreError."""
        if self._judgments is None:  # most runs have no judge, and then no such file
            self._judgments = LineFile(self._folder / JUDGMENTS)
        self._judgments.append(self._encoder.encode(judgment) + b"\n")
        if not judgment.shared:  # an opinion that was taken over asked nobody
            self._finished(judgment_work(judgment.suite, judgment.rubric, judgment.subject))

    def _files(self) -> list[LineFile]:
        files = [self._traces, self._attempts]
        return files if self._judgments is None else [*files, self._judgments]

    def sync(self) -> None:
        """Make what was appended survive a power cut. Raises StoreError."""
        for file in self._files():
            file.sync()

    def close(self) -> None:
        """Sync, close and unlock. Closing twice is harmless. Raises StoreError."""
        if not self._open:
            return
        self._open = False
        try:
            self.sync()
        finally:
            for file in self._files():
                file.close()
            self._lock.release()

    def __enter__(self) -> "RunJournal":
        """The journal itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; what is being raised already is not replaced by a failing close."""
        try:
            self.close()
        except StoreError:
            if error is None:
                raise


def read_lines(
    path: Path,
    decoder: msgspec.json.Decoder[Line],
    *,
    journal: bool = False,
    advice: str = RESTORE,
) -> Iterator[Line]:
    """Every line of a file; none where there is no file.

    A `journal` ends with its last newline: what follows was torn off by a crash. Raises StoreError
    with the line number for a line that does not decode or is longer than `LONGEST_LINE`.
    """
    return (line for _, line in placed_lines(path, decoder, journal=journal, advice=advice))


def placed_lines(
    path: Path,
    decoder: msgspec.json.Decoder[Line],
    *,
    journal: bool = False,
    start: int = 0,
    first: int = 1,
    advice: str = RESTORE,
) -> Iterator[tuple[int, Line]]:
    """The same from the offset `start` on, where line `first` begins: where each line ends, in
    bytes, and the line. `advice` is what to do about a damaged one."""
    lines = raw_lines(path, journal=journal, start=start, first=first, advice=advice)
    for number, line in lines:
        start += len(line)
        yield start, decode_line(line, decoder, path, number, advice=advice)


def raw_lines(
    path: Path, *, journal: bool = False, start: int = 0, first: int = 1, advice: str = RESTORE
) -> Iterator[tuple[int, bytes]]:
    """The same lines with their numbers, as they stand there: nothing of them is decoded."""
    with explained("read", path):
        try:
            opened = open_plain(path)
        except FileNotFoundError:
            return
        with opened as file:
            file.seek(start)
            number = first
            while line := file.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise StoreError(
                        f"{path}:{number}: not a line that evalkit wrote (it is longer than "
                        f"{LONGEST_LINE:,} bytes); {advice}"
                    )
                if journal and not line.endswith(b"\n"):
                    return
                yield number, line
                number += 1


def decode_line(
    line: bytes,
    decoder: msgspec.json.Decoder[Line],
    path: Path,
    number: int | str,
    *,
    advice: str = RESTORE,
) -> Line:
    """The line. Raises StoreError with its number for one that does not decode."""
    try:
        return decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(
            f"{path}:{number}: not a line that evalkit wrote ({error}); {advice}"
        ) from error
