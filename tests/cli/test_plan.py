"""`evalkit plan`: what a run would do and cost, before it does."""

import json
from pathlib import Path

from tests.cli.conftest import V2, Ask, Gated
from tests.cli.project import ProjectFiles, always


def test_a_plan_counts_both_variants_and_writes_nothing(ask: Ask, tmp_path: Path) -> None:
    project = ProjectFiles(tmp_path / "project", cases=90).write()
    before = {path for path in project.root.rglob("*") if path.is_file()}
    said = ask("plan", *V2, "--trials", "2", cwd=project.root)
    assert said.code == 0, said.err
    assert "90 cases × 2 variants × 2 trials = 360 attempts" in said.out
    assert "scripted" in said.out
    assert not (project.root / ".evalkit/runs").exists()
    written = {path for path in project.root.rglob("*") if path.is_file()} - before
    assert {path.relative_to(project.root).parts[0] for path in written} <= {".evalkit"}


def test_json_is_all_there_is_on_stdout(ask: Ask, gated: Gated) -> None:
    said = ask("plan", "--tag", "even", "--json", cwd=gated.root)
    assert said.code == 0
    assert said.err == ""
    (suite,) = json.loads(said.out)["suites"]
    assert (suite["suite"], suite["cases"]) == ("ask", 60)


def test_what_a_run_would_refuse_is_refused(ask: Ask, gated: Gated) -> None:
    for flags, says in (
        (("nope",), "no suite 'nope'"),
        (("--case", "c9999"), "no case matches"),
        (("--case", "c0001", "--case", "c9999"), "no case matches --case c9999"),
        (("--tag", "even", "--tag", "evne"), "tags are even, odd"),
        (("--set", "suites.ask.target.prompt=ask@v7"), "ask@v7"),
        (("--baseline", "ask@v1", "--no-baseline"), "--no-baseline"),
    ):
        said = ask("plan", *flags, cwd=gated.root)
        assert (said.code, said.out) == (2, ""), flags
        assert says in said.err


def test_replies_that_are_not_there_are_named(ask: Ask, tmp_path: Path) -> None:
    project = ProjectFiles(tmp_path / "project", cases=5)
    project.replies = {"ask@v1": always({"content": "yes"})}
    project.write()
    said = ask("plan", *V2, cwd=project.root)
    assert "c0000" in said.out + said.err
    assert "ask@v2" in said.out + said.err
