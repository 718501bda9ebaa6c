"""Who may go on with a run, where, and what a signal does to one that waits for a provider."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.cli.conftest import V2, Ask, ask
from tests.cli.project import ProjectFiles
from tests.faults.conftest import served
from tests.servers.openai_server import OpenAIServer, SeenRequest

__all__ = ["ask", "served"]

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(served: ProjectFiles) -> Iterator[Start]:
    """Starts the command in the project, and lets none outlive the test."""
    children: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> "subprocess.Popen[str]":
        child = subprocess.Popen(
            [sys.executable, "-m", "evalkit", *arguments],
            cwd=served.root,
            env=os.environ | {"NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield begin
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
def stalled(openai_server: OpenAIServer) -> Event:
    """The server answers nobody from its fifth request on; set once it has that one."""
    seen = Event()
    count = iter(range(1_000_000))

    def decide(request: SeenRequest) -> str | None:
        if next(count) < 4:
            return None
        seen.set()
        return "stall"

    openai_server.decide = decide
    return seen


@pytest.fixture
def stopped(served: ProjectFiles, start: Start, stalled: Event) -> Path:
    """The folder of a run that was killed while it waited for the provider."""
    served.cases = 8
    served.write()
    child = start("run", *V2, "--no-cache", "--quiet")
    assert stalled.wait(60)
    child.kill()
    child.communicate()
    (folder,) = (served.root / ".evalkit/runs").iterdir()
    return folder


def test_of_two_processes_that_resume_a_run_the_second_is_told_who_the_first_is(
    served: ProjectFiles, start: Start, stalled: Event, stopped: Path, ask: Ask
) -> None:
    stalled.clear()
    first = start("run", "--resume", "latest", "--quiet")
    assert stalled.wait(60)
    second = ask("run", "--resume", "latest", cwd=served.root)
    assert second.code == 4
    assert f"run {stopped.name} is being written by another process (pid {first.pid})" in second.err
    first.send_signal(signal.SIGINT)
    first.send_signal(signal.SIGINT)


def test_what_was_in_flight_is_told_and_charged_at_its_upper_bound(
    served: ProjectFiles, openai_server: OpenAIServer, stopped: Path, ask: Ask
) -> None:
    calls = [json.loads(line) for line in (stopped / "calls.jsonl").read_text().splitlines()]
    ended = {each["id"] for each in calls if each["type"] == "ended"}
    lost = [each for each in calls if each["type"] == "asked" and each["id"] not in ended]
    assert len(lost) >= 1
    openai_server.decide = lambda request: None
    done = ask("run", "--resume", "latest", cwd=served.root)
    assert done.code in (0, 3), done.err
    many = "1 call was" if len(lost) == 1 else f"{len(lost)} calls were"
    assert f"{many} in flight when the run was killed: charged at the upper bound" in done.err
    attempts = [json.loads(line) for line in (stopped / "attempts.jsonl").read_text().splitlines()]
    record = json.loads((stopped / "run.json").read_text())
    bounds = sum(each["usd"] for each in lost)
    assert record["billed_usd"] == pytest.approx(sum(a["cost_usd"] for a in attempts) + bounds)
    assert record["billed_usd"] == pytest.approx(sum(a["billed_usd"] for a in attempts))


def test_a_copy_of_a_run_is_read_and_not_resumed(
    served: ProjectFiles, openai_server: OpenAIServer, stopped: Path, tmp_path: Path, ask: Ask
) -> None:
    elsewhere = tmp_path / "artifact" / stopped.name
    beside = stopped.with_name(f"{stopped.name}-copy")
    for copy in (elsewhere, beside):
        shutil.copytree(stopped, copy)
        refused = ask("run", "--resume", str(copy), cwd=served.root)
        assert refused.code == 2
        assert f"is a copy of run {stopped.name}" in refused.err
        assert f"resume it as {stopped}" in refused.err
        assert ask("show", str(copy), cwd=served.root).code == 0
    shutil.rmtree(beside)
    openai_server.decide = lambda request: None
    whole = ask("run", "--resume", stopped.name, cwd=served.root).code
    assert whole in (0, 3)
    shutil.rmtree(elsewhere)
    shutil.copytree(stopped, elsewhere)
    for verb in (("gate", str(elsewhere)), ("score", str(elsewhere))):
        assert ask(*verb, cwd=served.root).code == whole
    assert ask("diff", stopped.name, str(elsewhere), cwd=served.root).code == 0


def test_a_run_that_was_moved_to_another_checkout_goes_on_there(
    served: ProjectFiles, openai_server: OpenAIServer, stopped: Path, tmp_path: Path, ask: Ask
) -> None:
    other = tmp_path / "checkout"
    shutil.copytree(served.root, other, ignore=shutil.ignore_patterns(".evalkit"))
    copy = other / ".evalkit/runs" / stopped.name
    shutil.copytree(stopped, copy)
    shutil.rmtree(stopped)
    openai_server.decide = lambda request: None
    assert ask("run", "--resume", "latest", cwd=other).code in (0, 3)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_wait_for_a_provider_that_hangs(
    served: ProjectFiles,
    openai_server: OpenAIServer,
    start: Start,
    stalled: Event,
    ask: Ask,
    sent: signal.Signals,
) -> None:
    served.cases = 8
    served.config["run"]["timeout_s"] = 600.0
    served.write()
    child = start("run", *V2, "--no-cache")
    assert stalled.wait(60)
    child.send_signal(sent)
    assert child.stderr is not None
    for line in child.stderr:
        if "stopping" in line:
            break
    child.send_signal(sent)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "Traceback" not in err
    (folder,) = (served.root / ".evalkit/runs").iterdir()
    assert json.loads((folder / "run.json").read_text())["state"] == "interrupted"
    openai_server.decide = lambda request: None
    assert ask("run", "--resume", "latest", cwd=served.root).code in (0, 3)
