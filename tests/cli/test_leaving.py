"""How the process ends: at once, with nothing left undone."""

import subprocess
import sys
from pathlib import Path

import pytest

VERSION = ["evalkit", "--version"]


def python(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60
    )


def test_what_was_registered_for_the_end_is_done_and_the_code_stays(tmp_path: Path) -> None:
    source = (
        "import atexit, sys\n"
        "atexit.register(print, 'and that')\n"
        "sys.argv = ['evalkit', 'show', 'none']\n"
        "from evalkit.cli.main import main\n"
        "main()"
    )
    done = python("-c", source, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "and that\n"), done.stderr


def test_a_thread_that_is_at_work_ends_first(tmp_path: Path) -> None:
    source = (
        "import threading\n"
        "from evalkit.cli.leaving import leave\n"
        "main = threading.main_thread()\n"
        "threading.Thread(target=lambda: (main.join(20), print('done'))).start()\n"
        "leave(3)"
    )
    done = python("-c", source, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "done\n"), done.stderr


@pytest.mark.parametrize("watching", ["cProfile", "trace"])
def test_who_looks_on_sees_the_end(watching: str, tmp_path: Path) -> None:
    how = ["-m", "cProfile"] if watching == "cProfile" else ["-m", "trace", "--count", "-C", "seen"]
    if watching == "trace":
        source = tmp_path / "start.py"
        source.write_text("import sys\nfrom evalkit.cli.leaving import leave\nleave(0)\n")
        done = python(*how, str(source), cwd=tmp_path)
        assert list((tmp_path / "seen").glob("start*.cover")), done.stderr
    else:
        done = python(*how, "-m", *VERSION, cwd=tmp_path)
        assert "function calls" in done.stdout
    assert done.returncode == 0


def test_a_stream_that_takes_nothing_more_is_told_of(tmp_path: Path) -> None:
    source = (
        "import sys\n"
        "from evalkit.cli.leaving import leave\n"
        "sys.stdout = open('/dev/full', 'w')\n"
        "sys.stdout.write('lost')\n"
        "leave(0)"
    )
    done = python("-c", source, cwd=tmp_path)
    assert "No space left" in done.stderr


@pytest.mark.parametrize("asked", ["--help", "--version", "run --help", "schema run"])
def test_what_a_full_disk_lost_is_told_and_no_success(tmp_path: Path, asked: str) -> None:
    line = f"{sys.executable} -m evalkit {asked} >/dev/full"
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 4
    assert done.stderr == "error: nothing can be written to stdout: No space left on device\n"
