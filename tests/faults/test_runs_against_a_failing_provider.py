"""What a provider does wrong, seen from the exit code, the bundle and the server's own books."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.project import ProjectFiles
from tests.faults.conftest import Evalkit, serve
from tests.servers.openai_server import OpenAIServer, SeenRequest

V2 = ("--set", "suites.ask.target.prompt=ask@v2")


def bundles(project: ProjectFiles) -> list[Path]:
    return sorted((project.root / ".evalkit/runs").iterdir())


def record_of(bundle: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((bundle / "run.json").read_text())
    return record


def attempts_of(bundle: Path) -> list[dict[str, Any]]:
    lines = (bundle / "attempts.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_server_that_answers_passes_and_is_asked_once_a_request(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.write()
    done = evalkit("run", cwd=served.root)
    assert done.returncode == 0, done.stderr + done.stdout
    # baseline and candidate ask the same here, so the cache may answer half
    assert 100 <= openai_server.books.requests <= 200
    again = evalkit("run", cwd=served.root)
    assert again.returncode == 0
    assert openai_server.books.requests <= 200


@pytest.mark.parametrize("act", ["status:500", "status:401", "reset", "not_json", "rate_limit:0"])
def test_a_provider_that_never_answers_is_incomplete(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer, act: str
) -> None:
    openai_server.decide = lambda request: act
    served.write()
    done = evalkit("run", cwd=served.root)
    assert done.returncode == 4, done.stderr + done.stdout
    assert record_of(bundles(served)[-1])["state"] == "incomplete"


def test_a_provider_that_is_not_there_is_incomplete(evalkit: Evalkit, tmp_path: Path) -> None:
    project = ProjectFiles(tmp_path / "project", cases=100)
    server = OpenAIServer()  # never started: nobody listens on port 9
    server.port = 9
    serve(project, server).write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 4, done.stderr + done.stdout


def fails(request: SeenRequest) -> bool:
    """Whether the question is one of every second case."""
    words = request.prompt.split()
    return int(words[words.index("Is") + 1]) % 2 == 0


def test_half_the_calls_failing_is_incomplete(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    openai_server.decide = lambda request: "status:503" if fails(request) else None
    served.write()
    done = evalkit("run", "--no-cache", cwd=served.root)
    assert done.returncode == 4, done.stderr + done.stdout


def test_a_measured_failure_beside_an_incomplete_suite_fails_and_can_be_resumed(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.cases = 24
    served.config["run"]["retries"] = 0
    served.suite["gate"] = {"min_pass_rate": 0.9}
    other = {**served.suite, "baseline": {"set": {"suites.other.target.prompt": "ask@v1"}}}
    served.config["suites"]["other"] = {**other, "route": "other"}
    served.config["routes"].append({**served.route, "name": "other", "max_tokens": 19})
    openai_server.answer = lambda request: "yes" if "v1" in request.prompt else "no"
    # what the suite `other` asks is told by its cap
    openai_server.decide = lambda request: (
        "status:503" if request.body.get("max_tokens") == 19 and fails(request) else None
    )
    served.write()
    assert evalkit("run", "--no-cache", *V2, cwd=served.root).returncode == 1
    run = bundles(served)[-1]
    record = record_of(run)
    assert {s["suite"]: s["outcome"] for s in record["verdict"]["suites"]} == {
        "ask": "fail",
        "other": "incomplete",
    }
    assert (record["state"], record["exit_code"]) == ("incomplete", 1)
    openai_server.decide = lambda request: None
    done = evalkit("run", "--resume", run.name, cwd=served.root)
    assert done.returncode == 1, done.stderr + done.stdout
    assert record_of(run)["state"] == "complete"


def test_an_incomplete_run_can_be_resumed_to_a_verdict(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    openai_server.decide = lambda request: "status:503" if fails(request) else None
    served.write()
    assert evalkit("run", "--no-cache", cwd=served.root).returncode == 4
    openai_server.decide = lambda request: None
    run = bundles(served)[-1]
    done = evalkit("run", "--resume", run.name, cwd=served.root)
    assert done.returncode == 0, done.stderr + done.stdout
    assert record_of(run)["state"] == "complete"
    assert evalkit("run", "--resume", run.name, cwd=served.root).returncode == 2


def test_an_error_share_below_the_limit_that_matters_is_inconclusive(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.suite["gate"] = {"max_drop_pp": 3, "max_error_share": 0.05}
    openai_server.decide = lambda request: (
        "status:503" if " 7 " in request.prompt and "v2" in request.prompt else None
    )
    served.write()
    done = evalkit("run", *V2, cwd=served.root)
    assert done.returncode == 3, done.stderr + done.stdout


def test_a_failure_of_one_call_is_retried(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    openai_server.script("rate_limit:0", "status:500", "reset", "ok")
    served.write()
    assert evalkit("run", cwd=served.root).returncode == 0


def test_an_answer_of_the_fallback_model_does_not_gate_unless_accepted(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.config["models"]["other"] = dict(served.config["models"]["tiny"])
    served.route["models"] = {"primary": "tiny", "fallback": "other"}
    openai_server.decide = lambda request: (
        "status:503" if request.body["model"] == "tiny" and "v2" in request.prompt else None
    )
    served.write()
    assert evalkit("run", *V2, cwd=served.root).returncode == 4
    served.suite["fallback"] = "accept"
    served.write()
    assert evalkit("run", *V2, cwd=served.root).returncode == 0


def test_a_stored_baseline_is_a_replay_that_another_run_paid_for(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.write()
    assert evalkit("run", cwd=served.root).returncode == 0
    before = openai_server.books.requests
    assert evalkit("run", "--baseline", "latest", *V2, cwd=served.root).returncode == 0
    assert openai_server.books.requests == before + 100
    record = record_of(bundles(served)[-1])
    baseline, candidate = record["suites"][0]["totals"]
    assert baseline["billed_usd"] == 0
    assert record["billed_usd"] == pytest.approx(candidate["billed_usd"])
    assert candidate["billed_usd"] > 0
    assert record["suites"][0]["variants"][0]["origins"] == {"cache": 100}


def test_trials_are_asked_each(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.suite["trials"] = 2
    served.write()
    evalkit("run", *V2, cwd=served.root)
    assert openai_server.books.requests == 100 * 2 * 2


def test_a_changed_prompt_is_never_answered_from_the_cache(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.write()
    assert evalkit("run", *V2, cwd=served.root).returncode == 0
    before = openai_server.books.requests
    openai_server.answer = lambda request: "no" if "really" in request.prompt else "yes"
    (served.root / "prompts/ask/v2.yaml").write_text(
        served.prompt(2, "{{ input.question }} really")
    )
    assert evalkit("run", *V2, cwd=served.root).returncode == 1
    assert openai_server.books.requests == before + 100


@pytest.mark.parametrize("concurrency", [1, 64])
def test_a_cap_in_usd_is_never_passed_on_the_servers_side(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer, concurrency: int
) -> None:
    openai_server.usd_per_mtok = (1.0, 1.0)
    openai_server.decide = lambda request: "slow:0.01"
    cap = 0.001
    served.config["budgets"] = [{"scope": "run", "max_usd": cap}]
    served.write()
    done = evalkit("run", *V2, "--concurrency", str(concurrency), cwd=served.root)
    assert done.returncode == 4, done.stderr + done.stdout
    # nearly all of it is used: holds are upper bounds and most of each comes back
    assert 0.9 * cap < openai_server.books.usd <= cap
    assert "budget exhausted" in done.stdout


def test_a_model_without_a_price_is_refused_under_a_cap(
    evalkit: Evalkit, served: ProjectFiles
) -> None:
    del served.config["models"]["tiny"]["price"]
    served.config["budgets"] = [{"scope": "run", "max_usd": 1.0}]
    served.write()
    done = evalkit("run", cwd=served.root)
    assert done.returncode == 2
    assert "tiny" in done.stderr


def test_a_key_that_is_not_set_is_refused_and_one_that_is_set_leaks_nowhere(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    key = "sk-test-0123456789abcdefghijklmnop"
    openai_server.api_key = "another"  # so that every call is refused, and the refusal quotes ours
    served.config["providers"]["served"]["api_key_env"] = "SERVED_TOKEN"
    served.write()
    done = evalkit("run", cwd=served.root)
    assert done.returncode == 2
    assert "SERVED_TOKEN" in done.stderr
    refused = evalkit("run", cwd=served.root, environ={"SERVED_TOKEN": key})
    assert refused.returncode == 4
    written = [path.read_bytes() for path in served.root.rglob("*") if path.is_file()]
    assert not any(key.encode() in content for content in written)
    assert key not in refused.stdout + refused.stderr


def start(project: ProjectFiles, *more: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "evalkit", "run", "--quiet", *V2, *more]
    return subprocess.Popen(
        command, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for_requests(server: OpenAIServer, count: int) -> None:
    """Until the server has seen so many, or 20 seconds: what is waited for is an event."""
    until = time.monotonic() + 20
    while server.books.requests < count and time.monotonic() < until:
        os.sched_yield()
    assert server.books.requests >= count


@pytest.mark.parametrize("seen", [1, 40, 150])
def test_a_killed_run_is_resumed_with_one_result_a_place(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer, seen: int
) -> None:
    openai_server.decide = lambda request: "slow:0.02"
    served.write()
    running = start(served)
    wait_for_requests(openai_server, seen)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    run = bundles(served)[-1]
    assert record_of(run)["state"] == "running"
    assert evalkit("gate", run.name, cwd=served.root).returncode == 2
    done = evalkit("run", "--resume", run.name, cwd=served.root)
    assert done.returncode == 0, done.stderr + done.stdout
    places = [(a["variant"], a["case"], a.get("trial")) for a in attempts_of(run)]
    assert len(places) == len(set(places)) == 200
    # at most the calls that were in flight were made twice
    assert 200 <= openai_server.books.requests <= 200 + 16


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_with_130_and_is_resumed(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer, sent: signal.Signals
) -> None:
    openai_server.decide = lambda request: "slow:0.02"
    served.write()
    running = start(served)
    wait_for_requests(openai_server, 30)
    running.send_signal(sent)
    running.communicate(timeout=30)
    assert running.returncode == 130
    run = bundles(served)[-1]
    assert record_of(run)["state"] == "interrupted"
    assert evalkit("run", "--resume", run.name, cwd=served.root).returncode == 0
    # the drained calls were kept: nothing was asked twice
    assert openai_server.books.requests == 200


def test_a_resumed_run_refuses_a_project_that_changed(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    openai_server.decide = lambda request: "status:503" if fails(request) else None
    served.write()
    assert evalkit("run", *V2, cwd=served.root).returncode == 4
    (served.root / "prompts/ask/v2.yaml").write_text(served.prompt(2, "Else: {{ input.question }}"))
    done = evalkit("run", "--resume", "latest", cwd=served.root)
    assert done.returncode == 2
    assert "the candidate's prompts/ask/v2.yaml of suite ask changed since run" in done.stderr


def test_a_folder_that_cannot_be_written_is_incomplete(
    evalkit: Evalkit, served: ProjectFiles
) -> None:
    served.write()
    (served.root / ".evalkit").write_text("in the way")  # root may write to read-only folders
    assert evalkit("run", cwd=served.root).returncode == 4


def test_a_locked_store_is_incomplete(evalkit: Evalkit, served: ProjectFiles) -> None:
    import sqlite3

    served.write()
    assert evalkit("run", cwd=served.root).returncode == 0
    with sqlite3.connect(served.root / ".evalkit/cache.sqlite3", isolation_level=None) as held:
        held.execute("BEGIN EXCLUSIVE")
        (served.root / "prompts/ask/v2.yaml").write_text(
            served.prompt(2, "New {{ input.question }}")
        )
        done = evalkit("run", *V2, cwd=served.root)
        assert done.returncode == 4, done.stderr + done.stdout
    held.close()
