"""`evalkit golden`: freezing a set, and what is in one."""

import json
from pathlib import Path

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
