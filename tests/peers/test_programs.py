"""The examples of docs/examples/targets as targets: on the OpenAI SDK, on a session, a command."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.agents import write
from tests.cli.conftest import call_evalkit
from tests.cli.programs import attempts, program_project
from tests.servers.openai_server import OpenAIServer

EXAMPLES = Path(__file__).parents[2] / "docs/examples/targets"
ANSWER = "A-1 is in transit and expected on Thursday."


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A model that looks the order up and then answers."""
    server = OpenAIServer().start()
    server.answer = lambda request: ANSWER
    server.decide = lambda request: (
        "ok"
        if request.body["messages"][-1]["role"] == "tool"
        else 'tool_call:get_order {"id": "A-1"}'
    )
    yield server
    server.stop()


def project_of(root: Path, target: dict[str, Any], example: str) -> Any:
    project = program_project(root, target, cases=30)
    shutil.copy(EXAMPLES / example, project.root)
    project.route["max_tokens"] = 200
    project.suite["scorers"] = [{"contains": {}}, {"tool_calls": {}}]
    call = {"name": "get_order", "arguments": {"id": "A-1"}}
    project.case_changes = {
        number: {
            "input": {"question": f"Customer {number}: where is A-1?"},
            "expected": {"contains": ["Thursday"], "tool_calls": [call]},
        }
        for number in range(30)
    }
    write(project, "tools/get_order.json", json.dumps({"name": "get_order", "effect": "read"}))
    return project


def test_a_loop_on_the_openai_sdk_is_a_target_and_tells_what_it_took(
    tmp_path: Path, server: OpenAIServer
) -> None:
    project = project_of(tmp_path / "p", {"python": "openai_loop:answer"}, "openai_loop.py")
    project.write()
    done = call_evalkit(
        "run",
        cwd=project.root,
        environ={"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test-hush"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = attempts(project.root)
    assert server.books.requests == 60
    told = sum(each["usage"]["input_tokens"] for each in made)
    assert told == server.books.input_tokens
    for path in (project.root / ".evalkit").rglob("*"):
        assert not path.is_file() or b"sk-test-hush" not in path.read_bytes()


def test_the_same_loop_on_a_session_is_charged_and_traced_by_the_core(
    tmp_path: Path, server: OpenAIServer
) -> None:
    project = project_of(tmp_path / "p", {"python": "session_loop:answer"}, "session_loop.py")
    project.config["providers"] = {"served": {"kind": "openai", "base_url": server.url}}
    project.config["models"]["tiny"]["provider"] = "served"
    project.config["models"]["tiny"]["price"]["output_usd_per_mtok"] = 4
    project.config["budgets"] = [{"scope": "run", "max_usd": 1.0}]
    project.write()
    done = call_evalkit("run", cwd=project.root)
    assert done.returncode == 0, done.stdout + done.stderr
    made = attempts(project.root)
    assert [step["kind"] for step in made[0]["steps"]] == ["model", "tool", "model"]
    assert server.books.requests == 60
    assert sum(each["billed_usd"] for each in made) == pytest.approx(server.books.usd)


def test_a_command_is_a_target(tmp_path: Path) -> None:
    target = {"command": [sys.executable, "command_agent.py"]}
    project = project_of(tmp_path / "p", target, "command_agent.py")
    project.write()
    done = call_evalkit("run", cwd=project.root)
    assert done.returncode == 0, done.stdout + done.stderr
