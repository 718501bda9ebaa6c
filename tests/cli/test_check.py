"""`evalkit check`: everything that is wrong, at once, with its place, without a call or a write."""

import json
from pathlib import Path

from tests.cli.conftest import Ask, Evalkit, Gated
from tests.cli.project import ProjectFiles
from tests.seed import ROUTES_ONLY


def test_routes_alone_pass_check_and_run_says_that_there_is_no_suite(
    ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "evalkit.yaml").write_text(ROUTES_ONLY)
    checked = ask("check")
    assert checked.code == 0, checked.err
    assert "2 routes, 0 suites" in checked.out
    ran = ask("run")
    assert ran.code == 2
    assert "no suite" in ran.err
    assert ran.out == ""
    assert not (tmp_path / ".evalkit/runs").exists()


def test_warnings_are_notes_with_their_places_and_count_only_with_strict(
    evalkit: Evalkit, gated: Gated
) -> None:
    checked = evalkit("check", cwd=gated.root)
    assert checked.returncode == 0
    assert len(checked.stdout.splitlines()) == 1
    notes = checked.stderr.splitlines()
    assert all(note.startswith("warning: ") for note in notes)
    assert any("evalkit.yaml:" in note and "one model only" in note for note in notes)
    assert any("prompts/ask/v2.yaml" in note and "no suite uses" in note for note in notes)
    assert evalkit("check", "--strict", cwd=gated.root).returncode == 2


def test_json_is_all_there_is_on_stdout(ask: Ask, gated: Gated) -> None:
    checked = ask("check", "--json", cwd=gated.root)
    assert checked.code == 0
    assert checked.err == ""
    problems = json.loads(checked.out)["problems"]
    assert {problem["severity"] for problem in problems} == {"warning"}
    assert all(problem["file"] for problem in problems)


def test_every_problem_is_reported_at_once_with_its_line_and_what_was_meant(
    ask: Ask, tmp_path: Path
) -> None:
    project = ProjectFiles(tmp_path / "project", cases=3)
    project.suite["gate"] = {"max_drop": 3}
    project.suite["sorers"] = []
    project.case_changes = {1: {"expcted": {}}}
    project.write()
    checked = ask("check", cwd=project.root)
    assert checked.code == 2
    assert "did you mean 'max_drop_pp'?" in checked.err
    assert "did you mean 'scorers'?" in checked.err
    assert "goldensets/ask/v1/cases.jsonl:2:" in checked.err
    assert checked.out.strip() == "3 errors"
    assert not (project.root / ".evalkit").exists()


def test_yaml_that_is_no_yaml_is_named_with_line_and_column(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "evalkit.yaml").write_text("version: 1\nroutes: [\n")
    for verb in ("check", "plan", "run"):
        said = ask(verb)
        assert said.code == 2
        assert "evalkit.yaml:" in said.err


def test_a_folder_without_a_project_says_how_to_make_one(ask: Ask) -> None:
    for verb in (("check",), ("run",), ("plan",), ("show",), ("golden", "stats", "a@v1")):
        said = ask(*verb)
        assert said.code == 2
        assert "evalkit init" in said.err
        assert said.out == ""


def test_a_key_that_a_terminal_would_obey_is_written_out_on_one_line(
    ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "evalkit.yaml").write_text('routes: []\n"\\e[2Ja\\u202eb\\n::error::c": 1\n')
    said = ask("check")
    assert said.code == 2
    assert "\\x1b[2Ja\\u202eb \u23ce ::error::c: unknown key" in said.err
