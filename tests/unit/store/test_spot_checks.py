"""The queue of outputs that wait for a label."""

from pathlib import Path

import pytest

from evalkit.errors import StoreError
from evalkit.store.spot_checks import SpotChecks
from tests.labelled import item, label

TONE = "tone@v1"


def test_each_output_waits_once_and_without_labels(tmp_path: Path) -> None:
    queue = SpotChecks(tmp_path)
    assert queue.waiting(TONE) == ()
    assert queue.put(TONE, [item("a", label()), item("b")]) == 2
    assert queue.put(TONE, [item("b", weight=9.0), item("c"), item(" c ")]) == 1
    assert queue.waiting(TONE) == (item("a"), item("b"), item("c"))
    assert queue.waiting("other@v1") == ()
    assert queue.path(TONE) == tmp_path / ".evalkit/spot_checks/tone@v1.jsonl"


def test_nothing_is_made_for_nothing(tmp_path: Path) -> None:
    queue = SpotChecks(tmp_path)
    assert queue.put(TONE, []) == 0
    queue.remove(TONE, ["0" * 16])
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_make_room(tmp_path: Path) -> None:
    queue = SpotChecks(tmp_path, most=3)
    queue.put(TONE, [item("a"), item("b")])
    queue.put(TONE, [item("c"), item("d")])
    assert [each.subject.output for each in queue.waiting(TONE)] == ["b", "c", "d"]


def test_what_is_labelled_is_taken_out(tmp_path: Path) -> None:
    queue = SpotChecks(tmp_path)
    queue.put(TONE, [item("a"), item("b"), item("c")])
    queue.remove(TONE, {item("b").id})
    assert queue.waiting(TONE) == (item("a"), item("c"))


@pytest.mark.parametrize("name", ["", "../out@v1", "a/b@v1", ".hidden"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be the name of a queue"):
        SpotChecks(tmp_path).put(name, [item("a")])
