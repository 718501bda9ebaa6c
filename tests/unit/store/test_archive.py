"""A zip file from CI is a stranger's until every byte of it was looked at."""

import io
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.errors import StoreError
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.last_run import LastRun
from evalkit.records.run import GitState, SuiteSnapshot
from evalkit.store.archive import RunArchive
from evalkit.store.runs import RunStore
from evalkit.store.snapshots import CaseLines, encode_snapshot

Build = Callable[..., Any]
Files = Mapping[str, bytes]

RUN = "20261124T193301Z-3f2a"
FOLDER = f"runs/{RUN}"


@pytest.fixture
def files(record: Build, attempt: Build) -> Callable[..., dict[str, bytes]]:
    """The files of a whole bundle, by changes of its record."""

    def build(**changes: Any) -> dict[str, bytes]:
        snapshot = SuiteSnapshot(
            suite="triage",
            golden="triage@v1",
            golden_path="goldensets/triage/v1/cases.jsonl",
            cases=Cases.of([Case(id="t-1", input={"body": "It beeps."})]),
            scorers=({"exact": {}},),
            gate={"max_drop_pp": 3.0},
            has_baseline=True,
            trials=1,
        )
        encode = msgspec.json.encode
        lines = CaseLines(snapshot.cases)
        cases = b"".join(lines)
        return {
            "run.json": encode(record(state="complete", **changes)),
            "assets/triage.json": encode_snapshot(snapshot, lines.digest),
            "assets/triage.cases.jsonl": cases,
            "attempts.jsonl": encode(attempt()) + b"\n",
            "scores.jsonl": b"",
        }

    return build


def zipped(files: Files, folder: str = FOLDER) -> bytes:
    """These files in a folder of a zip file."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{folder}/{name}" if folder else name, content)
    return raw.getvalue()


def with_entry(name: str, *, kind: int = stat.S_IFREG, content: bytes = b"x") -> bytes:
    """A zip file with one odd entry."""
    raw = io.BytesIO()
    info = zipfile.ZipInfo("x")
    info.filename = name  # as it is: the constructor would tidy it up
    info.external_attr = (kind | 0o644) << 16
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr(info, content)
    return raw.getvalue()


def tree(root: Path) -> dict[str, bytes]:
    """Everything that lies below a folder."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("folder", ["", RUN, FOLDER, f"work/.evalkit/runs/{RUN}"])
def test_a_run_at_any_depth_is_placed_under_its_id(
    tmp_path: Path, files: Build, folder: str
) -> None:
    archive = RunArchive(zipped(files(), folder), name="a.zip")
    assert archive.runs() == (folder,)
    assert archive.id_of(folder) == RUN
    store = RunStore(tmp_path)
    placed = archive.place(folder, store, main=False)
    assert placed.fresh
    assert placed.bundle.path == store.folder / RUN
    assert tree(placed.bundle.path) == files()
    assert placed.bundle.load().attempts[0].case == "t-1"
    assert [bundle.id for bundle in store.list()] == [RUN]


def test_only_data_is_taken_and_no_page_that_somebody_might_open(
    tmp_path: Path, files: Build
) -> None:
    more = {
        "report.html": b"<script>alert(1)</script>",
        "report.md": b"[x](http://evil.example)",
        "junit.xml": b"<!DOCTYPE x>",
        "run.lock": b"1",
        ".bashrc": b"x",
        "assets/deep/a.json": b"{}",
        "assets/.hidden.json": b"{}",
        "other.json": b"{}",
    }
    archive = RunArchive(zipped({**files(), **more}), name="a.zip")
    placed = archive.place(FOLDER, RunStore(tmp_path), main=False)
    assert tree(placed.bundle.path) == files()


def test_the_same_run_again_changes_nothing(tmp_path: Path, files: Build) -> None:
    store = RunStore(tmp_path)
    archive = RunArchive(zipped(files()), name="a.zip")
    first = archive.place(FOLDER, store, main=False)
    first.bundle.write_report("report.md", "written here")
    again = archive.place(FOLDER, store, main=False)
    assert (first.fresh, again.fresh) == (True, False)
    assert (again.bundle.path / "report.md").read_text() == "written here"


def test_another_run_with_an_id_that_is_taken_is_refused(tmp_path: Path, files: Build) -> None:
    store = RunStore(tmp_path)
    RunArchive(zipped(files()), name="a.zip").place(FOLDER, store, main=False)
    before = tree(store.folder)
    other = RunArchive(zipped(files(exit_code=1)), name="b.zip")
    with pytest.raises(StoreError, match=r"holds something else than b\.zip"):
        other.place(FOLDER, store, main=False)
    assert tree(store.folder) == before


def test_a_proposed_change_cannot_pass_for_a_run_of_main(tmp_path: Path, files: Build) -> None:
    archive = RunArchive(zipped(files(git=GitState(sha="1" * 40, main=True))), name="a.zip")
    with pytest.raises(StoreError, match="one of the main branch"):
        archive.place(FOLDER, RunStore(tmp_path), main=False)
    assert archive.place(FOLDER, RunStore(tmp_path), main=True).fresh


@pytest.mark.parametrize(
    "name",
    [
        "../run.json",
        "runs/../../run.json",
        "/etc/run.json",
        "C:/run.json",
        "runs\\..\\run.json",
        "runs//run.json",
        "./run.json",
        "runs/run.json\n",
        "..",
    ],
)
def test_a_path_that_may_lead_out_is_refused(name: str) -> None:
    with pytest.raises(StoreError, match="may lead out of its folder"):
        RunArchive(with_entry(name), name="a.zip")


def test_a_name_with_a_nul_in_it_is_refused() -> None:
    raw = with_entry("run.jsonX.html").replace(b"run.jsonX", b"run.json\0")
    with pytest.raises(StoreError, match="may lead out of its folder"):
        RunArchive(raw, name="a.zip")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_a_link_and_whatever_else_is_no_file_is_refused(kind: int) -> None:
    raw = with_entry("runs/a/run.json", kind=kind, content=b"/etc/passwd")
    with pytest.raises(StoreError, match="link or no regular file"):
        RunArchive(raw, name="a.zip")


def test_an_encrypted_entry_is_refused() -> None:
    raw = bytearray(with_entry("runs/a/run.json"))
    central = raw.index(b"PK\x01\x02")
    raw[central + 8] |= 1
    with pytest.raises(StoreError, match="encrypted"):
        RunArchive(bytes(raw), name="a.zip")


def test_an_entry_that_stands_there_twice_is_refused_whatever_its_case() -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("a/run.json", b"{}")
        archive.writestr("a/RUN.json", b"{}")
    with pytest.raises(StoreError, match="twice"):
        RunArchive(raw.getvalue(), name="a.zip")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, files: Build) -> None:
    raw = zipped({**files(), "traces.jsonl": b"\0" * 3_000_000})
    assert len(raw) < 10_000
    with pytest.raises(StoreError, match=r"unpacks to 3,00\d,\d\d\d bytes"):
        RunArchive(raw, name="a.zip", max_bytes=2_000_000)


def test_an_entry_that_holds_more_than_it_says_is_damaged(tmp_path: Path, files: Build) -> None:
    raw = bytearray(zipped({**files(), "traces.jsonl": b"\n" * 100_000}))
    size = struct.pack("<I", 100_000)
    while (at := bytes(raw).find(size)) >= 0:  # the local header and the central directory
        raw[at : at + 4] = struct.pack("<I", 10)
    archive = RunArchive(bytes(raw), name="a.zip", max_bytes=50_000)
    with pytest.raises(StoreError, match="damaged"):
        archive.place(FOLDER, RunStore(tmp_path), main=False)
    assert tree(RunStore(tmp_path).folder) == {}


def test_too_many_entries_are_refused() -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for number in range(10_001):
            archive.writestr(str(number), b"")
    with pytest.raises(StoreError, match="10,001 entries"):
        RunArchive(raw.getvalue(), name="a.zip")


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04", b"<html>Sign in</html>", b"PK\x05\x06" * 9])
def test_what_is_no_zip_file_is_named(raw: bytes) -> None:
    with pytest.raises(StoreError, match=r"a\.zip is no zip file"):
        RunArchive(raw, name="a.zip")


def test_a_damaged_entry_leaves_nothing_behind(tmp_path: Path, files: Build) -> None:
    raw = zipped(files())
    spot = raw.index(f"{FOLDER}/attempts.jsonl".encode()) + len(f"{FOLDER}/attempts.jsonl") + 5
    broken = raw[:spot] + bytes(byte ^ 0xFF for byte in raw[spot : spot + 4]) + raw[spot + 4 :]
    with pytest.raises(StoreError, match="damaged"):
        RunArchive(broken, name="a.zip").place(FOLDER, RunStore(tmp_path), main=False)
    assert tree(RunStore(tmp_path).folder) == {}
    assert list(RunStore(tmp_path).folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("run.json", b"{}", "`schema` is None"),
        ("run.json", b'{"schema": "evalkit.run/99"}', "newer evalkit"),
        ("run.json", b"[" * 100_000, "damaged"),
        ("assets/triage.json", None, "triage.json is missing"),
        ("assets/triage.cases.jsonl", None, "triage.cases.jsonl is missing"),
        ("assets/triage.cases.jsonl", b"{}\n", "damaged .line 1"),
        ("attempts.jsonl", b'{"at": 1}\n', "attempts.jsonl"),
        ("attempts.jsonl", b'{"parsed":' + b"[" * 100_000 + b"\n", "attempts.jsonl|nested"),
        ("traces.jsonl", b'{"suite": 1}\n', "traces.jsonl"),
    ],
)
def test_what_is_no_whole_bundle_is_not_placed(
    tmp_path: Path, files: Build, name: str, content: bytes | None, says: str
) -> None:
    changed = {**files(), name: content}
    raw = zipped({key: value for key, value in changed.items() if value is not None})
    with pytest.raises(StoreError, match=says) as caught:
        RunArchive(raw, name="a.zip").place(FOLDER, RunStore(tmp_path), main=False)
    assert "a.zip" in str(caught.value)
    assert ".incoming" not in str(caught.value)
    assert list(RunStore(tmp_path).folder.iterdir()) == []


@pytest.mark.parametrize("run", ["../../x", "latest", "20261124T193301Z-3f2a/..", ""])
def test_an_id_that_is_none_is_refused(tmp_path: Path, files: Build, run: str) -> None:
    archive = RunArchive(zipped(files(id=run), "somewhere"), name="a.zip")
    with pytest.raises(StoreError, match=r"with the id|no name that evalkit gave"):
        archive.place("somewhere", RunStore(tmp_path), main=False)


def test_a_folder_named_after_another_run_is_refused(tmp_path: Path, files: Build) -> None:
    folder = "runs/20261124T193301Z-ffff"
    archive = RunArchive(zipped(files(), folder), name="a.zip")
    with pytest.raises(StoreError, match="with the id"):
        archive.place(folder, RunStore(tmp_path), main=False)


def test_a_suite_named_after_a_file_elsewhere_is_refused(tmp_path: Path, files: Build) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"key": "s3cr3t"}')
    raw = msgspec.json.decode(files()["run.json"])
    raw["suites"][0]["suite"] = "../../../../secret"
    changed = {**files(), "run.json": msgspec.json.encode(raw)}
    archive = RunArchive(zipped(changed), name="a.zip")
    with pytest.raises(StoreError, match="no suite's name") as caught:
        archive.place(FOLDER, RunStore(tmp_path), main=False)
    assert "s3cr3t" not in str(caught.value)


def test_several_runs_are_listed_by_age_and_the_last_command_is_read(files: Build) -> None:
    last = LastRun(at="", command=(), exit_code=2, kind="not_measured", message="new prompt")
    content = {
        f"runs/{run}/run.json": files(id=run)["run.json"]
        for run in ("20261124T193302Z-0000", "20261124T193301Z-ffff")
    }
    archive = RunArchive(zipped({**content, "last.json": msgspec.json.encode(last)}, ""), name="a")
    assert [folder[-4:] for folder in archive.runs()] == ["ffff", "0000"]
    assert archive.last() == last


@pytest.mark.parametrize("raw", [b"{}", b"[" * 100_000, b"\xff"])
def test_a_last_command_that_cannot_be_read_is_none(raw: bytes) -> None:
    assert RunArchive(zipped({"last.json": raw}, ""), name="a").last() is None
