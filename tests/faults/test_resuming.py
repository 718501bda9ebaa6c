"""Who may go on with a run, where, and what a signal does to one that waits for a provider."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.cli.conftest import V2, Ask, ask
from tests.cli.programs import python_project
from tests.cli.project import ProjectFiles
from tests.faults.conftest import serve, served
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


TWO_CALLS = """
from evalkit.records.call import Message

async def answer(given, session):
    first = await session.complete([Message(role="user", content="one " + given["question"])])
    return (await session.complete(
        [Message(role="user", content="two " + given["question"] + first.content)]
    )).content
"""


def test_a_function_that_was_killed_between_its_calls_pays_for_each_once(
    openai_server: OpenAIServer, tmp_path: Path, ask: Ask
) -> None:
    project = serve(python_project(tmp_path / "project", TWO_CALLS, cases=6), openai_server)
    project.write()
    openai_server.answer = lambda request: "yes"
    seen = Event()

    def decide(request: SeenRequest) -> str | None:
        if not request.prompt.startswith("two"):
            return None
        seen.set()
        return "stall"

    openai_server.decide = decide
    with subprocess.Popen(
        [sys.executable, "-m", "evalkit", "run", "--no-cache", "--quiet"],
        cwd=project.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        assert seen.wait(60)
        child.kill()
    (folder,) = (project.root / ".evalkit/runs").iterdir()
    lines = [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]
    answered = sum(1 for each in lines if "reply" in each)
    first = Counter(each.text for each in openai_server.seen if each.prompt.startswith("one"))
    openai_server.decide = lambda request: None
    done = ask("run", "--resume", "latest", cwd=project.root)
    assert done.code == 0, done.err
    assert "not asked again" in done.err
    again = Counter(each.text for each in openai_server.seen if each.prompt.startswith("one"))
    assert len(again) == 6
    assert (again - first).total() <= 6 - answered


def test_a_disk_that_filled_loses_no_answer_that_was_written_down(
    served: ProjectFiles, openai_server: OpenAIServer, ask: Ask
) -> None:
    served.write()
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000));"
        "sys.argv = ['evalkit', 'run', '--no-cache', '--quiet'];"
        "from evalkit.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=served.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 4, done.stderr
    assert "there is no room left: free some and" in done.stderr
    assert "Traceback" not in done.stderr
    (folder,) = (served.root / ".evalkit/runs").iterdir()
    assert f"append to {folder}" in done.stderr
    lines = [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]
    kept = sum(1 for each in lines if "reply" in each)
    before = len(openai_server.seen)
    assert ask("run", "--resume", "latest", cwd=served.root).code in (0, 3)
    assert len(openai_server.seen) - before == 200 - kept


@pytest.mark.parametrize("name", ["attempts.jsonl", "traces.jsonl", "calls.jsonl"])
def test_a_torn_line_of_any_file_of_a_run_is_made_again(
    served: ProjectFiles, openai_server: OpenAIServer, stopped: Path, ask: Ask, name: str
) -> None:
    with open(stopped / name, "ab") as file:
        file.write(b'{"suite": "ask", "cas')
    openai_server.decide = lambda request: None
    done = ask("run", "--resume", "latest", cwd=served.root)
    assert done.code in (0, 3), done.err
    lines = [json.loads(line) for line in (stopped / "attempts.jsonl").read_text().splitlines()]
    assert len({(a["variant"], a["case"]) for a in lines}) == len(lines) == 16


@pytest.mark.parametrize("name", ["attempts.jsonl", "calls.jsonl"])
def test_a_damaged_line_of_a_run_is_told_by_its_place(
    served: ProjectFiles, stopped: Path, ask: Ask, name: str
) -> None:
    lines = (stopped / name).read_bytes().splitlines(keepends=True)
    (stopped / name).write_bytes(b"\x00\x01\n" + b"".join(lines))
    done = ask("run", "--resume", "latest", cwd=served.root)
    assert done.code == 4
    assert f"{stopped / name}:1: not a line that evalkit wrote" in done.err
    assert "remove the line and resume the run" in done.err


def test_an_attempt_that_the_run_cannot_have_made_is_told_and_nothing_is_made(
    tmp_path: Path, ask: Ask
) -> None:
    project = ProjectFiles(tmp_path / "project", cases=4).write()
    assert ask("run", cwd=project.root).code == 3
    (run,) = (project.root / ".evalkit/runs").iterdir()
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"state": "interrupted"}))
    first = json.loads((run / "attempts.jsonl").read_text().splitlines()[0])
    for other in ({"case": "zzz"}, {"suite": "zzz"}, {"variant": "anchor"}):
        (run / "attempts.jsonl").write_text(json.dumps(first | other) + "\n")
        done = ask("run", "--resume", run.name, cwd=project.root)
        assert done.code == 4, done.err
        assert f"{run / 'attempts.jsonl'} tells of case" in done.err
        assert "which the run did not have; restore the file, or remove the line" in done.err
        assert len((run / "attempts.jsonl").read_text().splitlines()) == 1
