"""A process that is forked from one that has loaded evalkit is like one that was started."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.warm import Warm


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    made = Warm()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        (("--version",), ""),
        (("nonsense",), ""),
        (("history", "--json"), ""),
        (("judge", "label", "tone@v1", "--by", "person"), "p\n"),
        (("gate", "base.csv", "cand.csv", "--json"), ""),
    ],
)
def test_it_ends_and_says_what_a_cold_start_does(
    warm: Warm, tmp_path: Path, arguments: tuple[str, ...], typed: str
) -> None:
    for name, passed in (("base", 40), ("cand", 20)):
        rows = [f"c{number},{int(number < passed)}\n" for number in range(40)]
        (tmp_path / f"{name}.csv").write_text("case,passed\n" + "".join(rows))
    environ = os.environ | {"COLUMNS": "60", "NO_COLOR": "1", "TZ": "Asia/Tokyo"}
    cold = subprocess.run(
        [sys.executable, "-m", "evalkit", *arguments],
        cwd=tmp_path,
        env=environ,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )
    found = warm.run(arguments, cwd=tmp_path, environ=environ, typed=typed)
    assert (found.returncode, found.stdout, found.stderr) == (
        cold.returncode,
        cold.stdout,
        cold.stderr,
    )


def test_what_one_does_to_its_process_is_not_there_in_the_next(warm: Warm, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "evalkit.yaml").write_text(f"version: 1\n{name}: 1\n")
    first, second = (
        warm.run(("check",), cwd=tmp_path / name, environ=os.environ, typed="") for name in "ab"
    )
    assert (first.returncode, second.returncode) == (2, 2)
    assert ": a: unknown key" in first.stderr and ": b: unknown key" in second.stderr
    assert ": a:" not in second.stderr
