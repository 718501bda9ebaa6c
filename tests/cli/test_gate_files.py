"""`evalkit gate BASE CAND`: verdicts, exit codes, and what is refused."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Evalkit


def write_results(path: Path, passed: list[bool | None]) -> str:
    lines = [json.dumps({"case": f"c{i}", "passed": value}) for i, value in enumerate(passed)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_results_without_a_drop_pass(evalkit: Evalkit, tmp_path: Path) -> None:
    base = write_results(tmp_path / "a.jsonl", [True] * 300)
    cand = write_results(tmp_path / "b.jsonl", [True] * 300)
    done = evalkit("gate", base, cand)
    assert done.returncode == 0
    assert done.stdout.startswith("PASS (exit 0)  results: the pass rate did not move")


def test_a_regression_fails_with_1_and_json_holds_the_counts(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    base = write_results(tmp_path / "a.jsonl", [True] * 300)
    cand = write_results(tmp_path / "b.jsonl", [False] * 30 + [True] * 270)
    done = evalkit("gate", base, cand, "--json")
    assert done.returncode == 1
    part = json.loads(done.stdout)["suites"][0]["parts"][0]
    assert (part["counts"]["b"], part["counts"]["c"]) == (30, 0)


def test_too_few_cases_are_inconclusive(evalkit: Evalkit, tmp_path: Path) -> None:
    base = write_results(tmp_path / "a.jsonl", [True] * 3)
    assert evalkit("gate", base, base).returncode == 3


def test_half_without_a_result_is_incomplete(evalkit: Evalkit, tmp_path: Path) -> None:
    base = write_results(tmp_path / "a.jsonl", [True] * 300)
    cand = write_results(tmp_path / "b.jsonl", [None] * 150 + [True] * 150)
    assert evalkit("gate", base, cand).returncode == 4


def test_cases_that_do_not_match_are_never_green(evalkit: Evalkit, tmp_path: Path) -> None:
    base = write_results(tmp_path / "a.jsonl", [True] * 300)
    (tmp_path / "b.csv").write_text("case,passed\n" + "".join(f"d{i},1\n" for i in range(300)))
    assert evalkit("gate", base, str(tmp_path / "b.csv")).returncode == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no result"),
        ("case,pased\na,1\n", "unknown key"),
        ("case,passed\na,1\na,1\n", "given twice, first in line 2"),
        ("case,passed\na,maybe\n", "line.csv:2: passed: wrong value"),
        ("case,passed,cost_usd\na,1,nan\n", "cost_usd"),
        ("case,passed\na,1,2\n", "number of fields"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(
    evalkit: Evalkit, tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "line.csv").write_text(text)
    done = evalkit("gate", "line.csv", "line.csv")
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""


def test_wrong_usage_is_2(evalkit: Evalkit) -> None:
    assert evalkit("gate", "a.csv").returncode == 2
    assert evalkit("gtae").returncode == 2
