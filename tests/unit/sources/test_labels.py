"""Label files are read strictly: a label on the wrong output is worse than none."""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.errors import ConfigError
from evalkit.records.label import LabelledItem
from evalkit.sources.labels import labels_digest, labels_path, read_labels
from evalkit.sources.tree import WorkingTree
from tests.labelled import item, label, rubric

PATH = "rubrics/tone/v1.labels.jsonl"


def write(root: Path, *lines: LabelledItem | dict[str, Any] | str) -> WorkingTree:
    file = root / PATH
    file.parent.mkdir(parents=True, exist_ok=True)
    texts = [
        line if isinstance(line, str) else msgspec.json.encode(line).decode() for line in lines
    ]
    file.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    return WorkingTree(root)


def changed(found: LabelledItem, **changes: Any) -> dict[str, Any]:
    data = msgspec.to_builtins(found) | changes
    return {key: value for key, value in data.items() if value is not ...}


def test_what_was_written_is_read_in_its_order(tmp_path: Path) -> None:
    items = (
        item("b", label()),
        item("a"),
        item({"reply": "c"}, label(False), label(labeller="Bo")),
    )
    assert labels_path(rubric()) == PATH
    assert read_labels(write(tmp_path, *items), rubric()) == items


def test_a_rubric_without_labels_has_none_and_a_named_file_has_to_be_there(tmp_path: Path) -> None:
    assert read_labels(WorkingTree(tmp_path), rubric()) == ()
    with pytest.raises(ConfigError, match=r"other\.jsonl: there is no such file"):
        read_labels(WorkingTree(tmp_path), rubric(), "other.jsonl")


def test_a_byte_order_mark_empty_lines_and_spaces_are_fine(tmp_path: Path) -> None:
    text = json.dumps(changed(item("a", label())), indent=None)
    tree = write(tmp_path, "\ufeff" + text, "", "  " + json.dumps(changed(item("b"))) + "\r")
    assert [each.subject.output for each in read_labels(tree, rubric())] == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (changed(item("x"), wieght=2), r"unknown field `wieght`.*did you mean 'weight'"),
        (changed(item("x"), part=...), r"missing required field `part`"),
        (changed(item("x"), part="train"), r"train"),
        (changed(item("x"), id="0123456789abcdef"), r"id: the id is not that of the subject"),
        (changed(item("x"), weight=0), r"weight: wrong weight \(found 0.0\); expected above 0"),
        (item("x", label(labeller=" ")), r"labels\[0\].labeller: nobody is named"),
        (item("x", label(at="yesterday")), r"labels\[0\].at: is no day and no time"),
        (item("x", label(), label(False)), r"one labeller stands here twice"),
        (item("x", other="y"), r"subject.other: tone@v1 assesses one output"),
        ('{"id": "a", "id": "b"}', r"id: the key stands here twice"),
        ('{"id": NaN}', r"NaN is not a value"),
        ('{"id": ', r"a value is missing"),
        ("<<<<<<< HEAD", r"is the mark of a merge conflict"),
        ("version https://git-lfs.github.com/spec/v1", r"git lfs pull"),
        ("[" * 2000, r"nested more than 60 levels|is not JSON|a value is missing"),
    ],
)
def test_a_line_that_is_no_item_is_named(tmp_path: Path, line: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as raised:
        read_labels(write(tmp_path, item("good"), line), rubric())
    assert {(each.file, each.line) for each in raised.value.problems} == {(PATH, 2)}


def test_keys_that_stand_twice_in_an_otherwise_good_line_are_refused(tmp_path: Path) -> None:
    text = msgspec.json.encode(item("x", label())).decode()
    twice = text.replace('"passed":true', '"passed":false,"passed":true')
    with pytest.raises(ConfigError, match="the key stands here twice"):
        read_labels(write(tmp_path, twice), rubric())


def test_an_item_that_stands_there_twice_is_named_with_both_lines(tmp_path: Path) -> None:
    tree = write(tmp_path, item("a b", label()), item("c"), item("a  b"))
    with pytest.raises(ConfigError, match=f"{PATH}:3: id: .*twice, first in line 1"):
        read_labels(tree, rubric())


def test_a_pair_needs_both_outputs(tmp_path: Path) -> None:
    tree = write(tmp_path, item("a", other="b"), item("c"))
    with pytest.raises(ConfigError, match=r":2: subject.other: tone@v1 compares two outputs"):
        read_labels(tree, rubric(compare="pair"))


def test_of_many_bad_lines_fifty_are_told_and_the_rest_is_counted(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        read_labels(write(tmp_path, *["{}"] * 300), rubric())
    assert len(raised.value.problems) == 51
    assert "and at least 250 more" in str(raised.value)


def test_ten_thousand_lines_are_read_in_two_seconds_of_cpu(tmp_path: Path) -> None:
    items = [item(f"reply {number} " * 20, label(number % 2 == 0)) for number in range(10_000)]
    tree = write(tmp_path, *items)
    before = time.process_time()
    assert len(read_labels(tree, rubric())) == 10_000
    assert time.process_time() - before < 2.0


def test_the_digest_is_of_what_a_calibration_rests_on() -> None:
    one, two = item("a", label()), item("b", label(False))
    unlabelled, disputed = item("c"), item("d", label(), label(False, "Bo"))
    digest = labels_digest([one, two])
    noted = item("a", label(note="kind", labeller="Cy", at="2026-06-01"), source={"model": "m"})
    assert labels_digest([two, disputed, noted, unlabelled]) == digest
    for other in (
        item("a", label(False)),
        item("a", label(), part="tuning"),
        item("a", label(), weight=2.0),
        item("e", label()),
    ):
        assert labels_digest([other, two]) != digest
    assert labels_digest([one]) != digest
