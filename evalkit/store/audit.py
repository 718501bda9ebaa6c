"""`.evalkit/audit/`: an append-only log that several processes write, and that shows what was done
to it.

    log.jsonl   an entry a line, each with the hash of the one before; checkpoints at its top stand
                for entries that were pruned
    head        the newest entry that was made durable: without it a cut end would not show
    lock        held while a line is written

Names in it are real, so the files are readable by their owner alone.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from evalkit.errors import Refused, StoreError, UsageError
from evalkit.records.audit_log import (
    NOTHING_BEFORE,
    AuditCheckpoint,
    AuditEntry,
    AuditExport,
    AuditHead,
    AuditReport,
    hash_of,
    line_of,
    sign,
    with_hash,
)
from evalkit.records.stored import stored_text, stored_value
from evalkit.store.audit_check import PRUNED, check_log
from evalkit.store.audit_tail import check_follows, check_seal
from evalkit.store.files import explain, explained, sync_folder
from evalkit.store.folder import PRIVATE, private_folder
from evalkit.store.private_lines import (
    append_line,
    last_line,
    locked,
    opened,
    replace_private,
    written_private,
)

KEY_VARIABLE = "EVALKIT_AUDIT_KEY"
LOG = "log.jsonl"
HEAD = "head"
LOCK = "lock"
_CHECKPOINT_START = b'{"checkpoint":'

Now = Callable[[], datetime]


class AuditFile:
    """Implements ports.AuditLog. Nothing is made before the first entry.

    Every method raises StoreError where the disk refuses, or where the log's end is not what was
    written there: then nothing is added, since it would hide what happened.
    """

    def __init__(
        self,
        root: Path,
        *,
        now: Now,
        redact: Callable[[str], str],
        key: bytes | None = None,
    ) -> None:
        """The log of the project at `root`. `redact` is for what entries are about, never for who.

        With a `key` heads and checkpoints are signed.
        """
        self.folder = root / PRIVATE / "audit"
        self.path = self.folder / LOG
        self._root = root
        self._now = now
        self._redact = redact
        self._key = key

    def append(self, kind: str, actor: Mapping[str, str], about: Mapping[str, Any]) -> None:
        """Write one entry so that it survives a power cut, and move the head to it."""
        with self._locked():
            last = self._write(kind, actor, about)
        self._sync_up_to(last)

    def note(self, kind: str, actor: Mapping[str, str], about: Mapping[str, Any]) -> None:
        """Write one entry and hand it to the operating system, which takes no wait for the disk.

        It survives the end of the process, not yet a power cut: that is for `seal`, which also
        moves the head.
        """
        with self._locked():
            self._write(kind, actor, about)

    def seal(self) -> None:
        """Make what was noted survive a power cut, and move the head to the newest entry."""
        if not self.path.exists():
            return
        with self._locked(), opened(self.path) as descriptor:
            last = _last(descriptor, self.path)
        if last is not None:
            self._sync_up_to(last)

    def entries(self) -> Iterator[AuditEntry]:
        """Every entry, oldest first, up to a torn last line. Raises StoreError for a damaged one:
        `verify` says more."""
        decoder = msgspec.json.Decoder(AuditEntry)
        for number, raw in enumerate(self._lines(), start=1):
            if raw.startswith(_CHECKPOINT_START):
                continue
            if not raw.endswith(b"\n"):
                return
            try:
                yield decoder.decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise StoreError(
                    f"{self.path}:{number} is no entry ({error}); `evalkit audit verify` tells more"
                ) from error

    def verify(self) -> AuditReport:
        """Whether the log is what was written."""
        with self._locked() if self.folder.exists() else _nothing():
            return check_log(str(self.path), self._lines(), self._head(), key=self._key)

    def export(self, target: Path) -> int:
        """Write a copy with its head as its last line, which `verify_file` can check anywhere.

        Returns how many lines it has. Raises UsageError where the file is there already.
        """
        with self._locked() if self.folder.exists() else _nothing():
            lines = [line for line in self._lines() if line.endswith(b"\n")]
            head = self._head()
        if head is None:
            raise UsageError("the audit log is empty, so there is nothing to export")
        at = self._now().astimezone(UTC).isoformat(timespec="milliseconds")
        lines.append(line_of(AuditExport(exported_at=at, head=head)))
        try:
            with explained("write", target):
                descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.writelines(lines)
        except StoreError as error:
            if isinstance(error.__cause__, FileExistsError):
                raise UsageError(f"{target} is there already; name another file") from error
            raise
        return len(lines)

    def prune(self, before: datetime, actor: Mapping[str, str], *, dry_run: bool = False) -> int:
        """Take out the entries from before that moment, oldest first, and leave a checkpoint.

        Returns how many. The chain is checked first. Raises Refused for one that does not hold:
        what is wrong with it must stay to be looked at.
        """
        if not self.path.exists():
            return 0
        with self._locked():
            lines = [line for line in self._lines() if line.endswith(b"\n")]
            head = self._head()
            report = check_log(str(self.path), lines, head, key=self._key)
            if report.problem is not None:
                raise Refused(
                    f"the audit log does not hold ({report.problem}), so nothing of it is pruned; "
                    "keep a copy of it and find out what happened"
                )
            if head is not None:
                check_seal(head, self._key, self.folder)
            top = [line for line in lines if line.startswith(_CHECKPOINT_START)]
            entries = lines[len(top) :]
            gone = _older(entries, before)
            if not gone or dry_run:
                return len(gone)
            checkpoint = self._checkpoint(top, entries[: len(gone)], gone)
            kept = [*top, line_of(checkpoint), *entries[len(gone) :]]
            last = (
                msgspec.json.decode(entries[-1], type=AuditEntry)
                if len(gone) < len(entries)
                else gone[-1]
            )
            told = self._entry(
                PRUNED,
                actor,
                {
                    "checkpoint": checkpoint.hash,
                    "entries": len(gone),
                    "first_seq": checkpoint.first_seq,
                    "last_seq": checkpoint.last_seq,
                },
                seq=last.seq,
                prev=last.hash,
            )
            replace_private(self.path, b"".join([*kept, line_of(told)]))
            replace_private(self.folder / HEAD, line_of(self._signed_head(told.seq, told.hash)))
            return len(gone)

    def _checkpoint(
        self, top: list[bytes], lines: list[bytes], gone: list[AuditEntry]
    ) -> AuditCheckpoint:
        before = msgspec.json.decode(top[-1], type=AuditCheckpoint).hash if top else NOTHING_BEFORE
        made = AuditCheckpoint(
            checkpoint=len(top) + 1,
            first_seq=gone[0].seq,
            last_seq=gone[-1].seq,
            first_at=gone[0].at,
            last_at=gone[-1].at,
            last_hash=gone[-1].hash,
            digest=hashlib.sha256(b"".join(lines)).hexdigest(),
            pruned_at=self._stamp(),
            prev=before,
        )
        made = msgspec.structs.replace(made, hash=hash_of(made))
        return msgspec.structs.replace(made, signature=sign(made, self._key))

    def _write(self, kind: str, actor: Mapping[str, str], about: Mapping[str, Any]) -> AuditEntry:
        """Add an entry behind the last one; the lock is held."""
        head = self._head()
        if head is None:
            # Made before the log is: a log without a head is one whose head was taken away.
            if self.path.exists():
                raise StoreError(
                    f"{self.folder / HEAD} is missing beside {self.path}, so nothing is added: "
                    "`evalkit audit verify` tells what is there; move both aside to begin anew"
                )
            head = self._signed_head(0, NOTHING_BEFORE)
            replace_private(self.folder / HEAD, line_of(head))
        check_seal(head, self._key, self.folder)
        with opened(self.path) as descriptor:
            last = _last(descriptor, self.path)
            seq, prev = (0, NOTHING_BEFORE) if last is None else (_seq(last), _link(last))
            # cut off, or another entry than the head names: the break must stay to be seen
            if seq <= head.seq:
                seq, prev = head.seq, head.hash
            entry = self._entry(kind, actor, about, seq=seq, prev=prev)
            append_line(descriptor, line_of(entry), self.path)
            return entry

    def _sync_up_to(self, last: AuditEntry | AuditCheckpoint) -> None:
        """Put the log on the disk, then move the head. Waiting for the disk holds nobody up: the
        lock is taken for the moment of the move alone."""
        with opened(self.path) as descriptor, explained("write", self.path):
            os.fsync(descriptor)
        head = self._signed_head(_seq(last), _link(last))
        path = self.folder / HEAD
        with written_private(path, line_of(head)) as temporary, self._locked():
            current = self._head()
            # another writer may have moved it further, and a head that is gone stays gone
            if current is not None and current.seq < head.seq:
                check_seal(current, self._key, self.folder)
                check_follows(self.path, current, head.seq)
                with explained("write", path):
                    os.replace(temporary, path)
        with explained("write", path):
            sync_folder(self.folder)

    def _entry(
        self, kind: str, actor: Mapping[str, str], about: Mapping[str, Any], *, seq: int, prev: str
    ) -> AuditEntry:
        named = {key: str(value) for key, value in actor.items() if value}
        return with_hash(
            AuditEntry(
                seq=seq + 1,
                at=self._stamp(),
                kind=kind,
                actor={key: stored_text(value, str) for key, value in named.items()},
                about=_plain(stored_value(dict(about), self._redact)),
                prev=prev,
            )
        )

    def _stamp(self) -> str:
        return self._now().astimezone(UTC).isoformat(timespec="milliseconds")

    def _head(self) -> AuditHead | None:
        path = self.folder / HEAD
        try:
            return msgspec.json.decode(path.read_bytes(), type=AuditHead)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explain(error, "read", path) from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise StoreError(f"{path} is no head of an audit log ({error})") from error

    def _signed_head(self, seq: int, digest: str) -> AuditHead:
        head = AuditHead(seq=seq, hash=digest, at=self._stamp())
        return msgspec.structs.replace(head, signature=sign(head, self._key))

    def _lines(self) -> Iterator[bytes]:
        with explained("read", self.path):
            if not self.path.exists():
                return
            with open(self.path, "rb") as file:
                yield from file

    @contextmanager
    def _locked(self) -> Iterator[None]:
        private_folder(self._root)
        with locked(self.folder / LOCK):
            yield


def verify_file(path: Path, *, key: bytes | None = None) -> AuditReport:
    """Whether an exported log, or a copy of a log with its head beside it, is what was written.

    Raises UsageError for a file that is not there.
    """
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError(f"there is no file {path}") from error
    except OSError as error:
        raise explain(error, "read", path) from error
    head = None
    beside = path.with_name(HEAD)
    if not (lines and lines[-1].startswith(b'{"exported_at":')) and beside.is_file():
        try:
            head = msgspec.json.decode(beside.read_bytes(), type=AuditHead)
        except (msgspec.MsgspecError, UnicodeDecodeError, OSError, RecursionError):
            head = None
    return check_log(str(path), lines, head, key=key)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _last(descriptor: int, path: Path) -> AuditEntry | AuditCheckpoint | None:
    """The last whole line; what a crash tore off behind it is cut. Raises StoreError."""
    raw = last_line(descriptor, path)
    if not raw:
        return None
    kind: type[AuditEntry] | type[AuditCheckpoint] = (
        AuditCheckpoint if raw.startswith(_CHECKPOINT_START) else AuditEntry
    )
    try:
        found = msgspec.json.decode(raw, type=kind)
        whole = hash_of(found) == found.hash
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(path) from error
    if not whole:
        raise _damaged(path)
    return found


def _damaged(path: Path) -> StoreError:
    return StoreError(
        f"the last line of {path} is not what was written there, so nothing is added; "
        "`evalkit audit verify` tells more; move the folder aside to begin anew"
    )


def _seq(record: AuditEntry | AuditCheckpoint) -> int:
    return record.seq if isinstance(record, AuditEntry) else record.last_seq


def _link(record: AuditEntry | AuditCheckpoint) -> str:
    return record.hash if isinstance(record, AuditEntry) else record.last_hash


def _older(lines: Iterable[bytes], before: datetime) -> list[AuditEntry]:
    """The entries at the beginning that are older; the first younger one ends them."""
    decoder = msgspec.json.Decoder(AuditEntry)
    gone: list[AuditEntry] = []
    for line in lines:
        entry = decoder.decode(line)
        if datetime.fromisoformat(entry.at) >= before:
            break
        gone.append(entry)
    return gone


def _plain(value: Any) -> Any:
    """What reads back as it was written: JSON has no integers beyond 64 bits for everybody."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 63:
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)
