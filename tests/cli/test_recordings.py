"""Recordings: made from a real endpoint, replayed without it, and never stretched over a change."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Evalkit
from tests.cli.project import ProjectFiles
from tests.servers.openai_server import OpenAIServer

V2 = ("--set", "suites.ask.target.prompt=ask@v2")


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    server = OpenAIServer().start()
    server.answer = lambda request: "yes"
    yield server
    server.stop()


@pytest.fixture
def recorded(tmp_path: Path, server: OpenAIServer) -> ProjectFiles:
    """A project whose provider has a recordings folder, with nothing in it yet."""
    project = ProjectFiles(tmp_path / "project", cases=100)
    project.config["providers"] = {
        "served": {"kind": "openai", "base_url": server.url, "recordings": "recordings"}
    }
    project.config["models"]["tiny"]["provider"] = "served"
    project.config["run"] = {"retries": 0}
    return project.write()


def lines_of(project: ProjectFiles) -> list[dict[str, object]]:
    path = project.root / "recordings/tiny/ask.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_without_recordings_lists_them_all_and_asks_nobody(
    evalkit: Evalkit, recorded: ProjectFiles, server: OpenAIServer
) -> None:
    done = evalkit("run", cwd=recorded.root)
    assert done.returncode == 2
    assert "not measured" in done.stderr
    assert "evalkit record ask" in done.stderr
    assert all(f"c{number:04}" in done.stderr for number in range(100))
    # what is the same for all cases is said once, so that the ways out are not scrolled away
    assert done.stderr.count("no recorded reply") <= 2
    assert server.books.requests == 0


def test_a_script_without_a_reply_is_written_and_not_recorded(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = ProjectFiles(tmp_path / "project").write()
    script = project.root / "scripted/ask.jsonl"
    lines = script.read_text().splitlines(keepends=True)
    script.write_text("".join(lines[:-1]))  # of ask@v2
    done = evalkit("run", *V2, cwd=project.root)
    assert done.returncode == 2
    assert "is not scripted. Add a line" in done.stderr
    assert "evalkit record" not in done.stderr


def test_recorded_replies_are_replayed_without_the_model(
    evalkit: Evalkit, recorded: ProjectFiles, server: OpenAIServer
) -> None:
    done = evalkit("record", "ask", "--prompt", "ask@v2", cwd=recorded.root)
    assert done.returncode == 0, done.stderr
    assert server.books.requests == 200
    server.stop()
    assert evalkit("run", *V2, cwd=recorded.root).returncode == 0
    assert evalkit("run", *V2, "--live", "--no-cache", cwd=recorded.root).returncode == 4


def test_a_changed_prompt_is_not_measured_by_old_recordings(
    evalkit: Evalkit, recorded: ProjectFiles
) -> None:
    evalkit("record", "ask", "--prompt", "ask@v2", cwd=recorded.root)
    changed = recorded.prompt(2, "{{ input.question }} Think.")
    (recorded.root / "prompts/ask/v2.yaml").write_text(changed)
    done = evalkit("run", *V2, cwd=recorded.root)
    assert done.returncode == 2
    assert "not measured: 100 replies" in done.stderr


def test_what_was_answered_before_a_failure_is_kept(
    evalkit: Evalkit, recorded: ProjectFiles, server: OpenAIServer
) -> None:
    server.script(*["ok"] * 30, "status:401")
    done = evalkit("record", "ask", cwd=recorded.root)
    assert done.returncode == 4
    assert len(lines_of(recorded)) == 30
    assert evalkit("record", "ask", cwd=recorded.root).returncode == 0
    assert len(lines_of(recorded)) == 100


def test_recordings_hold_no_personal_data(
    evalkit: Evalkit, recorded: ProjectFiles, server: OpenAIServer
) -> None:
    server.answer = lambda request: "write to ann.lee@example.org"
    evalkit("record", "ask", cwd=recorded.root)
    text = (recorded.root / "recordings/tiny/ask.jsonl").read_text()
    assert "ann.lee@example.org" not in text
    assert "[EMAIL_1]" in text


def test_a_prompt_that_changed_under_its_name_is_not_measured_by_a_script(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = ProjectFiles(tmp_path / "project", cases=100)
    del project.suite["baseline"]
    project.write()
    project.commit()
    (project.root / "prompts/ask/v1.yaml").write_text(
        project.prompt(1, "Lie. {{ input.question }}")
    )
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "still ask@v1" in done.stderr


def test_a_bundle_that_lost_attempts_is_not_scored_again(evalkit: Evalkit, tmp_path: Path) -> None:
    project = ProjectFiles(tmp_path / "project", cases=100).write()
    assert evalkit("run", cwd=project.root).returncode == 0
    (run,) = (project.root / ".evalkit/runs").iterdir()
    before = (run / "run.json").read_text()
    (run / "attempts.jsonl").write_text("")
    done = evalkit("score", "latest", cwd=project.root)
    assert done.returncode == 4
    assert (run / "run.json").read_text() == before
