"""`evalkit gate BASE CAND`: verdicts, exit codes, and what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ask, Evalkit, Gated

DATA = Path(__file__).parents[1] / "data/results"
COLUMNS = str(DATA / "promptfoo/columns.json")
LOGS = [str(DATA / f"inspect_ai/{name}.eval") for name in ("base", "cand")]


def write_results(path: Path, passed: list[bool | None]) -> str:
    lines = [json.dumps({"case": f"c{i}", "passed": value}) for i, value in enumerate(passed)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.fixture
def good(tmp_path: Path) -> list[str]:
    """Two files with 300 passes."""
    return [write_results(tmp_path / f"{name}.jsonl", [True] * 300) for name in "ab"]


def test_results_without_a_drop_pass(evalkit: Evalkit, good: list[str]) -> None:
    done = evalkit("gate", *good)
    assert done.returncode == 0
    assert done.stdout.startswith("PASS (exit 0)  results: the pass rate did not move")


def test_a_regression_fails_with_1_and_json_holds_the_counts(
    evalkit: Evalkit, good: list[str], tmp_path: Path
) -> None:
    cand = write_results(tmp_path / "c.jsonl", [False] * 30 + [True] * 270)
    done = evalkit("gate", good[0], cand, "--json")
    assert done.returncode == 1
    part = json.loads(done.stdout)["suites"][0]["parts"][0]
    assert (part["counts"]["b"], part["counts"]["c"]) == (30, 0)


def test_too_few_cases_are_inconclusive(ask: Ask, tmp_path: Path) -> None:
    files = [write_results(tmp_path / f"{name}.jsonl", [True] * 3) for name in "ab"]
    assert ask("gate", *files).code == 3


def test_half_without_a_result_is_incomplete(ask: Ask, good: list[str], tmp_path: Path) -> None:
    cand = write_results(tmp_path / "c.jsonl", [None] * 150 + [True] * 150)
    said = ask("gate", good[0], cand)
    assert said.code == 4
    text = " ".join(said.out.split())
    assert "150 of them unknown (no result: 150)" in text
    assert "resume" not in text  # there is no run to resume


def test_some_cases_that_do_not_match_are_never_green(
    ask: Ask, good: list[str], tmp_path: Path
) -> None:
    (tmp_path / "c.csv").write_text(
        "case,passed\nc0,1\n" + "".join(f"d{i},1\n" for i in range(299))
    )
    assert ask("gate", good[0], str(tmp_path / "c.csv")).code == 4


def test_results_that_have_no_case_in_common_are_refused_with_examples(
    ask: Ask, good: list[str], tmp_path: Path
) -> None:
    (tmp_path / "c.csv").write_text("case,passed\n" + "".join(f"d{i},1\n" for i in range(300)))
    said = ask("gate", good[0], str(tmp_path / "c.csv"))
    assert (said.code, said.out) == (2, "")
    assert "'c0', 'c1', 'c2' and 297 more" in said.err
    assert "'d0', 'd1', 'd2' and 297 more" in said.err


def test_a_file_is_not_compared_with_itself(ask: Ask, good: list[str], tmp_path: Path) -> None:
    os.link(good[0], tmp_path / "link.jsonl")
    for again in (good[0], str(tmp_path / "link.jsonl")):
        said = ask("gate", good[0], again)
        assert (said.code, said.out) == (2, "")
        assert "so there is nothing to compare" in said.err


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
    ask: Ask, tmp_path: Path, good: list[str], text: str, says: str
) -> None:
    (tmp_path / "line.csv").write_text(text)
    said = ask("gate", good[0], "line.csv")
    assert (said.code, said.out) == (2, "")
    assert says in said.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("a.csv",), "gated against another"),
        (("a.csv", "latest"), "gated against another"),
        (("gone.csv", "b.csv"), "gone.csv: cannot be read: No such file"),
        (("a.jsonl", "b.jsonl", "--scorer", "x"), "--scorer is for logs of inspect_ai"),
        (("a.jsonl", "b.jsonl", "--pass-at", "1"), "--pass-at is for logs of inspect_ai"),
        (("a.jsonl", "b.jsonl", "--select", "prompt=x"), "--select is for results of promptfoo"),
        (("a.jsonl", "b.jsonl", "--select", "prompt"), "is none of prompt=…, provider=…"),
        (("a.jsonl", "b.jsonl", "--select", "model=x"), "is none of prompt=…, provider=…"),
        (("a.jsonl", "b.jsonl", "--select", "both.prompt=x"), "is none of prompt=…"),
        (("a.jsonl", "b.jsonl", "--pass-at", "nan"), "--pass-at is a finite score"),
        (("a.jsonl", "b.jsonl", "--pass-at", "high"), "--pass-at"),
        (("a.jsonl", "b.jsonl", "--max-drop-pp", "0"), "a margin lies between 0 and 100 pp"),
        (("a.jsonl", "b.jsonl", "--max-drop-pp", "nan"), "nan"),
        (("a.jsonl", "b.jsonl", "--rule", "strct"), "--rule"),
        (("a.jsonl", "b.jsonl", "c.jsonl"), "unexpected extra argument"),
        (("latest", "--scorer", "x"), "these options are for result files"),
        (("latest", "--accept-gate-change"), "these options are for result files"),
    ],
)
def test_wrong_usage_is_2_and_says_why(
    ask: Ask, good: list[str], arguments: tuple[str, ...], says: str
) -> None:
    said = ask("gate", *arguments)
    assert (said.code, said.out) == (2, "")
    assert says in said.err


def outcome(said: Any) -> dict[str, Any]:
    """The drop, of what --json printed."""
    suite = json.loads(said.out)["suites"][0]
    (part,) = (part for part in suite["parts"] if part["kind"] == "drop")
    return {**part["counts"], "unknown": suite["unknown"], "outcome": part["outcome"]}


def test_two_columns_of_one_promptfoo_file(ask: Ask) -> None:
    sides = ("--select", "base.provider=main", "--select", "cand.provider=branch")
    said = ask("gate", COLUMNS, COLUMNS, *sides, "--json")
    assert said.code == 4  # 4 of 27 tests have no result
    found = outcome(said)
    assert (found["b"], found["unknown"]) == (8, 4)  # 4 that broke, and 4 counted against it


def test_a_selection_for_a_side_that_has_no_columns_is_refused(ask: Ask, good: list[str]) -> None:
    options = ("--select", "base.provider=main", "--select", "cand.provider=main")
    said = ask("gate", COLUMNS, good[1], *options)
    assert (said.code, said.out) == (2, "")
    assert "--select cand.provider=main is for results of promptfoo" in said.err


def test_one_column_on_both_sides_is_refused(ask: Ask) -> None:
    said = ask("gate", COLUMNS, COLUMNS, "--select", "provider=main")
    assert (said.code, said.out) == (2, "")
    assert "so there is nothing to compare" in said.err
    twice = ("--select", "base.provider=main", "--select", "cand.promptIdx=0")
    said = ask("gate", COLUMNS, COLUMNS, *twice)
    assert (said.code, said.out) == (2, "")
    assert "so there is nothing to compare" in said.err
    said = ask("gate", COLUMNS, COLUMNS, "--select", "base.provider=main")
    assert (said.code, said.out) == (2, "")
    assert "holds 2 columns" in said.err


def test_inspect_logs_are_told_which_scorer_decides_and_from_where(ask: Ask) -> None:
    said = ask("gate", *LOGS)
    assert (said.code, said.out) == (2, "")
    assert "--scorer grade | share | manners.polite | manners.short" in said.err
    said = ask("gate", *LOGS, "--scorer", "grade", "--pass-at", "0.5", "--json")
    assert said.code == 4
    found = outcome(said)
    assert (found["b"], found["c"], found["unknown"], found["outcome"]) == (6, 0, 2, "incomplete")


def test_what_was_read_stands_below_the_verdict(ask: Ask) -> None:
    said = ask("gate", *LOGS, "--scorer", "grade", "--pass-at", "0.5")
    text = " ".join(said.out.split())
    assert text.startswith("INCOMPLETE (exit 4) results:")
    assert "scorer grade; 30 cases, 30 results, 2 of them unknown (error: 1, unscored: 1)" in text


def test_kinds_mix_where_their_cases_match(ask: Ask, tmp_path: Path) -> None:
    xml = "".join(f"<testcase name='s{number:02}'/>" for number in range(1, 31))
    (tmp_path / "a.xml").write_text(f"<testsuite>{xml}</testsuite>")
    options = ("--scorer", "manners.polite", "--max-drop-pp", "50")
    said = ask("gate", str(tmp_path / "a.xml"), LOGS[0], *options, "--json")
    assert said.code == 4  # the sample that ended in an error is 1 of 30
    assert outcome(said)["both_pass"] == 29


def changed_log(tmp_path: Path, **changes: Any) -> str:
    """The log in JSON, in which every sample was changed."""
    log = json.loads((DATA / "inspect_ai/epochs.json").read_bytes())
    for sample in log["samples"]:
        sample.update(changes)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(log))
    return str(path)


def test_tests_that_became_others_keep_it_from_passing(ask: Ask, tmp_path: Path) -> None:
    base = str(DATA / "inspect_ai/epochs.json")
    other = changed_log(tmp_path, target="no")
    said = ask("gate", base, other, "--max-drop-pp", "60")
    assert said.code == 3
    text = " ".join(said.out.split())
    assert "5 cases were given another input or judged by other rules" in text
    assert "--accept-gate-change" in text
    accepted = ask("gate", base, other, "--max-drop-pp", "60", "--accept-gate-change")
    assert accepted.code == 0
    assert "judged by other rules" not in accepted.out


def test_the_run_json_of_a_run_is_the_run(ask: Ask, gated: Gated) -> None:
    bundle = gated.bundle(gated.passed) / "run.json"
    assert ask("gate", str(bundle), cwd=gated.root).code == 0
    other = gated.bundle(gated.failed) / "run.json"
    assert ask("gate", str(bundle), str(other), cwd=gated.root).code == 1


def test_a_file_without_a_known_name_is_read_when_it_is_given_by_its_path(
    ask: Ask, good: list[str], tmp_path: Path
) -> None:
    """As the shell's <(command) gives it."""
    for name, path in zip("xy", good, strict=True):
        Path(path).rename(tmp_path / name)
    assert ask("gate", f"{tmp_path}/x", f"{tmp_path}/y").code == 0


def test_a_pipe_is_read_once(tmp_path: Path, good: list[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-m", "evalkit", "gate", good[0], str(tmp_path / "pipe")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as gate:
        (tmp_path / "pipe").write_bytes(Path(good[1]).read_bytes())
        assert gate.communicate()[0].startswith("PASS (exit 0)")
    assert gate.returncode == 0


def test_a_reader_that_goes_away_keeps_the_code(tmp_path: Path, good: list[str]) -> None:
    cand = write_results(tmp_path / "c.jsonl", [False] * 30 + [True] * 270)
    line = f'"{sys.executable}" -m evalkit gate "{good[0]}" "{cand}" --json | head -c 1; '
    done = subprocess.run(
        ["bash", "-c", line + 'echo " ${PIPESTATUS[0]}"'],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert (done.stdout, done.stderr) == ("{ 1\n", "")


def test_ids_are_shown_without_what_a_terminal_obeys(ask: Ask, tmp_path: Path) -> None:
    for name, case in (("a", "\\u001b[2J"), ("b", "\\u202e")):
        (tmp_path / f"{name}.jsonl").write_text(f'{{"case": "{case}", "passed": true}}\n')
    said = ask("gate", "a.jsonl", "b.jsonl")
    assert said.code == 2
    assert said.err.strip().isprintable()
