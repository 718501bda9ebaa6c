"""Spot checks: a few judged outputs of every decided run wait for a label."""

from pathlib import Path
from typing import Any

import msgspec

from evalkit.records.run import StoredRun
from evalkit.records.verdict import Outcome, Verdict
from evalkit.store.spot_checks import SpotChecks
from evalkit.workflows.judges.queueing import queue_spot_checks
from tests.unit.workflows.judges.run_samples import stored_run

DECIDED = Verdict(outcome=Outcome.PASS, exit_code=0, suites=(), reasons=())


def run(
    outputs: list[str], said: list[bool | None], *, spot_checks: int = 4, **record: Any
) -> StoredRun:
    """A run that was decided, with these outputs and verdicts."""
    found = stored_run({"candidate": outputs}, {"candidate": said})
    (snapshot,) = found.snapshots
    (judge,) = snapshot.judges
    replace = msgspec.structs.replace
    judges = (replace(judge, spot_checks=spot_checks),)
    return replace(
        found,
        record=replace(found.record, **{"verdict": DECIDED} | record),
        snapshots=(replace(snapshot, judges=judges),),
    )


def waiting(root: Path) -> list[str]:
    """The outputs that wait for a label."""
    return [str(item.subject.output) for item in SpotChecks(root).waiting("tone@v1")]


MANY = [f"reply {number}" for number in range(20)]
VERDICTS: list[bool | None] = [number >= 4 for number in range(20)]


def test_a_decided_run_queues_as_many_outputs_as_the_suite_asks_for(tmp_path: Path) -> None:
    assert queue_spot_checks(tmp_path, run(MANY, VERDICTS)) is None
    found = waiting(tmp_path)
    assert len(found) == 4
    assert set(found) <= set(MANY)
    items = SpotChecks(tmp_path).waiting("tone@v1")
    assert all(item.labels == () for item in items)
    # half of them are among the four that the judge failed
    assert sum(item.subject.output in MANY[:4] for item in items) == 2


def test_the_same_run_queues_nothing_twice(tmp_path: Path) -> None:
    for _ in range(2):
        queue_spot_checks(tmp_path, run(MANY, VERDICTS))
    assert len(waiting(tmp_path)) == 4


def test_a_suite_that_wants_none_queues_none(tmp_path: Path) -> None:
    assert queue_spot_checks(tmp_path, run(MANY, VERDICTS, spot_checks=0)) is None
    assert waiting(tmp_path) == []


def test_a_run_that_was_not_decided_queues_nothing(tmp_path: Path) -> None:
    assert queue_spot_checks(tmp_path, run(MANY, VERDICTS, verdict=None)) is None
    assert waiting(tmp_path) == []


def test_a_run_without_an_output_to_judge_queues_nothing_and_is_fine(tmp_path: Path) -> None:
    assert queue_spot_checks(tmp_path, run([""], [])) is None
    assert waiting(tmp_path) == []


def test_a_queue_that_cannot_be_written_is_told_and_undoes_no_run(tmp_path: Path) -> None:
    (tmp_path / ".evalkit").write_text("in the way")
    told = queue_spot_checks(tmp_path, run(MANY, VERDICTS))
    assert told is not None
    assert told.startswith("no outputs were queued for labelling: ")
