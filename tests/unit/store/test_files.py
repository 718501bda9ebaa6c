"""A file is written whole or not at all, and what went wrong comes with what to do."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.errors import StoreError
from evalkit.store.files import drop_abandoned, explain, read_whole, write_whole


def test_a_file_is_replaced_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "run.json"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert read_whole(path) == b"two"
    assert os.listdir(path.parent) == ["run.json"]


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    (tmp_path / "run.json" / "in the way").touch()
    with pytest.raises(StoreError, match=r"cannot write .*run\.json"):
        write_whole(tmp_path / "run.json", b"x")
    assert os.listdir(tmp_path) == ["run.json"]


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(StoreError, match="in the way: move it aside"):
        write_whole(tmp_path / "runs" / "run.json", b"x")


def test_a_file_that_is_not_there_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_whole(tmp_path / "none")
    with pytest.raises(StoreError, match="cannot read"):
        read_whole(tmp_path)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some and repeat the command, or go on with a run that has begun"),
        (errno.EDQUOT, "free some"),
        (errno.EFBIG, "free some"),
        (errno.EROFS, "not writable here"),
        (errno.EACCES, "not writable here"),
        (errno.EPERM, "not writable here"),
        (errno.ENOTDIR, "move it aside"),
        (errno.EIO, "look at the disk"),
    ],
)
def test_every_refusal_of_a_disk_says_what_to_do(number: int, advice: str) -> None:
    error = explain(OSError(number, os.strerror(number)), "write", Path("run.json"))
    assert str(error).startswith(f"cannot write run.json ({os.strerror(number)}); ")
    assert advice in str(error)
    assert error.exit_code == 4


def test_what_a_process_that_is_gone_left_beside_a_file_is_removed_and_nothing_else(
    tmp_path: Path,
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    gone, own = f".last.json.{ended.pid}.tmp", f".last.json.{os.getpid()}.tmp"
    kept = {own, f".other.json.{ended.pid}.tmp", ".last.json.x.tmp", "last.json"}
    for name in {gone, *kept}:
        (tmp_path / name).write_bytes(b"{}")
    drop_abandoned(tmp_path / "last.json")
    assert {each.name for each in tmp_path.iterdir()} == kept
