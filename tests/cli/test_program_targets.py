"""Suites whose target is a program: whatever it does, the run says so and goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.cli.agents import write
from tests.cli.conftest import Evalkit
from tests.cli.programs import attempts, program_project, python_project

ASYNC_WITH_SESSION = """
from evalkit.records.call import Message

async def answer(given, session):
    reply = await session.complete([Message(role="user", content=given["question"])])
    return reply.content
"""


def test_a_function_is_called_with_the_input_of_every_case(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    source = "import helper\ndef answer(given):\n    print('noise')\n    return helper.say(given)\n"
    project = python_project(tmp_path / "p", source)
    write(project, "helper.py", "def say(given):\n    return 'yes' if given['question'] else ''\n")
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 0, done.stderr
    assert "target python app:answer" in " ".join(done.stdout.split())
    assert {each["state"] for each in attempts(project.root)} == {"answered"}
    assert evalkit("check", cwd=project.root).returncode == 0
    [run] = (project.root / ".evalkit/runs").glob("*/run.json")
    digests = json.loads(run.read_text())["suites"][0]["variants"][0]["digests"]
    assert {"app.py", "helper.py", "target.python"} <= set(digests)


PLUGINS = "PYDANTIC_DISABLE_PLUGINS"


@pytest.mark.parametrize("given", [{}, {PLUGINS: "logfire"}])
def test_a_program_has_the_environment_of_the_command_and_nothing_of_evalkits_own(
    evalkit: Evalkit, tmp_path: Path, given: dict[str, str]
) -> None:
    source = f"import os\ndef answer(given):\n    return str(os.environ.get({PLUGINS!r}))\n"
    project = python_project(tmp_path / "function", source, cases=2)
    evalkit("run", cwd=project.root, environ=given)
    script = f"import json, os; print(json.dumps({{'output': str(os.environ.get({PLUGINS!r}))}}))"
    target = {"command": {"argv": [sys.executable, "-c", script]}}
    command = program_project(tmp_path / "command", target, cases=2)
    evalkit("run", cwd=command.root, environ=given)
    for root in (project.root, command.root):
        assert {each["output"] for each in attempts(root)} == {given.get(PLUGINS, "None")}


def test_calls_of_a_session_go_through_the_core(evalkit: Evalkit, tmp_path: Path) -> None:
    project = python_project(tmp_path / "p", ASYNC_WITH_SESSION, cases=10)
    rows = [
        {"case": f"c{n:04}", "prompt": "python app:answer", "reply": {"content": "yes"}}
        for n in range(10)
    ]
    write(project, "scripted/ask.jsonl", "\n".join(json.dumps(row) for row in rows))
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 0, done.stdout + done.stderr
    first = attempts(project.root)[0]
    assert (first["model"], first["origin"]) == ("tiny", "scripted")
    assert first["usage"]["estimated"]
    assert first["cost_usd"] > 0
    assert [step["kind"] for step in first["steps"]] == ["model"]


WAITING_SESSION = """
from evalkit.records.asset import Tool
from evalkit.records.call import Message, ToolCall

def answer(given, session):
    tools = [Tool(name="look_up", effect="read")]
    asked = [Message(role="user", content=given["question"])]
    session.complete(asked, tools=tools, interim=True)
    call = ToolCall(name="look_up", arguments={"n": 1}, id="c1")
    session.authorize(call)
    told = session.tool_result(call, {"found": True}, latency_s=0.1)
    session.retrieve("kb", "anything")
    if given["question"].startswith("Is 0 "):
        session.authorize(ToolCall(name="pay", arguments={}, id="c2"))
    turn = Message(role="assistant", content="", tool_calls=(call,))
    return session.complete([*asked, turn, told], tools=tools).content
"""


def test_a_function_that_is_not_async_waits_for_its_session(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = python_project(tmp_path / "p", WAITING_SESSION, cases=4)
    turns = [{"content": "a moment"}, {"content": "yes"}]
    rows = [{"case": f"c{n:04}", "prompt": "python app:answer", "replies": turns} for n in range(4)]
    write(project, "scripted/ask.jsonl", "\n".join(json.dumps(row) for row in rows))
    evalkit("run", cwd=project.root)
    blocked, answered = sorted(attempts(project.root), key=lambda each: each["case"])[:2]
    assert (blocked["state"], blocked["rule"], blocked["output"]) == (
        "blocked",
        "tools.declared",
        None,
    )
    assert (answered["output"], answered["allowed_tools"]) == ("yes", ["look_up"])
    kinds = [step["kind"] for step in answered["steps"]]
    assert kinds == ["model", "tool", "retrieval", "model"]


def test_a_model_that_could_not_be_asked_is_no_result_whatever_the_function_returns(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    source = ASYNC_WITH_SESSION.replace("    reply", "    try:\n        reply").replace(
        "    return reply.content", "    except Exception:\n        return 'yes'\n"
    )
    project = python_project(tmp_path / "p", source, cases=10)
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 4
    assert {each["failure_mode"] for each in attempts(project.root)} == {"not_recorded"}


FAILING = {
    "raise KeyError('boom')": "KeyError: 'boom' (app.py:",
    "raise SystemExit(3)": "SystemExit: 3",
    "print('last words', flush=True); os._exit(7)": "exited with 7: last words",
    "os.kill(os.getpid(), signal.SIGSEGV)": "was ended by SIGSEGV",
    "return float('nan')": "cannot be told as JSON",
    "return object()": "cannot be told as JSON",
    "return 'x' * 20_000_000": "longer than 16 MB",
    "return None": "gave nothing back",
    "return {'output': 'yes', 'usage': 7}": "wrong form",
    "return {'output': 'yes', 'cost_usd': -1}": "cost_usd is -1",
    "time.sleep(600)": "no answer within 3 s",
    "os.close(1); os.closerange(3, 64); time.sleep(600)": "its process",
}


def test_a_function_that_fails_is_a_failure_of_the_target_and_counts(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    source = "import os, signal, time\ndef answer(given):\n"
    for number, body in enumerate(FAILING):
        source += f"    if given['question'].startswith('Is {number} '):\n        {body}\n"
    project = python_project(tmp_path / "p", source, cases=len(FAILING), timeout_s=3.0)
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 1, done.stdout + done.stderr
    made = {each["case"]: each for each in attempts(project.root)}
    for number, words in enumerate(FAILING.values()):
        attempt = made[f"c{number:04}"]
        assert (attempt["state"], attempt["failure_mode"]) == ("invalid", "target_error")
        assert words in attempt["error"]


def test_a_function_that_cannot_be_loaded_is_refused_before_anything_runs(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = python_project(tmp_path / "p", "import numpyy", cases=2)
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "No module named 'numpyy' (app.py:1)" in done.stderr
    assert not (project.root / ".evalkit/runs").exists()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"python": "app"}, "suites.ask.target.python: wrong value"),
        ({"python": "nowhere.app:answer"}, "there is no module nowhere.app"),
        ({"python": {"call": "app:answer", "files": ["data/*.json"]}}, "no file matches"),
        ({"command": []}, "target.command"),
        ({"http": {"url": "localhost:80"}}, "target.http.url"),
        ({"http": {"url": "http://127.0.0.1:1/", "verb": "PUT"}}, "unknown key"),
    ],
)
def test_settings_that_are_wrong_are_told_by_check(
    evalkit: Evalkit, tmp_path: Path, target: dict[str, Any], words: str
) -> None:
    project = program_project(tmp_path / "p", target, cases=2)
    write(project, "app.py", "")
    done = evalkit("check", cwd=project.root)
    assert done.returncode == 2
    assert words in done.stdout + done.stderr


def test_a_baseline_at_a_commit_runs_the_code_of_that_commit(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = python_project(tmp_path / "p", cases=110)
    project.suite["gate"] = {"max_drop_pp": 3}
    project.write()
    write(project, ".gitignore", ".evalkit/\n")
    base = project.commit()
    write(project, "app.py", "def answer(given):\n    return 'no'\n")
    done = evalkit("run", "--baseline", base, cwd=project.root)
    assert done.returncode == 1, done.stdout + done.stderr
    outputs = {(each["variant"], each["output"]) for each in attempts(project.root)}
    assert outputs == {("baseline", "yes"), ("candidate", "no")}
    assert project.git("worktree", "list").count("\n") == 1
    assert not list((project.root / ".evalkit/worktrees").iterdir())


def test_a_program_in_the_place_of_a_prompt_is_noticed(evalkit: Evalkit, tmp_path: Path) -> None:
    project = python_project(tmp_path / "p", cases=110)
    project.suite["gate"] = {"max_drop_pp": 3}
    changed = project.suite.pop("target")
    project.suite["target"] = {"prompt": "ask@v1"}
    project.write()
    write(project, ".gitignore", ".evalkit/\n")
    base = project.commit()
    project.suite["target"] = changed
    project.write()
    write(project, "app.py", "def answer(given):\n    return 'yes'\n")
    done = evalkit("run", "--baseline", base, cwd=project.root)
    assert "the target is a program now" in " ".join(done.stdout.split())
    assert done.returncode == 3


COMMAND = """
import json, sys
given = json.load(sys.stdin)
print("thinking", file=sys.stderr)
json.dump({"output": "yes", "cost_usd": 0.01, "tool_calls": [{"name": "ask"}]}, sys.stdout)
"""


def command_project(root: Path, source: str, *, cases: int = 3, **settings: Any) -> Any:
    argv = [sys.executable, "agent.py"]
    project = program_project(root, {"command": {"argv": argv, **settings}}, cases=cases)
    write(project, "agent.py", source)
    return project


def test_a_command_gets_the_input_on_stdin_and_answers_on_stdout(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = command_project(tmp_path / "p", COMMAND)
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 0, done.stdout + done.stderr
    first = attempts(project.root)[0]
    assert (first["output"], first["cost_usd"]) == ("yes", 0.01)
    assert [call["name"] for call in first["tool_calls"]] == ["ask"]
    assert (
        "agent.py"
        in json.loads(next((project.root / ".evalkit/runs").glob("*/run.json")).read_text())[
            "suites"
        ][0]["variants"][0]["digests"]
    )


FAILING_COMMANDS = {
    "sys.exit('bob@example.org is not known')": "exited with 1: [EMAIL_",
    "print('hello')": "stdout is not one JSON value",
    "pass": "wrote nothing to stdout",
    "print('{\"a\": NaN}')": "stdout is not one JSON value",
    "time.sleep(600)": "no answer within 3 s",
    "[sys.stdout.write('x' * 1_000_000) for _ in range(100)]": "wrote more than 16 MB",
}


def test_a_command_that_fails_is_a_failure_of_the_target(evalkit: Evalkit, tmp_path: Path) -> None:
    source = "import json, sys, time\ngiven = json.load(sys.stdin)['question']\n"
    for number, body in enumerate(FAILING_COMMANDS):
        source += f"if given.startswith('Is {number} '):\n    {body}\n"
    cases = len(FAILING_COMMANDS)
    project = command_project(tmp_path / "p", source, cases=cases, timeout_s=3.0)
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 1, done.stdout + done.stderr
    made = {each["case"]: each for each in attempts(project.root)}
    for number, words in enumerate(FAILING_COMMANDS.values()):
        assert made[f"c{number:04}"]["failure_mode"] == "target_error"
        assert words in made[f"c{number:04}"]["error"]


LEAVING = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", "MARKER"])
print('"yes"')
"""


def test_an_answer_does_not_wait_for_what_a_command_leaves_behind(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    marker = f"left-behind-{os.getpid()}"
    project = command_project(tmp_path / "p", LEAVING.replace("MARKER", marker), timeout_s=30.0)
    assert evalkit("run", cwd=project.root).returncode == 0
    assert not processes_of(marker)


def test_a_command_that_does_not_exist_is_no_verdict_about_what_is_tested(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = program_project(tmp_path / "p", {"command": ["no-such-agent"]}, cases=2)
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "no-such-agent cannot be started" in done.stderr


def test_a_command_may_be_a_program_of_the_project(evalkit: Evalkit, tmp_path: Path) -> None:
    project = program_project(tmp_path / "p", {"command": ["./agent.sh"]}, cases=2)
    program = project.root / "agent.sh"
    program.write_text("#!/bin/sh\necho '\"yes\"'\n")
    assert evalkit("run", cwd=project.root).returncode == 2
    program.chmod(0o755)
    assert evalkit("run", cwd=project.root).returncode != 2


def test_a_program_that_names_the_golden_sets_is_warned_of(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    text = "open('goldensets/ask/v1/cases.jsonl')\nprint('\"yes\"')\n"
    project = command_project(tmp_path / "p", text)
    assert "where the answers that are expected" in " ".join(
        evalkit("check", cwd=project.root).stderr.split()
    )


class _Application(BaseHTTPRequestHandler):
    status, body = 200, b'{"output": "yes", "usage": {"input_tokens": 7, "output_tokens": 2}}'
    seen: list[tuple[Any, str | None]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        type(self).seen.append((json.loads(raw), self.headers.get("authorization")))
        self.send_response(self.status)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def application() -> Any:
    """A running application; the handler class is what it is changed by."""
    handler = type("Application", (_Application,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    handler.url = f"http://127.0.0.1:{server.server_port}/ask"
    yield handler
    server.shutdown()
    server.server_close()


def http_project(root: Path, url: str, **settings: Any) -> Any:
    return program_project(root, {"http": {"url": url, **settings}}, cases=30)


def test_an_application_is_asked_and_its_secret_header_is_written_nowhere(
    evalkit: Evalkit, tmp_path: Path, application: Any
) -> None:
    project = http_project(
        tmp_path / "p", application.url, headers_env={"Authorization": "APP_TOKEN"}
    )
    assert evalkit("run", cwd=project.root).returncode == 2  # the variable is not set
    done = evalkit("run", cwd=project.root, environ={"APP_TOKEN": "Bearer hush-hush"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert application.seen[0][1] == "Bearer hush-hush"
    assert "question" in application.seen[0][0]
    assert attempts(project.root)[0]["usage"]["input_tokens"] == 7
    for path in (project.root / ".evalkit").rglob("*"):
        assert not path.is_file() or b"hush-hush" not in path.read_bytes()


def test_a_reply_of_another_form_is_read_by_its_paths(
    evalkit: Evalkit, tmp_path: Path, application: Any
) -> None:
    application.body = b'{"data": [{"text": "yes"}], "price": 0.5}'
    fields = {"output": "data.0.text", "cost_usd": "price"}
    project = http_project(tmp_path / "p", application.url, fields=fields)
    assert evalkit("run", cwd=project.root).returncode == 0
    assert attempts(project.root)[0]["cost_usd"] == 0.5


def test_an_application_that_fails_counts_and_one_that_is_busy_does_not(
    evalkit: Evalkit, tmp_path: Path, application: Any
) -> None:
    application.status, application.body = 500, b"boom"
    project = http_project(tmp_path / "p", application.url)
    assert evalkit("run", cwd=project.root).returncode == 1
    assert attempts(project.root)[0]["failure_mode"] == "target_error"
    application.status = 503
    assert evalkit("run", cwd=project.root).returncode == 4


def test_an_application_is_never_compared_with_itself(
    evalkit: Evalkit, tmp_path: Path, application: Any
) -> None:
    project = http_project(tmp_path / "p", application.url)
    write(project, ".gitignore", ".evalkit/\n")
    project.commit()
    done = evalkit("run", "--baseline", "HEAD", cwd=project.root)
    assert done.returncode == 0, done.stderr
    assert "cannot differ from itself" in " ".join(done.stdout.split())
    project.suite["gate"] = {"max_drop_pp": 3}
    project.write()
    done = evalkit("run", "--baseline", "HEAD", cwd=project.root)
    assert done.returncode == 2
    assert "has no floor" in done.stderr


def test_an_application_that_does_not_run_ends_the_run_early(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = http_project(tmp_path / "p", "http://127.0.0.1:9/ask")
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 4
    assert attempts(project.root)[0]["failure_mode"] == "connection"


def processes_of(marker: str) -> list[str]:
    """Command lines of running processes that hold this text."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = each.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if marker in line and "pytest" not in line:
            found.append(line)
    return found


HANGING = """
import subprocess, sys, time
def answer(given):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", "MARKER"])
    open("started", "a").write("x")
    time.sleep(300)
"""


@pytest.mark.parametrize("kind", ["python", "command"])
@pytest.mark.parametrize("sent", [[signal.SIGINT, signal.SIGINT], [signal.SIGKILL]])
def test_nothing_that_a_target_started_outlives_the_run(
    tmp_path: Path, kind: str, sent: list[signal.Signals]
) -> None:
    marker = f"orphan-{os.getpid()}-{kind}-{len(sent)}"
    source = HANGING.replace("MARKER", marker)
    if kind == "python":
        project = python_project(tmp_path / "p", source, cases=4)
    else:
        project = command_project(tmp_path / "p", f"{source}\nanswer(0)\n", cases=4)
    run = subprocess.Popen(
        [sys.executable, "-m", "evalkit", "run"],
        cwd=project.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    started = project.root / "started"
    assert _becomes(lambda: started.exists() and len(processes_of(marker)) >= 1)
    for each in sent:
        run.send_signal(each)
        time.sleep(0.3)
    assert run.wait(timeout=20) == (130 if len(sent) == 2 else -signal.SIGKILL)
    assert _becomes(lambda: not processes_of(marker)), processes_of(marker)


def _becomes(true: Any, *, within_s: float = 15.0) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return False


def test_a_run_that_was_killed_in_a_function_is_resumed(evalkit: Evalkit, tmp_path: Path) -> None:
    source = (
        "import os, time\ndef answer(given):\n    open('started', 'a').close()\n"
        "    time.sleep(0 if os.path.exists('go') else 300)\n    return 'yes'\n"
    )
    project = python_project(tmp_path / "p", source, cases=4)
    run = subprocess.Popen(
        [sys.executable, "-m", "evalkit", "run"],
        cwd=project.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert _becomes((project.root / "started").exists)
    run.kill()
    run.wait()
    write(project, "go", "")
    [folder] = (project.root / ".evalkit/runs").iterdir()
    done = evalkit("run", "--resume", folder.name, cwd=project.root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(attempts(project.root)) == 4
