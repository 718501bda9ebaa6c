"""The cases of a snapshot in a file of their own, and what that file may not make a reader do."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.errors import StoreError
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.run import SuiteSnapshot
from evalkit.store.snapshots import CaseLines, decode_snapshot, encode_snapshot

IDS = [f"t-{number}" for number in range(600)]
LINES = {id_: at + 2 for at, id_ in enumerate(IDS) if at != 5}
SNAPSHOT = SuiteSnapshot(
    suite="triage",
    golden="triage@v1",
    golden_path="goldensets/triage/v1/cases.jsonl",
    cases=Cases.of((Case(id=id_, input={"body": "It beeps, naïvely."}) for id_ in IDS), LINES),
    scorers=({"exact": {}},),
    gate={"max_drop_pp": 3.0},
    has_baseline=True,
    trials=1,
)
CASES = CaseLines(SNAPSHOT.cases)
WHOLE = b"".join(CASES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "triage.cases.jsonl"
    path.write_bytes(WHOLE)
    return path


def test_what_was_written_is_read_with_its_lines(path: Path) -> None:
    found = decode_snapshot(encode_snapshot(SNAPSHOT, CASES.digest), path)
    assert found == SNAPSHOT
    assert {each.id: found.cases.line_of(each.id) for each in found.cases} == {
        id_: LINES.get(id_) for id_ in IDS
    }


def test_the_json_counts_the_cases_and_does_not_hold_them() -> None:
    said = msgspec.json.decode(encode_snapshot(SNAPSHOT, CASES.digest))
    assert said["cases"] == {
        "count": 600,
        "lines": [[2, 5], [0, 1], [8, 594]],
        "digest": f"sha256:{hashlib.sha256(WHOLE).hexdigest()}",
    }


def test_a_bundle_of_an_older_evalkit_holds_its_cases_in_the_json(tmp_path: Path) -> None:
    said = msgspec.json.decode(encode_snapshot(SNAPSHOT, CASES.digest))
    said |= {"cases": msgspec.to_builtins(list(SNAPSHOT.cases)), "lines": LINES}
    found = decode_snapshot(msgspec.json.encode(said), tmp_path / "none")
    assert found == SNAPSHOT
    assert (found.cases.line_of("t-7"), found.cases.line_of("t-5")) == (9, None)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds 0 cases"),
        (WHOLE.split(b"\n", 1)[1], "holds 599 cases where its suite has 600"),
        (WHOLE + b'{"id": "more", "input": {}}\n', "holds more cases"),
        (WHOLE[:-30], "line 600"),
        (b"\n" + WHOLE, "line 1"),
        (b"\xff\xfe" + WHOLE, "line 1"),
        (b"[" * 100_000 + b"\n" + WHOLE, "line 1"),
        (b'{"id": "a", "input": {"x": ' + b"[" * 100_000 + b"\n" + WHOLE, "line 1"),
        (b'{"id": "a", "input": {"x": "\\ud800"}}\n' + WHOLE, "line 1"),
        (b'{"id": "a", "input": {}, "evil": 1}\n' + WHOLE, "line 1"),
        (WHOLE.replace(b"It beeps", b"It burns", 1), "its cases were changed"),
        (b"\n".join(sorted(WHOLE.splitlines())) + b"\n", "stand in another order"),
        (b'{"id": "t-3", "input": {}}\n' + WHOLE, "line 5: case 't-3' stands there twice"),
    ],
)
def test_a_file_that_is_not_what_was_run_is_refused(path: Path, content: bytes, says: str) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match=says) as caught:
        decode_snapshot(encode_snapshot(SNAPSHOT, CASES.digest), path)
    assert "triage.cases.jsonl" in str(caught.value)


@pytest.mark.parametrize("line", [-1, 2**32, 10**30, "1", None])
def test_a_line_that_cannot_be_is_refused_in_an_older_bundle(tmp_path: Path, line: Any) -> None:
    said = msgspec.json.decode(encode_snapshot(SNAPSHOT, CASES.digest))
    said |= {"cases": msgspec.to_builtins(list(SNAPSHOT.cases)), "lines": {"t-1": line}}
    with pytest.raises(msgspec.MsgspecError):
        decode_snapshot(json.dumps(said).encode(), tmp_path / "none")


@pytest.mark.parametrize(
    "said",
    [
        {"count": 600},
        {"count": 10**15, "lines": [[1, 10**15]]},
        {"count": 600, "lines": [[1, 601], [1, -1]]},
        {"count": 600, "lines": [[-1, 600]]},
        {"count": 600, "lines": [[2**32, 600]]},
        {"count": -1, "lines": []},
        {"count": 600, "lines": [[1, 600]], "file": "../../etc/passwd"},
        {"count": 1e308},
        {},
        None,
        "600",
    ],
)
def test_a_count_that_cannot_be_is_refused_and_takes_no_memory(path: Path, said: Any) -> None:
    snapshot = msgspec.json.decode(encode_snapshot(SNAPSHOT, CASES.digest)) | {"cases": said}
    with pytest.raises((StoreError, msgspec.MsgspecError)):
        decode_snapshot(msgspec.json.encode(snapshot), path)


def test_a_pipe_is_not_waited_for(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StoreError, match="no regular file"):
        decode_snapshot(encode_snapshot(SNAPSHOT, CASES.digest), path)


def test_a_lost_file_is_named(path: Path) -> None:
    path.unlink()
    with pytest.raises(StoreError, match=r"triage\.cases\.jsonl is missing"):
        decode_snapshot(encode_snapshot(SNAPSHOT, CASES.digest), path)
