import os
from pathlib import Path

import pytest

from evalkit.errors import StoreError
from evalkit.spool import SpooledTexts


@pytest.mark.parametrize("in_memory", [0, 10, 10_000, 1_000_000])
def test_what_was_added_is_read_wherever_it_stands(in_memory: int) -> None:
    texts = SpooledTexts(in_memory)
    added = [b"%d:" % number + b"x" * (number % 700) for number in range(2_000)]
    starts = [texts.add(text) for text in added]
    assert [texts.read(at, len(t)) for at, t in zip(starts, added, strict=True)] == added


def test_no_file_has_a_name(tmp_path: Path) -> None:
    texts = SpooledTexts(0, str(tmp_path))
    start = texts.add(b"personal")
    assert texts.read(start, 8) == b"personal"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"{tmp_path}/none .*TMPDIR"):
        SpooledTexts(0, str(tmp_path / "none")).add(b"text")


def test_a_file_is_closed_with_its_texts() -> None:
    before = len(os.listdir("/proc/self/fd"))
    texts = SpooledTexts(0)
    texts.add(b"text")
    assert len(os.listdir("/proc/self/fd")) == before + 1
    del texts
    assert len(os.listdir("/proc/self/fd")) == before
