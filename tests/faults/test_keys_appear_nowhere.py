"""Keys are looked for in everything that a run leaves behind, while the server repeats them all."""

import copy
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.project import ProjectFiles
from tests.faults.conftest import Evalkit
from tests.servers.echoing_server import EchoingServer

# In no shape that a redactor knows: what keeps them out must be that they are keys.
KEYS = {
    "CHAT_KEY": "q7W2e9R4t6Y1u8I3o5P0aa",
    "RESPONSES_KEY": "z1X9c3V7b5N2m8Q4w6E0bb",
    "AZURE_KEY": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "ENTRA_TOKEN": "tK8/vL3+qP6=nR1.xS9_yT4-uU7",
    "CLAUDE_KEY": "h5J8k2L6g4F0d9S7a3P1cc",
    "GEMINI_KEY": "m4N7b1V5c9X2z6L3k8J0dd",
    "VERTEX_TOKEN": "r2T6y9U1i4O8p3A7s5D0ee",
    "BEDROCK_KEY": "w3E7r1T5y9U2i6O4p8A0ff",
    "AWS_SECRET_ACCESS_KEY": "sEcReT1aB2cD3eF4gH5iJ6kL7mN8oP9qR0",
    "AWS_SESSION_TOKEN": "tOkEn9zY8xW7vU6tS5rQ4pO3nM2lK1jI0",
    "AWS_ACCESS_KEY_ID": "UNUSUALACCESSID42",
}
PLACES = {
    "chat": ("openai", "/v1", "CHAT_KEY"),
    "responses": ("openai_responses", "/v1", "RESPONSES_KEY"),
    "azure": ("azure_openai", "/openai/v1", "AZURE_KEY"),
    "entra": ("azure_openai", "", "ENTRA_TOKEN"),
    "claude": ("anthropic", "/v1", "CLAUDE_KEY"),
    "gemini": ("gemini", "/v1beta", "GEMINI_KEY"),
    "vertex": ("gemini", "/v1/projects/p/locations/l/publishers/google", "VERTEX_TOKEN"),
    "bedrock": ("bedrock", "", "BEDROCK_KEY"),
    "signed": ("bedrock", "/signed", None),
}
ACTS = {"Is 3 ": 401, "Is 4 ": 500, "Is 5 ": 400, "Is 6 ": "page", "Is 7 ": "broken", "Is 8 ": 429}


@pytest.fixture
def echoing() -> Iterator[EchoingServer]:
    server = EchoingServer(ACTS).start()
    yield server
    server.stop()


@pytest.fixture
def everywhere(tmp_path: Path, echoing: EchoingServer) -> ProjectFiles:
    """A suite for every kind of provider, each with its recordings."""
    project = ProjectFiles(tmp_path / "project", cases=12)
    base = copy.deepcopy(project.config)
    config = project.config
    config["run"] = {"concurrency": 32, "timeout_s": 5.0, "retries": 0}
    for part in ("providers", "models", "routes", "suites"):
        config[part] = [] if part == "routes" else {}
    for name, (kind, path, key) in PLACES.items():
        provider = {"kind": kind, "base_url": echoing.url + path}
        config["providers"][name] = provider | ({"api_key_env": key} if key else {})
        config["models"][name] = base["models"]["tiny"] | {"provider": name, "id": "m"}
        config["routes"].append(base["routes"][0] | {"name": name, "models": {"primary": name}})
        suite = copy.deepcopy(base["suites"]["ask"]) | {"route": name}
        change = {f"suites.{name}.target.prompt": "ask@v1"}
        config["suites"][name] = suite | {"baseline": {"set": change}}
    return project.write()


def assert_hidden(root: Path, *said: str) -> None:
    """No key in any file of the project, nor in what was printed. Fails with places, not keys."""
    files = [path for path in root.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".gz", ".zst", ".zip")]
    texts = {str(path.relative_to(root)): path.read_bytes() for path in files}
    texts |= {f"output {number}": text.encode() for number, text in enumerate(said)}
    found = [
        (name, place)
        for place, text in texts.items()
        for name, key in KEYS.items()
        for form in (key, key.replace("/", "\\/"), key[:14])
        if form.encode() in text
    ]
    assert found == []


def all_of_one(done: "subprocess.CompletedProcess[str]") -> tuple[str, str]:
    return done.stdout, done.stderr


def test_no_key_is_in_a_bundle_a_cache_a_report_or_an_output(
    evalkit: Evalkit, everywhere: ProjectFiles, echoing: EchoingServer
) -> None:
    environ = KEYS | {"AWS_REGION": "eu-central-1", "PYTHONFAULTHANDLER": "1"}
    said = []
    for more in (("--json",), ("--trials", "2", "--max-error-share", "0.9"), ("--no-cache",)):
        done = evalkit("run", *more, cwd=everywhere.root, environ=environ)
        said += all_of_one(done)
    sent = {value for headers in echoing.seen for value in headers.values()}
    for name, key in KEYS.items():  # every key was sent, but the one that only signs
        assert name == "AWS_SECRET_ACCESS_KEY" or any(key in value for value in sent), name
    # most calls did answer: what they said was stored
    attempts = list((everywhere.root / ".evalkit/runs").glob("*/attempts.jsonl"))
    assert any("[key]" in path.read_text() for path in attempts)
    [last, *_] = sorted((everywhere.root / ".evalkit/runs").iterdir(), reverse=True)
    said += all_of_one(evalkit("show", last.name, "chat/c0000", cwd=everywhere.root))
    said += all_of_one(evalkit("route", "explain", "--route", "chat", cwd=everywhere.root))
    assert_hidden(everywhere.root, *said)


def test_no_key_is_in_a_recording_or_left_by_a_run_that_is_killed(
    evalkit: Evalkit, everywhere: ProjectFiles, echoing: EchoingServer
) -> None:
    environ = KEYS | {"AWS_REGION": "eu-central-1"}
    child: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        if len(echoing.seen) > 40:
            for process in child:
                os.kill(process.pid, signal.SIGKILL)

    echoing.on_request = kill
    everywhere.root.joinpath("log").touch()
    with everywhere.root.joinpath("log").open("wb") as log:
        child.append(
            subprocess.Popen(
                [sys.executable, "-m", "evalkit", "run", "--quiet"],
                cwd=everywhere.root,
                env={**os.environ, **environ},
                stdout=log,
                stderr=log,
            )
        )
        assert child[0].wait() == -signal.SIGKILL
    echoing.on_request = lambda: None
    said = [*all_of_one(evalkit("run", "--resume", cwd=everywhere.root, environ=environ))]
    for provider in everywhere.config["providers"].values():
        provider["recordings"] = "recordings"
    echoing.acts = {}
    everywhere.write()
    done = evalkit("record", cwd=everywhere.root, environ=environ)
    recorded = list((everywhere.root / "recordings").glob("*/*.jsonl"))
    assert len(recorded) == len(PLACES), done.stderr + done.stdout
    assert all(
        "[key]" in json.loads(path.read_text().splitlines()[0])["reply"]["content"]
        for path in recorded
    )
    assert_hidden(everywhere.root, *said, *all_of_one(done))
