"""What providers did wrong is told in one line a kind, where the run ends and in its reports."""

import json
import threading
from pathlib import Path

from tests.cli.project import ProjectFiles
from tests.faults.conftest import Evalkit
from tests.servers.openai_server import OpenAIServer, SeenRequest


def only_bundle(project: ProjectFiles) -> Path:
    (bundle,) = (project.root / ".evalkit/runs").iterdir()
    return bundle


def test_a_storm_of_429_is_one_line_everywhere(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    openai_server.script(*["rate_limit:0"] * 7)
    served.config["run"]["retries"] = 20
    served.write()
    done = evalkit("run", cwd=served.root)
    assert done.returncode == 0, done.stderr
    line = "7 × 429 (rate limited) from served: all tried again"
    assert f"errors    {line}" in done.stdout
    bundle = only_bundle(served)
    assert "#### Errors of calls" in (bundle / "report.md").read_text()
    assert "from served: all tried again" in (bundle / "report.md").read_text()
    assert line in (bundle / "report.html").read_text()
    assert json.loads((bundle / "run.json").read_text())["failures"] == [
        {
            "provider": "served",
            "code": "rate_limited",
            "status": 429,
            "failed": 7,
            "gave_up": 0,
        }
    ]


def test_calls_that_are_given_up_are_told_apart_and_a_resumed_run_adds_up(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    lock, seen = threading.Lock(), set[str]()

    def decide(request: SeenRequest) -> str | None:
        words = request.prompt.split()
        number = int(words[words.index("Is") + 1])
        with lock:
            if number == 3:
                return "status:503"
            if number == 4 and request.prompt not in seen:
                seen.add(request.prompt)
                return "status:503"
        return None

    openai_server.decide = decide
    served.config["run"]["concurrency"] = 1
    served.suite["gate"] = {"max_drop_pp": 3, "max_error_share": 0.005}
    served.write()
    done = evalkit("run", "--no-cache", cwd=served.root)
    assert done.returncode == 4, done.stderr
    # both arms, two tries each, and one try of case 4
    assert "5 × 503 (server error) from served: tried again, 2 given up" in done.stdout
    openai_server.decide = lambda request: None
    openai_server.script("not_json")
    run = only_bundle(served)
    again = evalkit("run", "--resume", run.name, cwd=served.root)
    assert again.returncode == 0, again.stderr
    assert "5 × 503 (server error) from served: tried again, 2 given up" in again.stdout
    assert "1 × 200 (malformed reply)" in again.stdout or "1 × malformed reply" in again.stdout


def test_a_run_without_an_error_says_nothing_of_errors(
    evalkit: Evalkit, served: ProjectFiles
) -> None:
    served.write()
    done = evalkit("run", cwd=served.root)
    assert done.returncode == 0
    assert "errors    " not in done.stdout
    assert "Errors of calls" not in (only_bundle(served) / "report.md").read_text()
    assert "Errors of calls" not in (only_bundle(served) / "report.html").read_text()
