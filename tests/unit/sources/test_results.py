"""Result files of other harnesses."""

from pathlib import Path

import pytest

from evalkit.errors import ConfigError
from evalkit.sources.results import read_results


def problems(tmp_path: Path, line: str) -> list[str]:
    path = tmp_path / "results.jsonl"
    path.write_text('{"case": "a", "passed": true}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_results(path)
    assert all(problem.line == 2 for problem in caught.value.problems)
    return [problem.message for problem in caught.value.problems]


def test_a_result_that_says_pass_and_fail_is_refused(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, '{"case": "b", "passed": false, "passed": true}')
    assert "the key stands here twice" in message


@pytest.mark.parametrize("cost", ["NaN", "Infinity", "1e999"])
def test_a_cost_that_is_no_number_is_refused(tmp_path: Path, cost: str) -> None:
    assert problems(tmp_path, f'{{"case": "b", "passed": true, "cost_usd": {cost}}}')


def test_a_line_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, '{"case": "b", "passed": ' + "[" * 100_000)
    assert "JSON" in message or "nested" in message


def test_results_without_a_result_are_kept_as_unknown(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"case": "a", "passed": null}\n\n{"case": "b", "passed": "fail"}\n')
    assert [(each.case, each.passed) for each in read_results(path)] == [("a", None), ("b", False)]
