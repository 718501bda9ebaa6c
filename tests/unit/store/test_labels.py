"""Labels on disk: nothing is lost, whoever else writes and whenever it stops."""

import multiprocessing
import threading
from multiprocessing.synchronize import Event
from pathlib import Path

import msgspec
import pytest

from evalkit.errors import StoreError
from evalkit.records.label import LabelledItem
from evalkit.store.labels import (
    LabelFile,
    append_run_labels,
    rubric_labels,
    run_labels,
)
from tests.labelled import item, label

PATH = "rubrics/tone/v1.labels.jsonl"


def lines(file: LabelFile) -> list[LabelledItem]:
    decode = msgspec.json.Decoder(LabelledItem).decode
    return [decode(line) for line in file.path.read_bytes().splitlines()]


def test_a_label_is_on_disk_when_it_was_added(tmp_path: Path) -> None:
    file = rubric_labels(tmp_path, PATH)
    kept = file.add(item("a"), label())
    assert kept == item("a", label())
    assert lines(file) == [kept]


def test_order_and_untouched_lines_stay_as_they_were(tmp_path: Path) -> None:
    file = rubric_labels(tmp_path, PATH)
    file.path.parent.mkdir(parents=True)
    spaced = msgspec.json.format(msgspec.json.encode(item("a", label())), indent=0)
    file.path.write_bytes(spaced + b"\n" + msgspec.json.encode(item("b")))
    file.add(item("b"), label(False))
    file.add(item("c"), label())
    raw = file.path.read_bytes().splitlines()
    assert raw[0] == spaced
    assert lines(file)[1:] == [item("b", label(False)), item("c", label())]


def test_an_item_that_is_there_keeps_its_part_weight_and_source(tmp_path: Path) -> None:
    file = rubric_labels(tmp_path, PATH)
    first = item("a", part="tuning", weight=3.0, source={"model": "m"})
    file.put([first])
    kept = file.add(item("a", part="test", weight=1.0), label())
    assert (kept.part, kept.weight, kept.source) == ("tuning", 3.0, {"model": "m"})


def test_what_a_labeller_says_again_is_not_counted_twice(tmp_path: Path) -> None:
    file = rubric_labels(tmp_path, PATH)
    file.add(item("a"), label(True))
    file.add(item("a"), label(True, "Bo"))
    kept = file.add(item("a"), label(False))
    assert [(each.labeller, each.passed) for each in kept.labels] == [("Bo", True), ("Ana", False)]
    decided = file.add(item("a"), label(True, round="adjudication"))
    assert len(decided.labels) == 3 and decided.truth is True


def test_a_label_that_is_taken_back_leaves_what_was_there_before(tmp_path: Path) -> None:
    file = rubric_labels(tmp_path, PATH)
    file.put([item("imported"), item("shared", label(labeller="Bo"))])
    before = file.path.read_bytes()
    for text, keep in (("imported", True), ("shared", True), ("new", False)):
        file.add(item(text), label())
        file.take_back(item(text).id, label(), keep=keep)
    assert file.path.read_bytes() == before
    assert file.take_back("0" * 16, label()) is None


def test_two_labellers_at_once_lose_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "lock"

    def work(name: str) -> None:
        file = LabelFile(tmp_path / PATH, lock)
        for number in range(15):
            file.add(item(f"{name} {number}"), label(labeller=name))
            file.add(item(f"both {number}"), label(labeller=name))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("Ana", "Bo")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = lines(LabelFile(tmp_path / PATH, lock))
    assert len(found) == 45
    assert sum(len(each.labels) for each in found) == 60


def test_another_process_waits_for_the_lock(tmp_path: Path) -> None:
    file = rubric_labels(tmp_path, PATH)
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    other = context.Process(target=_add_in_another_process, args=(tmp_path, ready))
    with file.locked():
        other.start()
        assert ready.wait(timeout=60)
        other.join(timeout=0.2)
        assert other.is_alive()
        assert not file.path.exists()
        file.add(item("mine"), label())
    other.join(timeout=30)
    assert other.exitcode == 0
    assert [each.subject.output for each in lines(file)] == ["mine", "theirs"]


def _add_in_another_process(root: Path, ready: Event) -> None:
    file = rubric_labels(root, PATH)
    ready.set()
    file.add(item("theirs"), label(labeller="Bo"))


def test_a_broken_line_is_never_written_over(tmp_path: Path) -> None:
    file = rubric_labels(tmp_path, PATH)
    file.path.parent.mkdir(parents=True)
    file.path.write_text(f'{{"id": "{item("a").id}", "half\n', encoding="utf-8")
    before = file.path.read_bytes()
    with pytest.raises(StoreError, match=r"a line that is no labelled item.*nothing was written"):
        file.add(item("a"), label())
    assert file.path.read_bytes() == before


def test_labels_of_a_run_stand_once_and_the_later_one_counts(tmp_path: Path) -> None:
    append_run_labels(tmp_path, [])
    assert run_labels(tmp_path) == ()
    append_run_labels(tmp_path, [item("a", label(), weight=4.0), item("b", label())])
    append_run_labels(tmp_path, [item("a", label(), weight=2.0), item("c")])
    assert run_labels(tmp_path) == (item("a", label(), weight=2.0), item("b", label()))
    append_run_labels(tmp_path, [item("b")])
    assert [each.subject.output for each in run_labels(tmp_path)] == ["a"]
