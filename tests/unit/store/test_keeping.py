"""Files are kept beside their writer, in order, and no error of one is lost."""

from pathlib import Path

import pytest

from evalkit.errors import StoreError
from evalkit.store.files import write_beside
from evalkit.store.keeping import Keeping


def fail() -> None:
    raise StoreError("the disk refuses")


def test_what_was_begun_is_done_in_order_when_it_was_waited_for() -> None:
    done: list[int] = []
    with Keeping() as keeping:
        for number in range(100):
            keeping.begin(lambda number=number: done.append(number))  # type: ignore[misc]
        keeping.wait()
        assert done == list(range(100))


def test_leaving_waits() -> None:
    done: list[int] = []
    with Keeping() as keeping:
        keeping.begin(lambda: done.append(1))
    assert done == [1]


def test_an_error_is_raised_by_whoever_waits_and_the_rest_is_kept() -> None:
    done: list[int] = []
    with Keeping() as keeping:
        keeping.begin(fail)
        keeping.begin(lambda: done.append(1))
        with pytest.raises(StoreError, match="the disk refuses"):
            keeping.wait()
        keeping.wait()
    assert done == [1]


def test_an_error_that_nobody_waited_for_is_raised_at_the_end() -> None:
    with pytest.raises(StoreError, match="the disk refuses"), Keeping() as keeping:
        keeping.begin(fail)


def test_an_error_replaces_none_that_is_being_raised() -> None:
    with pytest.raises(ValueError, match="something else"), Keeping() as keeping:
        keeping.begin(fail)
        raise ValueError("something else")


def test_a_file_stands_beside_its_place_until_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "report.md"
    path.parent.mkdir()
    path.write_text("old")
    keep = write_beside(path, (part for part in (b"new ", b"content")))
    assert path.read_text() == "old"
    with Keeping() as keeping:
        keeping.begin(keep)
    assert path.read_text() == "new content"
    assert [each.name for each in path.parent.iterdir()] == ["report.md"]


def test_a_file_that_cannot_be_put_in_its_place_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    keep = write_beside(path, b"new")
    path.mkdir()
    (path / "in the way").touch()
    with pytest.raises(StoreError, match="cannot write"):
        keep()
    assert [each.name for each in tmp_path.iterdir()] == ["report.md"]
