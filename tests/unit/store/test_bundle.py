"""A bundle gives back what was put in, and says what is wrong with what was not."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.errors import StoreError
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.run import SuiteSnapshot
from evalkit.records.score import Score
from evalkit.store.bundle import Bundle

Build = Callable[..., Any]

SNAPSHOT = SuiteSnapshot(
    suite="triage",
    golden="triage@v1",
    golden_path="goldensets/triage/v1/cases.jsonl",
    cases=Cases.of([Case(id="t-1", input={"body": "It beeps, naïvely."})], {"t-1": 3}),
    scorers=({"exact": {}},),
    gate={"max_drop_pp": 3.0},
    has_baseline=True,
    trials=1,
)


def score_of(passed: bool) -> Score:
    return Score(
        suite="triage",
        variant="candidate",
        case="t-1",
        trial=1,
        scorer="exact",
        kind="exact",
        state="scored",
        passed=passed,
        gate=True,
        found={"intent": "naïve\u2028"},
    )


def test_everything_comes_back_as_it_was_put_in(
    bundle: Bundle, record: Build, attempt: Build
) -> None:
    finished = record(state="complete", exit_code=1, why=("regressed",))
    bundle.write_snapshot(SNAPSHOT)
    bundle.write_scores([score_of(True), score_of(False)])
    with bundle.journal() as journal:
        journal.append(attempt(output="naïve\u2028\n"))
    bundle.write_record(finished)
    run = Bundle(bundle.path).load()
    assert run.record == finished
    assert run.snapshots == (SNAPSHOT,)
    assert run.attempts == (attempt(output="naïve\u2028\n"),)
    assert run.scores == (score_of(True), score_of(False))
    assert run.path == str(bundle.path)


def test_a_rewritten_file_replaces_the_old_one_and_leaves_nothing_else(
    bundle: Bundle, record: Build
) -> None:
    bundle.write_record(record(state="complete"))
    bundle.write_scores([score_of(True), score_of(True)])
    bundle.write_scores([score_of(False)])
    assert bundle.read_record().state == "complete"
    assert bundle.read_scores() == (score_of(False),)
    assert sorted(os.listdir(bundle.path)) == ["run.json", "scores.jsonl"]


def test_what_a_killed_process_left_half_written_goes_when_the_run_goes_on(bundle: Bundle) -> None:
    elsewhere = bundle.path.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".mine.tmp").write_text("not of a run")
    (bundle.path / ".run.json.31841.tmp").write_text("half")
    (bundle.path / "assets").mkdir(exist_ok=True)
    (bundle.path / "assets" / ".triage.json.31841.tmp").write_text("half")
    bundle.journal().close()
    assert [*bundle.path.rglob(".*.tmp")] == []
    shutil.rmtree(bundle.path / "assets")
    (bundle.path / "assets").symlink_to(elsewhere)
    bundle.journal().close()
    assert (elsewhere / ".mine.tmp").exists()


def test_run_json_is_for_people_too(bundle: Bundle) -> None:
    text = (bundle.path / "run.json").read_text()
    assert text.startswith('{\n  "schema": "evalkit.run/1",\n  "id": ')
    assert text.endswith("}\n")


def test_a_report_is_written_even_with_characters_that_no_file_holds(bundle: Bundle) -> None:
    path = bundle.write_report("report.md", "é \ud800")
    assert path == bundle.path / "report.md"
    assert path.read_bytes() == "é ?".encode()


def test_a_run_that_was_not_scored_has_no_scores(bundle: Bundle) -> None:
    assert bundle.read_scores() == ()


def test_a_lost_snapshot_is_named(bundle: Bundle) -> None:
    with pytest.raises(StoreError, match=r"triage\.json is missing, so suite triage"):
        bundle.snapshots()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"suite": "triage"}'])
def test_a_damaged_snapshot_is_named(bundle: Bundle, content: bytes) -> None:
    bundle.write_snapshot(SNAPSHOT)
    (bundle.path / "assets" / "triage.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"triage\.json is damaged"):
        bundle.snapshots()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe{}", b"[" * 100_000], ids=range(5))
def test_a_damaged_record_is_named(bundle: Bundle, content: bytes) -> None:
    (bundle.path / "run.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"run\.json: .*damaged"):
        bundle.read_record()


def test_a_folder_without_a_record_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run bundle"):
        Bundle(tmp_path).load()


def rewrite(bundle: Bundle, **changes: Any) -> None:
    path = bundle.path / "run.json"
    data = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode({**data, **changes}))


def test_a_newer_schema_is_refused_with_what_to_do(bundle: Bundle) -> None:
    rewrite(bundle, schema="evalkit.run/2", verdicts=[])
    with pytest.raises(StoreError, match=r"newer evalkit \(evalkit.run/2; .* upgrade evalkit"):
        bundle.read_record()


@pytest.mark.parametrize(
    "schema", [None, "", "other.run/1", "evalkit.run/", "evalkit.run/0", "evalkit.run/²", 1]
)
def test_another_format_is_refused(bundle: Bundle, schema: object) -> None:
    rewrite(bundle, schema=schema)
    with pytest.raises(StoreError, match="no run that evalkit stored"):
        bundle.read_record()


def test_a_record_with_an_unknown_key_is_refused(bundle: Bundle) -> None:
    rewrite(bundle, surprise=1)
    with pytest.raises(StoreError, match="surprise"):
        bundle.read_record()
