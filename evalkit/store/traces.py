"""`.evalkit/traces/<day>.jsonl`: sessions outside of runs, a line each, of several processes.

The day is the one on which a session began, in UTC. Everything in it is redacted, and identities
are pseudonyms.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from evalkit.errors import UsageError
from evalkit.records.span import TRACE_ID_DIGITS, SessionTrace
from evalkit.store.files import explained
from evalkit.store.folder import PRIVATE, private_folder
from evalkit.store.private_lines import append_line, last_line, locked, opened, replace_private

LOCK = "lock"
_DAY = "????-??-??.jsonl"
_SHORTEST_PREFIX = 4


class TraceStore:
    """The traces of the project at `root`. Nothing is made before the first one.

    Every method raises StoreError where the disk refuses. Lines that cannot be read are left out
    and counted in `damaged`.
    """

    def __init__(self, root: Path) -> None:
        """`root` is the folder of evalkit.yaml."""
        self.folder = root / PRIVATE / "traces"
        self.damaged = 0
        self._root = root
        self._decoder = msgspec.json.Decoder(SessionTrace)

    def append(self, trace: SessionTrace) -> None:
        """Write a trace and hand it to the operating system."""
        self.append_lines([line_of(trace)])

    def append_lines(self, lines: Sequence[tuple[str, bytes]]) -> None:
        """The same for what `line_of` made of several; those of one day are written whole or not
        at all."""
        days: dict[str, bytes] = {}
        for day, line in lines:
            days[day] = days.get(day, b"") + line
        private_folder(self._root)
        with locked(self.folder / LOCK):
            for day, together in days.items():
                path = self.folder / f"{day}.jsonl"
                with opened(path) as descriptor:
                    last_line(descriptor, path)  # what a crash tore off is cut
                    append_line(descriptor, together, path)

    def newest(self, *, since: datetime | None = None) -> Iterator[SessionTrace]:
        """Every trace, the newest first, down to those that began before `since`."""
        for path in reversed(self._days()):
            if since is not None and path.stem < f"{since:%Y-%m-%d}":
                return
            # written when sessions end: sorted by when they began
            found = sorted(self._read(path), key=lambda trace: trace.at, reverse=True)
            for trace in found:
                if since is None or datetime.fromisoformat(trace.at) >= since:
                    yield trace

    def find(self, name: str) -> SessionTrace:
        """The trace of that id or beginning of one. Raises UsageError for none, and for several."""
        wanted = name.strip().lower()
        if len(wanted) < _SHORTEST_PREFIX or wanted.strip("0123456789abcdef"):
            raise UsageError(
                f"{name!r} is no id of a trace: {TRACE_ID_DIGITS} hexadecimal digits, or at least "
                f"the first {_SHORTEST_PREFIX}"
            )
        found = {trace.trace_id: trace for trace in self.newest() if _starts(trace, wanted)}
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            raise UsageError(f"{name!r} fits {len(found)} traces; give more of the id")
        unread = (
            f" ({self.damaged:,} lines of the traces cannot be read, and it may be one of them)"
            if self.damaged
            else ""
        )
        raise UsageError(
            f"there is no trace {name!r}{unread}; `evalkit trace list` shows which there are, and "
            "`evalkit show RUN CASE` shows an attempt of a run"
        )

    def find_all(self, ids: Collection[str]) -> dict[str, SessionTrace]:
        """The traces of those whole ids, as far as they are there."""
        wanted = frozenset(ids)
        return {trace.trace_id: trace for trace in self.newest() if trace.trace_id in wanted}

    def prune(self, before: datetime, *, dry_run: bool = False) -> tuple[int, int]:
        """Remove traces that began before that moment: how many, and how many bytes they took.

        A line that cannot be read goes with its day.
        """
        count = size = 0
        if not self.folder.is_dir():
            return 0, 0
        with locked(self.folder / LOCK):
            for path in self._days():
                if path.stem > f"{before:%Y-%m-%d}":
                    break
                kept: list[bytes] = []
                with explained("read", path):
                    lines = path.read_bytes().splitlines(keepends=True)
                whole_day = path.stem < f"{before:%Y-%m-%d}"
                for line in lines:
                    if not whole_day and not self._is_older(line, before):
                        kept.append(line)
                    else:
                        count += 1
                        size += len(line)
                if dry_run or len(kept) == len(lines):
                    continue
                if kept:
                    replace_private(path, b"".join(kept))
                else:
                    with explained("remove", path):
                        path.unlink()
        return count, size

    def _is_older(self, line: bytes, before: datetime) -> bool:
        try:
            return datetime.fromisoformat(self._decoder.decode(line).at) < before
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
            return False

    def _days(self) -> list[Path]:
        with explained("read", self.folder):
            return sorted(self.folder.glob(_DAY)) if self.folder.is_dir() else []

    def _read(self, path: Path) -> Iterator[SessionTrace]:
        with explained("read", path), open(path, "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    return  # torn, or being written
                try:
                    trace = self._decoder.decode(line)
                    datetime.fromisoformat(trace.at)
                except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
                    self.damaged += 1
                else:
                    yield trace


def line_of(trace: SessionTrace) -> tuple[str, bytes]:
    """The day of a trace, and its line."""
    return trace.at[:10], msgspec.json.encode(trace) + b"\n"


def _starts(trace: SessionTrace, wanted: str) -> bool:
    return trace.trace_id.startswith(wanted)
