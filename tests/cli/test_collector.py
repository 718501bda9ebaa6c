"""Runs and sessions that send their spans to a collector, over loopback."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evalkit.records.span import trace_id_of
from tests.cli.conftest import Ask, Evalkit
from tests.cli.project import ProjectFiles
from tests.servers.openai_server import OpenAIServer
from tests.servers.otlp_server import attributes, collector

ADA = "ada.lovelace@example.org"


def project(root: Path, telemetry: dict[str, Any], *, cases: int = 30) -> ProjectFiles:
    files = ProjectFiles(root / "project", cases=cases)
    files.case_changes = {
        number: {"identity": {"user": ADA}, "input": {"question": f"Is {ADA} in?"}}
        for number in range(3)
    }
    files.config["telemetry"] = telemetry
    return files.write()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.mark.parametrize("content", ["none", "redacted"])
def test_every_attempt_of_a_run_arrives_as_strict_otlp(
    ask: Ask, tmp_path: Path, content: str
) -> None:
    with collector() as found:
        files = project(tmp_path, {"otlp": {"endpoint": found.url}, "content": content})
        said = ask("run", "--json", cwd=files.root)
        run = json.loads(said.out)["id"]
        assert found.check() == []
        roots = [span for span in found.spans if not span.parent_span_id]
        assert len(roots) == 60
        first = trace_id_of(run, "ask", "candidate", "c0000", 1)
        (root,) = (span for span in roots if span.trace_id.hex() == first)
        assert attributes(root)["evalkit.run"] == run
        assert attributes(root)["evalkit.variant"] == "candidate"
        assert attributes(root)["gen_ai.prompt.name"] == "ask"
        assert all(ADA.encode() not in body for body in found.bodies)
        assert any(b"[EMAIL_1]" in body for body in found.bodies) == (content == "redacted")
        shown = json.loads(ask("show", run, "c0000", "--json", cwd=files.root).out)
        traces = {each["trace_id"] for each in shown["suites"][0]["attempts"]}
        assert first in traces
    traces_file = files.root / ".evalkit/runs" / run / "traces.jsonl"
    assert ADA not in traces_file.read_text()


def test_a_collector_that_is_down_changes_nothing_but_a_warning(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    telemetry = {"otlp": {"endpoint": f"http://127.0.0.1:{free_port()}", "timeout_s": 0.5}}
    files = project(tmp_path, telemetry, cases=120)
    done = evalkit("run", cwd=files.root)
    assert done.returncode == 0
    assert done.stderr.count("did not reach the collector") == 1
    assert "480 spans" in done.stderr
    assert "Traceback" not in done.stderr


def test_headers_that_are_not_set_are_told_and_the_run_goes_on(ask: Ask, tmp_path: Path) -> None:
    with collector() as found:
        otlp = {"endpoint": found.url, "headers_env": "EVALKIT_TEST_NO_SUCH_HEADERS"}
        files = project(tmp_path, {"otlp": otlp})
        said = ask("run", cwd=files.root)
        assert "$EVALKIT_TEST_NO_SUCH_HEADERS" in said.err
        assert found.spans == []


def test_headers_come_from_the_environment_and_appear_nowhere_else(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    secret = "tok-5f1e9c7a2b"
    with collector() as found:
        otlp = {"endpoint": found.url, "headers_env": "MY_HEADERS"}
        files = project(tmp_path, {"otlp": otlp})
        environ = {"MY_HEADERS": f"x-token={secret},x-scope=a%20b"}
        done = evalkit("run", cwd=files.root, environ=environ)
        assert found.headers[0]["x-token"] == secret
        assert found.headers[0]["x-scope"] == "a b"
    assert secret not in done.stdout + done.stderr
    for path in (files.root / ".evalkit").rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("telemetry", "says"),
    [
        ({"otlp": {"endpoint": "127.0.0.1:4318"}}, "http:// or https://"),
        ({"otlp": {"endpoint": "http://me:secret@host"}}, "headers_env"),
        ({"otlp": {"endpoint": "http://host", "header": "x"}}, "header"),
        ({"content": "all"}, "redacted"),
    ],
)
def test_a_collector_that_cannot_be_meant_is_a_problem_of_the_configuration(
    ask: Ask, tmp_path: Path, telemetry: dict[str, Any], says: str
) -> None:
    said = ask("check", cwd=project(tmp_path, telemetry, cases=2).root)
    assert said.code == 2
    assert says in said.err + said.out
    assert "evalkit.yaml" in said.err + said.out


def test_sessions_arrive_when_their_program_ends(tmp_path: Path) -> None:
    server = OpenAIServer().start()
    with collector() as found:
        files = project(tmp_path, {"otlp": {"endpoint": found.url}}, cases=2)
        files.config["providers"]["own"] = {"kind": "openai", "base_url": server.url}
        files.config["models"]["served"] = {"provider": "own"}
        files.config["routes"].append({"name": "help", "models": {"primary": "served"}})
        files.write()
        program = (
            "import asyncio\n"
            "from evalkit import Identity, Project\n"
            "from evalkit.records.call import Message\n"
            "async def main():\n"
            "    project = Project.load('.')\n"
            "    for n in range(3):\n"
            "        async with project.session('help', Identity(user='ada')) as session:\n"
            "            await session.complete([Message(role='user', content='hello')])\n"
            "asyncio.run(main())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=files.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert found.check() == []
        assert len(found.spans) == 6
        chat = next(span for span in found.spans if span.name.startswith("chat"))
        assert attributes(chat)["server.address"] == "127.0.0.1"
    server.stop()


def test_without_the_extra_nothing_is_run_and_it_says_what_to_install(
    tmp_path: Path, evalkit: Evalkit
) -> None:
    files = project(tmp_path, {"otlp": {"endpoint": "http://127.0.0.1:9"}})
    # a module of this name in the way is as good as none
    blocked = tmp_path / "blocked/opentelemetry"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('not installed')")
    path = f"{blocked.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = evalkit("run", cwd=files.root, environ={"PYTHONPATH": path})
    assert done.returncode == 2
    assert "evalkit[otel]" in done.stderr
    assert not list((files.root / ".evalkit/runs").glob("2*"))
