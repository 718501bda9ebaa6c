"""The audit log's records: entries in a chain, its head, and what pruning leaves of its beginning.

Schema history: `evalkit.audit_log/1` is the first. Every line is canonical JSON (sorted keys, no
blanks), so that one content has one text and one hash.
"""

import hashlib
import hmac
from typing import Any, Literal

import msgspec

from evalkit.records.digest import canonical_json

NOTHING_BEFORE = "0" * 64
SCHEMA: Literal["evalkit.audit_log/1"] = "evalkit.audit_log/1"


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that somebody decided or that was refused to somebody.

    `seq` counts from 1 without gaps. `actor` holds real names, as far as they are known. `prev` is
    the `hash` of the entry before, `hash` the SHA-256 of this one without it.
    """

    seq: int
    at: str
    kind: str
    actor: dict[str, str]
    about: dict[str, Any]
    prev: str
    hash: str = ""


class AuditHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The newest entry that was made durable, kept beside the log, so that a cut end shows.

    `signature` is an HMAC-SHA-256 where the writer had a key, else empty.
    """

    seq: int
    hash: str
    at: str
    signature: str = ""
    schema: Literal["evalkit.audit_log/1"] = SCHEMA


class AuditCheckpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the place of entries that were pruned: the chain goes on from `last_hash`.

    `digest` is the SHA-256 of the lines that are gone, so that a copy of them can be recognised.
    `prev` is the hash of the checkpoint before it.
    """

    checkpoint: int
    first_seq: int
    last_seq: int
    first_at: str
    last_at: str
    last_hash: str
    digest: str
    pruned_at: str
    prev: str
    hash: str = ""
    signature: str = ""


class AuditExport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last line of an exported log: the head it had."""

    exported_at: str
    head: AuditHead


class AuditReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a check of the log found.

    `problem` is the first thing that does not hold, at `line` of the file (None: about its end or
    its head). `signed`: the head's signature is right (True), was not looked at for want of a key
    (None), or nobody signed (False). `unsealed` counts entries behind the head.
    """

    path: str
    entries: int
    first_seq: int = 0
    last_seq: int = 0
    last_hash: str = NOTHING_BEFORE
    pruned: int = 0
    unsealed: int = 0
    signed: bool | None = None
    problem: str | None = None
    line: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return self.problem is None


Chained = AuditEntry | AuditCheckpoint


def line_of(record: msgspec.Struct) -> bytes:
    """The record's one text, with its newline."""
    return canonical_json(record) + b"\n"


def hash_of(record: AuditEntry | AuditCheckpoint) -> str:
    """The hash that a record has to have: of its text without hash and signature."""
    fields = msgspec.to_builtins(record)
    fields.pop("hash")
    fields.pop("signature", None)
    return hashlib.sha256(canonical_json(fields)).hexdigest()


def with_hash(entry: AuditEntry) -> AuditEntry:
    """The entry with its hash."""
    return msgspec.structs.replace(entry, hash=hash_of(entry))


def sign(record: AuditHead | AuditCheckpoint, key: bytes | None) -> str:
    """The signature of a head or checkpoint; empty without a key."""
    if not key:
        return ""
    fields = msgspec.to_builtins(record)
    fields.pop("signature")
    return hmac.new(key, canonical_json(fields), hashlib.sha256).hexdigest()


def is_signed(record: AuditHead | AuditCheckpoint, key: bytes) -> bool:
    """Whether its signature was made with this key."""
    return hmac.compare_digest(record.signature.encode(), sign(record, key).encode())
