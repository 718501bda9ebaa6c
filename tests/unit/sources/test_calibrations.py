"""The stored calibration: one that is there is read whole, and nothing else is taken for one."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.errors import ConfigError, Problem
from evalkit.records.calibration import (
    CALIBRATION_SCHEMA,
    Calibration,
    Confusion,
    JudgeMeasured,
    LabelCounts,
)
from evalkit.sources.calibrations import beside, calibration_path, read_calibration
from evalkit.sources.tree import WorkingTree
from tests.labelled import rubric

PATH = "rubrics/tone/v1.calibration.json"
STORED = Calibration(
    schema=CALIBRATION_SCHEMA,
    rubric="tone@v1",
    judge="sha256:1",
    labels="sha256:2",
    asked="m-1 on route judge",
    made_at="2026-05-04T09:30:00+00:00",
    evalkit="0.1.0",
    measured=JudgeMeasured(
        counts=LabelCounts(tuning_passes=0, tuning_fails=0, test_passes=1, test_fails=1),
        labelled_by=("person",),
        confusion=Confusion(true_pass=1, false_fail=0, false_pass=0, true_fail=1),
        tpr=None,
        tnr=None,
        youden=None,
        agreement=None,
        ceiling=None,
        abstained=0.0,
        threshold=2.5,
    ),
    verdicts={"a": True, "b": 2.5, "c": None},
)


def write(root: Path, raw: bytes) -> WorkingTree:
    """A project with this calibration."""
    path = root / PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return WorkingTree(root)


def problem(root: Path, raw: bytes) -> Problem:
    """What is wrong with it."""
    tree = write(root, raw)
    with pytest.raises(ConfigError) as raised:
        read_calibration(tree, rubric())
    (found,) = raised.value.problems
    assert found.file == PATH
    assert found.suggestion == "measure again with `evalkit judge calibrate tone@v1`"
    return found


def changed(**fields: Any) -> bytes:
    """The stored calibration with other fields."""
    return msgspec.json.encode(msgspec.to_builtins(STORED) | fields)


def test_a_calibration_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    tree = write(tmp_path, msgspec.json.encode(STORED))
    assert read_calibration(tree, rubric()) == STORED


def test_without_a_file_there_is_none(tmp_path: Path) -> None:
    assert read_calibration(WorkingTree(tmp_path), rubric()) is None


@pytest.mark.parametrize("path", ["rubrics/tone/v1.yaml", "rubrics/tone/v1.yml"])
def test_it_stands_beside_its_rubric(path: str) -> None:
    assert calibration_path(rubric(path=path)) == PATH
    assert beside(rubric(path=path), "labels.jsonl") == "rubrics/tone/v1.labels.jsonl"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b'{"schema": "\xff"}',
        b"\xef\xbb\xbf{}",
        msgspec.json.encode(STORED)[:-1],
        changed(fit=True),
        changed(measured={"fit": True}),
        changed(verdicts={"a": "pass"}),
        changed(measured=None),
    ],
)
def test_what_is_no_calibration_is_refused(tmp_path: Path, raw: bytes) -> None:
    assert problem(tmp_path, raw).message.startswith("is no calibration: ")


def test_one_of_another_version_is_refused(tmp_path: Path) -> None:
    found = problem(tmp_path, changed(schema="evalkit.calibration/2"))
    assert (found.key, found.value) == ("schema", "evalkit.calibration/2")
    assert found.expected == CALIBRATION_SCHEMA
