"""The audit log: a chain that shows what was done to it, written by several processes."""

import json
import os
import signal
import stat
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import Refused, StoreError, UsageError
from evalkit.records.audit_log import (
    NOTHING_BEFORE,
    AuditEntry,
    AuditHead,
    line_of,
    with_hash,
)
from evalkit.store.audit import AuditFile, verify_file
from evalkit.store.audit_check import check_log
from tests.unit.store.audit_child import start

START = datetime(2026, 11, 1, tzinfo=UTC)
ADA = {"user": "Ada Lovelace", "team": "legal_ops"}
KEY = b"a key that only the auditor has"


class Days:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.day = 0.0

    def __call__(self) -> datetime:
        return START + timedelta(days=self.day)


def filled(root: Path, entries: int = 5, *, key: bytes | None = None) -> AuditFile:
    """A log with an entry a day."""
    days = Days()
    log = AuditFile(root, now=days, redact=lambda text: text.replace("secret", "[X]"), key=key)
    for number in range(entries):
        days.day = number
        log.append("approval.granted", ADA, {"tool": "pay", "number": number})
    return log


def edit(log: AuditFile, change: Callable[[list[bytes]], list[bytes]]) -> None:
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(change(lines)))


def test_a_log_that_nobody_touched_holds_and_its_names_are_real(tmp_path: Path) -> None:
    log = filled(tmp_path)
    report = log.verify()
    assert (report.problem, report.entries, report.last_seq, report.unsealed) == (None, 5, 5, 0)
    assert [entry.actor for entry in log.entries()] == [ADA] * 5
    assert report.signed is False


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    log = filled(tmp_path)
    for path in (log.path, log.folder / "head", log.folder / "lock"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.folder.stat().st_mode) == 0o700


def test_what_entries_are_about_is_redacted(tmp_path: Path) -> None:
    log = filled(tmp_path, 0)
    log.append("policy.denied", ADA, {"why": ["a secret"], "big": 2**70, "at": START})
    (entry,) = log.entries()
    assert entry.about == {"why": ["a [X]"], "big": str(2**70), "at": str(START)}
    assert log.verify().holds


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (lambda lines: [*lines[:2], lines[2].replace(b"pay", b"pax"), *lines[3:]], 3, "was edited"),
        (lambda lines: [*lines[:2], lines[2].replace(b'":', b'": '), *lines[3:]], 3, "edited"),
        (lambda lines: [*lines[:2], *lines[3:]], 3, "1 entry is missing"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2, "missing before it"),
        (lambda lines: [*lines, lines[-1]], 6, "another order or written twice"),
        (lambda lines: lines[1:], 1, "1 entry is missing"),
        (lambda lines: [*lines[:2], b"nonsense\n", *lines[3:]], 3, "edited or damaged"),
        (lambda lines: [*lines[:2], b"\n", *lines[2:]], 3, "edited or damaged"),
        (lambda lines: [*lines[:2], b"\xff\xfe\n", *lines[2:]], 3, "edited or damaged"),
        (lambda lines: lines[:3], None, "2 entries were cut off its end"),
        (lambda lines: [], None, "5 entries were cut off its end"),
    ],
)
def test_the_first_line_that_was_touched_is_named(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], line: int | None, says: str
) -> None:
    log = filled(tmp_path)
    edit(log, change)
    report = log.verify()
    assert says in (report.problem or "")
    assert report.line == line


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> AuditFile:
    """A log of five entries, of which copies are made."""
    return filled(tmp_path_factory.mktemp("whole"))


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_single_byte_can_be_changed_unseen(whole: AuditFile, data: st.DataObject) -> None:
    raw = bytearray(whole.path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[place]))
    head = msgspec.json.decode((whole.folder / "head").read_bytes(), type=AuditHead)
    lines = bytes(raw).splitlines(keepends=True)
    assert check_log("log", lines, head, key=None).problem is not None


@given(chosen=st.lists(st.integers(0, 4), max_size=7))
@settings(max_examples=150, deadline=None)
def test_no_line_can_be_taken_out_moved_or_written_twice_unseen(
    whole: AuditFile, chosen: list[int]
) -> None:
    lines = whole.path.read_bytes().splitlines(keepends=True)
    head = msgspec.json.decode((whole.folder / "head").read_bytes(), type=AuditHead)
    report = check_log("log", [lines[place] for place in chosen], head, key=None)
    assert report.holds == (chosen == [0, 1, 2, 3, 4])


def test_an_entry_with_a_hash_made_anew_does_not_fit_the_next(tmp_path: Path) -> None:
    from evalkit.records.audit_log import AuditEntry, line_of, with_hash

    log = filled(tmp_path)

    def forge(lines: list[bytes]) -> list[bytes]:
        fields = json.loads(lines[2])
        fields["actor"] = {"user": "Somebody Else"}
        return [*lines[:2], line_of(with_hash(AuditEntry(**fields))), *lines[3:]]

    edit(log, forge)
    assert "line 4 does not follow from entry 3" in (log.verify().problem or "")


def test_a_log_whose_head_was_taken_away_does_not_hold_and_takes_nothing_more(
    tmp_path: Path,
) -> None:
    log = filled(tmp_path)
    (log.folder / "head").unlink()
    assert "there is no head" in (log.verify().problem or "")
    with pytest.raises(StoreError, match="head is missing"):
        log.append("approval.denied", ADA, {})


def test_entries_after_a_cut_end_leave_the_gap_to_be_seen(tmp_path: Path) -> None:
    log = filled(tmp_path)
    edit(log, lambda lines: lines[:3])
    log.append("approval.denied", ADA, {})
    assert log.verify().problem == (
        "line 4 is entry 6 and entry 4 was due: 2 entries are missing before it"
    )


def test_nothing_is_added_behind_a_last_line_that_was_edited(tmp_path: Path) -> None:
    log = filled(tmp_path)
    edit(log, lambda lines: [*lines[:-1], lines[-1].replace(b"pay", b"pax")])
    with pytest.raises(StoreError, match="not what was written there"):
        log.append("approval.denied", ADA, {})


def test_a_line_that_was_cut_off_in_mid_write_is_told_and_its_place_is_taken(
    tmp_path: Path,
) -> None:
    log = filled(tmp_path)
    with open(log.path, "ab") as file:
        file.write(b'{"about":{"half')
    report = log.verify()
    assert report.holds
    assert "line 6 was cut off in mid-write" in report.notes[0]
    log.append("approval.denied", ADA, {})
    assert (log.verify().entries, log.verify().notes[0]) == (
        6,
        "nobody signed it: who can write the files can write them anew",
    )


def test_what_was_noted_is_covered_once_it_is_sealed(tmp_path: Path) -> None:
    log = filled(tmp_path, 0)
    log.note("policy.denied", ADA, {})
    log.note("policy.denied", ADA, {})
    assert (log.verify().problem, log.verify().unsealed) == (None, 2)
    log.seal()
    assert log.verify().unsealed == 0
    edit(log, lambda lines: lines[:1])
    assert not log.verify().holds


def written_anew(log: AuditFile, *, more: int = 0) -> list[AuditEntry]:
    """Every entry changed and the chain made whole again, by somebody without the key."""
    entries = [
        msgspec.json.decode(line, type=AuditEntry) for line in log.path.read_bytes().splitlines()
    ]
    entries += [
        msgspec.structs.replace(entries[-1], seq=entries[-1].seq + 1 + number)
        for number in range(more)
    ]
    link, made = NOTHING_BEFORE, []
    for entry in entries:
        made.append(with_hash(msgspec.structs.replace(entry, about={"number": 0}, prev=link)))
        link = made[-1].hash
    log.path.write_bytes(b"".join(line_of(entry) for entry in made))
    return made


@pytest.mark.parametrize("more", [0, 1])
def test_who_writes_next_does_not_seal_a_log_that_was_written_anew(
    tmp_path: Path, more: int
) -> None:
    log = filled(tmp_path, key=KEY)
    written_anew(log, more=more)
    for _ in range(2):
        with suppress(StoreError):
            log.append("approval.granted", ADA, {"tool": "pay"})
        assert not log.verify().holds


def test_a_head_without_the_right_signature_is_never_signed_over(tmp_path: Path) -> None:
    log = filled(tmp_path, key=KEY)
    forged = written_anew(log)[-1]
    head = AuditHead(seq=forged.seq, hash=forged.hash, at=forged.at)
    (log.folder / "head").write_bytes(line_of(head))
    with pytest.raises(StoreError, match="was not signed with EVALKIT_AUDIT_KEY"):
        log.append("approval.granted", ADA, {"tool": "pay"})
    assert not log.verify().holds


def test_who_has_no_key_adds_nothing_to_a_signed_log(tmp_path: Path) -> None:
    filled(tmp_path, key=KEY)
    without = AuditFile(tmp_path, now=Days(), redact=str)
    with pytest.raises(StoreError, match="EVALKIT_AUDIT_KEY is not set"):
        without.append("approval.granted", ADA, {"tool": "pay"})
    with pytest.raises(StoreError, match="EVALKIT_AUDIT_KEY is not set"):
        without.prune(START + timedelta(days=2), ADA)
    assert AuditFile(tmp_path, now=Days(), redact=str, key=KEY).verify().holds


def test_a_long_row_of_unsealed_entries_is_followed_back_to_the_head(tmp_path: Path) -> None:
    log = filled(tmp_path, key=KEY)
    for number in range(300):
        log.note("policy.denied", ADA, {"number": number, "why": "x" * 400})
    log.seal()
    report = log.verify()
    assert (report.problem, report.entries, report.unsealed) == (None, 305, 0)


def test_with_a_key_a_log_that_was_written_anew_does_not_hold(tmp_path: Path) -> None:
    signed = filled(tmp_path / "signed", key=KEY)
    assert signed.verify().signed is True
    forged = filled(tmp_path / "forged")  # whole, and made by somebody without the key
    as_auditor = AuditFile(tmp_path / "forged", now=Days(), redact=str, key=KEY)
    assert forged.verify().holds
    assert "not signed with EVALKIT_AUDIT_KEY" in (as_auditor.verify().problem or "")
    other = AuditFile(tmp_path / "signed", now=Days(), redact=str, key=b"another")
    assert not other.verify().holds
    without = AuditFile(tmp_path / "signed", now=Days(), redact=str)
    assert (without.verify().problem, without.verify().signed) == (None, None)


@pytest.mark.parametrize("key", [None, KEY])
def test_pruning_leaves_checkpoints_and_the_rest_still_holds(
    tmp_path: Path, key: bytes | None
) -> None:
    log = filled(tmp_path, 6, key=key)
    assert log.prune(START + timedelta(days=2), ADA, dry_run=True) == 2
    assert len(list(log.entries())) == 6
    assert log.prune(START + timedelta(days=2), ADA) == 2
    assert log.prune(START + timedelta(days=4), ADA) == 2
    assert log.prune(START + timedelta(days=4), ADA) == 0
    report = log.verify()
    assert (report.problem, report.pruned, report.first_seq, report.last_seq) == (None, 4, 5, 8)
    assert [entry.kind for entry in log.entries()][-2:] == ["audit.pruned"] * 2
    log.append("approval.used", ADA, {})
    assert log.verify().holds
    assert log.prune(START + timedelta(days=400), ADA) == 5
    assert log.verify().problem is None
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_a_checkpoint_that_nobody_pruned_does_not_hold(tmp_path: Path) -> None:
    from evalkit.records.audit_log import AuditCheckpoint, hash_of, line_of

    log = filled(tmp_path)

    def cut(lines: list[bytes]) -> list[bytes]:
        first, second = json.loads(lines[0]), json.loads(lines[1])
        made = AuditCheckpoint(
            checkpoint=1,
            first_seq=1,
            last_seq=2,
            first_at=first["at"],
            last_at=second["at"],
            last_hash=second["hash"],
            digest="0" * 64,
            pruned_at=second["at"],
            prev="0" * 64,
        )
        import msgspec

        return [line_of(msgspec.structs.replace(made, hash=hash_of(made))), *lines[2:]]

    edit(log, cut)
    assert "the beginning was cut off by hand" in (log.verify().problem or "")


def test_a_log_that_does_not_hold_is_not_pruned(tmp_path: Path) -> None:
    log = filled(tmp_path)
    edit(log, lambda lines: [lines[0], *lines[2:]])
    with pytest.raises(Refused, match="nothing of it is pruned"):
        log.prune(START + timedelta(days=9), ADA)


def test_an_export_can_be_verified_anywhere_and_shows_what_was_done_to_it(tmp_path: Path) -> None:
    log = filled(tmp_path, key=KEY)
    target = tmp_path / "export.jsonl"
    assert log.export(target) == 6
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert verify_file(target, key=KEY).holds
    lines = target.read_bytes().splitlines(keepends=True)
    target.write_bytes(b"".join(lines[:-1]))
    assert "there is no head" in (verify_file(target, key=KEY).problem or "")
    target.write_bytes(b"".join([*lines[:3], lines[-1]]))
    assert "cut off its end" in (verify_file(target, key=KEY).problem or "")
    with pytest.raises(UsageError, match="there already"):
        log.export(target)
    with pytest.raises(UsageError, match="no file"):
        verify_file(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="nothing to export"):
        filled(tmp_path / "empty", 0).export(tmp_path / "other")


def test_processes_that_write_together_make_one_chain(tmp_path: Path) -> None:
    children = [start("audit", tmp_path, who, 60) for who in ("ada", "bob", "cyd", "dan")]
    for child in children:
        child.communicate(timeout=60)
        assert child.returncode == 0
    log = AuditFile(tmp_path, now=Days(), redact=str)
    assert (log.verify().problem, log.verify().entries, log.verify().unsealed) == (None, 240, 0)
    for who in ("ada", "bob", "cyd", "dan"):
        numbers = [each.about["number"] for each in log.entries() if each.actor["user"] == who]
        assert numbers == list(range(60))


def test_a_disk_that_fills_refuses_an_entry_whole(tmp_path: Path) -> None:
    child = start("full", tmp_path, "ada", 0)
    child.communicate(timeout=60)
    assert child.returncode == 1  # of the StoreError
    log = AuditFile(tmp_path, now=Days(), redact=str)
    report = log.verify()
    assert (report.problem, report.entries > 20) == (None, True)
    assert not any("cut off" in note for note in report.notes)
    log.append("after.full", ADA, {})
    assert log.verify().entries == report.entries + 1


def test_a_process_that_is_killed_while_it_writes_leaves_a_log_that_holds(tmp_path: Path) -> None:
    log = AuditFile(tmp_path, now=Days(), redact=str)
    for round_ in range(3):
        children = [start("audit", tmp_path, f"{who}{round_}", 0) for who in ("ada", "bob")]
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == b"begun\n"
        for child in children:
            os.kill(child.pid, signal.SIGKILL)
            child.communicate(timeout=10)
        assert log.verify().problem is None
        log.append("after.kill", ADA, {})
        assert log.verify().problem is None
        assert log.verify().unsealed == 0
