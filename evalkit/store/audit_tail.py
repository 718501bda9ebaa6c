"""What stands in an audit log behind its head: whether it goes on from there."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from evalkit.errors import StoreError
from evalkit.records.audit_log import AuditCheckpoint, AuditEntry, AuditHead, hash_of, is_signed
from evalkit.store.files import explained

# the entry that was just written, mostly; a session's denials; then more
_FIRST_BLOCK = 4_096


class _Numbered(msgspec.Struct):
    seq: int


_NUMBER = msgspec.json.Decoder(_Numbered)


def check_seal(head: AuditHead, key: bytes | None, folder: Path) -> None:
    """Raise StoreError for a head that a writer with this key, or without one, may not move.

    To sign over a head that was not signed would make a log that anybody wrote anew hold; to write
    a head without a signature over a signed one would make an honest log look forged.
    """
    if key is None and head.signature:
        problem = "is signed, and EVALKIT_AUDIT_KEY is not set"
    elif key is not None and not is_signed(head, key):
        problem = "was not signed with EVALKIT_AUDIT_KEY"
    else:
        return
    raise StoreError(
        f"the head of the audit log in {folder} {problem}, so nothing is added; "
        "`evalkit audit verify` tells more; move the folder aside to begin anew"
    )


def check_follows(path: Path, head: AuditHead, last_seq: int) -> None:
    """Raise StoreError unless entries up to `last_seq` follow from the head, each from the one
    before."""
    seq, link = head.seq, head.hash
    for entry in _behind(path, head.seq):
        if entry.seq != seq + 1 or entry.prev != link or hash_of(entry) != entry.hash:
            break
        seq, link = entry.seq, entry.hash
        if seq == last_seq:
            return
    raise StoreError(
        f"entry {seq + 1} of {path} does not follow from the log's head, so the head is not moved "
        "on to it; `evalkit audit verify` tells more; move the folder aside to begin anew"
    )


def _behind(path: Path, seq: int) -> Iterator[AuditEntry]:
    """The entries after that one. Raises StoreError for a line that is none."""
    decoder = msgspec.json.Decoder(AuditEntry)
    for raw in _lines_behind(path, seq):
        try:
            yield decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise StoreError(f"{path} has a line that is no entry ({error})") from error


def _lines_behind(path: Path, seq: int) -> list[bytes]:
    """Their whole lines, read from the end of the file: they are few, and the log may be long."""
    with explained("read", path), open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        block = _FIRST_BLOCK
        while True:
            start = max(0, size - block)
            file.seek(start)
            lines = file.read(size - start).splitlines(keepends=True)
            lines = [line for line in lines[1 if start else 0 :] if line.endswith(b"\n")]
            if not start or (lines and _seq_of(lines[0]) <= seq):
                return [line for line in lines if _seq_of(line) > seq]
            block *= 4


def _seq_of(raw: bytes) -> int:
    """Of an entry; of a checkpoint that of the last one it stands for; beyond all for neither."""
    try:
        if raw.startswith(b'{"checkpoint":'):
            return msgspec.json.decode(raw, type=AuditCheckpoint).last_seq
        return _NUMBER.decode(raw).seq
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 1 << 63
