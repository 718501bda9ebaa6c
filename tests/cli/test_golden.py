"""`evalkit golden`: freezing a set, and what is in one."""

import json
from datetime import date
from pathlib import Path

from evalkit.workflows.golden.stats import golden_stats
from tests.cli.conftest import Ask, Gated
from tests.cli.project import ProjectFiles

SET = "goldensets/ask/v1/set.yaml"


def test_freezing_adds_a_digest_and_keeps_the_rest_of_the_file(ask: Ask, tmp_path: Path) -> None:
    project = ProjectFiles(tmp_path / "project", cases=3).write()
    path = project.root / SET
    text = path.read_text() + "# kept: who reviewed it\n"
    path.write_text(text)
    said = ask("golden", "freeze", "ask@v1", cwd=project.root / "prompts")
    assert (said.code, said.err) == (0, "")
    frozen = path.read_text()
    (added,) = [line for line in frozen.splitlines() if line not in text.splitlines()]
    assert added.startswith("digest: ")
    assert [line for line in frozen.splitlines() if line != added] == text.splitlines()
    assert added.partition(": ")[2].strip("'\"") in said.out
    assert ask("golden", "freeze", "ask@v1", cwd=project.root).code == 0
    assert path.read_text() == frozen
    assert "not frozen" not in ask("check", cwd=project.root).err


def test_a_frozen_set_that_changed_cannot_be_frozen_over(ask: Ask, tmp_path: Path) -> None:
    project = ProjectFiles(tmp_path / "project", cases=3).write()
    ask("golden", "freeze", "ask@v1", cwd=project.root)
    frozen = (project.root / SET).read_text()
    project.write_cases([project.case(number) for number in range(2)])
    for verb in (("golden", "freeze", "ask@v1"), ("check",)):
        said = ask(*verb, cwd=project.root)
        assert said.code == 2
        assert "version" in said.err
    assert (project.root / SET).read_text() == frozen


def test_stats_count_and_say_what_the_set_can_tell(ask: Ask, gated: Gated) -> None:
    said = ask("golden", "stats", "ask@latest", cwd=gated.root)
    assert (said.code, said.err) == (0, "")
    assert "ask@v1: 120 cases in 120 groups, not frozen" in said.out
    assert "even 60, odd 60" in said.out
    assert "at least 88 independent cases" in said.out
    stats = json.loads(ask("golden", "stats", "ask@v1", "--json", cwd=gated.root).out)
    assert (stats["cases"], stats["tags"]) == (120, {"even": 60, "odd": 60})


def test_a_set_that_is_not_there_is_refused_with_those_that_are(ask: Ask, gated: Gated) -> None:
    for verb in ("stats", "freeze"):
        for reference, says in (("aks@v1", "ask"), ("ask@v7", "ask@v1"), ("ask", "ask@v1")):
            said = ask("golden", verb, reference, cwd=gated.root)
            assert (said.code, said.out) == (2, "")
            assert says in said.err


def test_stats_hold_the_set_against_its_quota_and_its_slices(ask: Ask, tmp_path: Path) -> None:
    project = ProjectFiles(tmp_path / "project", cases=12)
    words = [
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ]
    project.case_changes = {
        number: {"added": f"2025-01-{number + 1:02}", "tags": ["hours"] if number < 2 else []}
        | ({"source": {"kind": "trace", "expected": "draft"}} if number == 0 else {})
        | {"input": {"question": f"Is it {words[number]} or {words[number - 1]} o'clock?"}}
        | ({"group": "g"} if number in (3, 4) else {})
        | ({"input": {"question": "May dogs come in?"}} if number > 7 else {})
        for number in range(12)
    }
    project.suite["gate"]["slices"] = {"hours": {"min_pass_rate": 0.9, "required": False}}
    project.write()
    (project.root / SET).write_text("name: ask\nversion: 1\nquota: {start: 5, per_week: 2}\n")
    said = ask("golden", "stats", "ask@v1", cwd=project.root)
    assert (said.code, said.err) == (0, "")
    assert "5 to begin with, 2 a week" in said.out
    assert "ask: hours" in said.out
    assert "too few to pass" in said.out
    assert "no stored run" in said.out
    stats = json.loads(ask("golden", "stats", "ask@v1", "--json", cwd=project.root).out)
    assert stats["schema"] == "evalkit.golden_stats/1"
    assert (stats["untagged"], stats["drafts"]) == (10, 1)
    assert stats["sources"] == {"not said": 11, "trace": 1}
    assert stats["slices"] == [
        {"suite": "ask", "tag": "hours", "groups": 2, "needed": 29, "required": False}
    ]
    assert stats["ages"]["oldest"] == "c0000"
    assert stats["ages"]["old"] == 12
    weeks = stats["quota"]["weeks"]
    assert [row["week"] for row in weeks[:3]] == ["2025-W01", "2025-W02", "2025-W03"]
    assert [(row["added"], row["total"], row["wanted"]) for row in weeks[:3]] == [
        (5, 5, 5),
        (7, 12, 7),
        (0, 12, 9),
    ]
    assert stats["quota"]["owed"] == weeks[-1]["wanted"] - 12
    near = [(each["one"], each["other"]) for each in stats["near"]]
    assert near == [("c0008", f"c{number:04}") for number in (9, 10, 11)]


def test_stats_name_the_cases_that_never_fail(ask: Ask, gated: Gated) -> None:
    said = ask("golden", "stats", "ask@v1", cwd=gated.root)
    assert "2 newest runs: 0 cases with 5 results or more" in said.out
    found = golden_stats(gated.root, "ask@v1", today=date(2026, 12, 1), fewest=2).outcomes
    assert (found.runs, found.measured, found.always_failed) == (2, 120, ())
    assert found.never_failed == tuple(f"c{number:04}" for number in range(12, 120))


def test_a_quota_that_is_none_is_named_by_its_line(ask: Ask, tmp_path: Path) -> None:
    project = ProjectFiles(tmp_path / "project", cases=3).write()
    (project.root / SET).write_text("name: ask\nversion: 1\nquota: {start: -1}\n")
    said = ask("golden", "stats", "ask@v1", cwd=project.root)
    assert said.code == 2
    assert "set.yaml:3" in said.err
