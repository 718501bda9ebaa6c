"""Whether an audit log is what was written: every line, their chain, its end, its signatures."""

from collections.abc import Iterable

import msgspec

from evalkit.records.audit_log import (
    NOTHING_BEFORE,
    AuditCheckpoint,
    AuditEntry,
    AuditExport,
    AuditHead,
    AuditReport,
    hash_of,
    is_signed,
    line_of,
)

PRUNED = "audit.pruned"
_ENTRIES = msgspec.json.Decoder(AuditEntry)
_CHECKPOINTS = msgspec.json.Decoder(AuditCheckpoint)
_EXPORTS = msgspec.json.Decoder(AuditExport)


class Broken(Exception):
    """The first thing that does not hold."""


class _Chain(msgspec.Struct):
    """The chain as far as it has been followed."""

    key: bytes | None
    hashes: dict[int, str] = msgspec.field(default_factory=lambda: {0: NOTHING_BEFORE})
    seq: int = 0
    last: str = NOTHING_BEFORE
    first: int = 0
    entries: int = 0
    checkpoints: list[AuditCheckpoint] = msgspec.field(default_factory=list)
    told: set[str] = msgspec.field(default_factory=set)
    export: AuditExport | None = None

    def take(self, raw: bytes) -> None:
        if self.export is not None:
            raise Broken("stands behind the end of the export")
        record = _decoded(raw)
        if record is None:
            raise Broken("is no line that evalkit writes: it was edited or damaged")
        try:
            written = line_of(record)
        except RecursionError:
            raise Broken("is nested deeper than any line that evalkit writes") from None
        if written != raw:
            raise Broken("is not written as evalkit writes it: it was edited")
        if isinstance(record, AuditExport):
            self.export = record
            return
        if hash_of(record) != record.hash:
            raise Broken(f"does not have its hash any more: {_name(record)} was edited")
        if isinstance(record, AuditCheckpoint):
            self._take_checkpoint(record)
        else:
            self._take_entry(record)

    def _take_checkpoint(self, record: AuditCheckpoint) -> None:
        if self.entries:
            raise Broken("is a checkpoint in the middle of the log: it was moved here")
        before = self.checkpoints[-1].hash if self.checkpoints else NOTHING_BEFORE
        if record.prev != before or record.checkpoint != len(self.checkpoints) + 1:
            raise Broken("does not follow from the checkpoint before it: one is missing or moved")
        if record.first_seq != self.seq + 1 or record.last_seq < record.first_seq:
            raise Broken(f"covers entries from {record.first_seq}, after entry {self.seq}")
        if self.key and not is_signed(record, self.key):
            raise Broken("is a checkpoint that was not signed with EVALKIT_AUDIT_KEY")
        self.checkpoints.append(record)
        self.seq, self.last = record.last_seq, record.last_hash
        self.hashes[self.seq] = self.last

    def _take_entry(self, record: AuditEntry) -> None:
        expected = self.seq + 1
        if record.seq > expected:
            missing = record.seq - expected
            raise Broken(
                f"is entry {record.seq} and entry {expected} was due: {missing} "
                f"{'entry is' if missing == 1 else 'entries are'} missing before it"
            )
        if record.seq < expected:
            raise Broken(
                f"is entry {record.seq} and entry {expected} was due: entries were put in another "
                "order or written twice"
            )
        if record.prev != self.last:
            raise Broken(f"does not follow from entry {self.seq}: one of the two was replaced")
        self.seq, self.last = record.seq, record.hash
        self.hashes[record.seq] = record.hash
        self.first = self.first or record.seq
        self.entries += 1
        if record.kind == PRUNED and isinstance(told := record.about.get("checkpoint"), str):
            self.told.add(told)


def check_log(
    path: str, lines: Iterable[bytes], head: AuditHead | None, *, key: bytes | None
) -> AuditReport:
    """Follow the chain from its first line to its head. `lines` have their newlines.

    With a `key` the head and the checkpoints have to be signed with it.
    """
    chain = _Chain(key)
    notes: list[str] = []
    for number, raw in enumerate(lines, start=1):
        if not raw.endswith(b"\n"):
            notes.append(
                f"line {number} was cut off in mid-write ({len(raw)} bytes); the next entry takes "
                "its place"
            )
            break
        try:
            chain.take(raw)
        except Broken as broken:
            return _report(path, chain, notes, f"line {number} {broken}", number)
    if chain.export is not None:
        head = chain.export.head
    try:
        unsealed, signed = _check_head(chain, head, key)
    except Broken as broken:
        return _report(path, chain, notes, str(broken), None)
    if unsealed:
        verb = "is" if unsealed == 1 else "are"
        notes.append(f"{unsealed} of the newest entries {verb} not sealed by the head yet")
    if signed is None:
        notes.append("the signature was not checked: EVALKIT_AUDIT_KEY is not set")
    elif not signed:
        notes.append("nobody signed it: who can write the files can write them anew")
    report = _report(path, chain, notes, None, None)
    return msgspec.structs.replace(report, unsealed=unsealed, signed=signed)


def _check_head(
    chain: _Chain, head: AuditHead | None, key: bytes | None
) -> tuple[int, bool | None]:
    """How many entries the head does not cover, and whether it is signed. Raises Broken."""
    if head is None:
        if chain.seq == 0 and not key:
            return 0, False
        raise Broken("there is no head: whether entries are missing at the end cannot be told")
    if head.seq > chain.seq:
        missing = head.seq - chain.seq
        raise Broken(
            f"the log ends with entry {chain.seq} and its head names entry {head.seq}: {missing} "
            f"{'entry was' if missing == 1 else 'entries were'} cut off its end"
        )
    known = chain.hashes.get(head.seq)
    if known is None and not (chain.checkpoints and head.seq < chain.seq):
        raise Broken(f"the head names entry {head.seq}, which the log does not have")
    if known is not None and known != head.hash:
        raise Broken(f"entry {head.seq} is not the one that the head names: the log was rewritten")
    untold = [each for each in chain.checkpoints if each.hash not in chain.told]
    # the entry that tells of an older checkpoint may have been pruned itself, later
    if untold and not key and chain.checkpoints[-1] in untold:
        raise Broken("no entry tells of the last checkpoint: the beginning was cut off by hand")
    if key:
        if not is_signed(head, key):
            raise Broken("the head was not signed with EVALKIT_AUDIT_KEY")
        return chain.seq - head.seq, True
    return chain.seq - head.seq, None if head.signature else False


def _report(
    path: str, chain: _Chain, notes: list[str], problem: str | None, line: int | None
) -> AuditReport:
    return AuditReport(
        path=path,
        entries=chain.entries,
        first_seq=chain.first,
        last_seq=chain.seq,
        last_hash=chain.last,
        pruned=chain.checkpoints[-1].last_seq if chain.checkpoints else 0,
        problem=problem,
        line=line,
        notes=tuple(notes),
    )


def _decoded(raw: bytes) -> AuditEntry | AuditCheckpoint | AuditExport | None:
    if raw.startswith(b'{"checkpoint":'):
        decoder: msgspec.json.Decoder[AuditEntry | AuditCheckpoint | AuditExport] = _CHECKPOINTS  # type: ignore[assignment]
    elif raw.startswith(b'{"exported_at":'):
        decoder = _EXPORTS  # type: ignore[assignment]
    else:
        decoder = _ENTRIES  # type: ignore[assignment]
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _name(record: AuditEntry | AuditCheckpoint) -> str:
    return f"entry {record.seq}" if isinstance(record, AuditEntry) else "the checkpoint"
