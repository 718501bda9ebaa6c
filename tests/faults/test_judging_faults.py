"""Judging that is killed, interrupted or cut off goes on where it was."""

import json
import signal
import subprocess
import sys
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import V2, Ask, ask
from tests.cli.judging import (
    CALIBRATION,
    Served,
    ServedJudge,
    asked_about,
    asked_once,
    by_tone,
    calibrate,
    edit_json,
    judge_server,
    judging_of,
    latest,
    part_in,
    part_of,
    record_of,
    said,
    served,
    shown,
    version_of,
)
from tests.servers.openai_server import OpenAIServer, SeenRequest

__all__ = ["ask", "asked_once", "judge_server", "served"]

CONCURRENCY = 4


def never(number: int) -> bool:
    return False


def stopped_after(
    project: ServedJudge, server: OpenAIServer, requests: int, how: signal.Signals
) -> tuple[int, Counter[str]]:
    """Run until so many questions arrived, then send the signal. The code, and what was asked."""
    children: list[subprocess.Popen[bytes]] = []
    seen = count(1)

    def stop(request: SeenRequest) -> str | None:
        number = next(seen)
        if number == requests:
            children[0].send_signal(how)
        # what has no answer yet keeps its place, so that no more is asked before the signal is seen
        return "slow:1" if number >= requests else None

    server.decide = stop
    command = [sys.executable, "-m", "evalkit", "run", *V2, "--quiet"]
    devnull = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=project.root, stdout=devnull, stderr=devnull) as child:
        children.append(child)
        code = child.wait(60)
    server.decide = lambda request: None
    return code, asked_about(server, 1) + asked_about(server, 2)


def journal(root: Path) -> list[dict[str, Any]]:
    """The judgments of the newest run."""
    path = root / ".evalkit/runs" / latest(root) / "judgments.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_while_judging_is_resumed(
    ask: Ask, served: Served, judge_server: OpenAIServer, how: signal.Signals
) -> None:
    project = served(good_v2=never, cases=60)
    project.config["run"]["concurrency"] = CONCURRENCY
    project.write()
    code, before = stopped_after(project, judge_server, 50, how)
    assert code == (-signal.SIGKILL if how is signal.SIGKILL else 130)
    assert 50 <= before.total() <= 50 + CONCURRENCY
    kept = len(journal(project.root))
    # what was in flight may be lost to a kill, and to nothing else
    assert before.total() - kept <= (CONCURRENCY if how is signal.SIGKILL else 0)
    run = latest(project.root)
    assert record_of(project.root)["verdict"] is None
    assert ask("gate", run, cwd=project.root).code == 2

    done = ask("run", "--resume", run, cwd=project.root)
    assert done.code == 1, done.out + done.err
    asked = asked_about(judge_server, 1) + asked_about(judge_server, 2)
    assert len(asked) == 120
    # a reply that a kill kept from being a judgment may be in the cache already
    assert 120 <= asked.total() <= 120 + before.total() - kept
    assert max(asked.values()) <= 2
    record = record_of(project.root)
    assert (record["id"], record["state"], record["exit_code"]) == (run, "complete", 1)
    taken = judging_of(project.root)
    assert taken["judgments"] == taken["calls"] == 120
    assert record["billed_usd"] == pytest.approx(taken["billed_usd"])
    whole = part_of(project.root)
    assert part_in(json.loads(ask("gate", run, "--json", cwd=project.root).out)) == whole
    assert ask("run", "--resume", run, cwd=project.root).code == 2  # there is nothing to resume
    # a run that nobody stopped comes to the same
    assert ask("run", *V2, cwd=project.root).code == 1
    assert part_of(project.root)["estimate"] == whole["estimate"]


def test_a_line_that_a_kill_tore_off_is_asked_again(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(good_v2=never, cases=40)
    assert ask("run", *V2, cwd=project.root).code == 1
    folder = project.root / ".evalkit/runs" / latest(project.root)
    whole, record = part_of(project.root), record_of(project.root)
    lines = (folder / "judgments.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "judgments.jsonl").write_bytes(b"".join(lines[:30]) + lines[30][:40])
    (folder / "run.json").write_text(json.dumps(record | {"state": "running", "verdict": None}))
    judge_server.seen.clear()
    assert ask("run", "--resume", "latest", cwd=project.root).code == 1
    assert len(judge_server.seen) == 0  # the cache has its replies
    assert part_of(project.root) == whole
    assert len(journal(project.root)) == 80


def test_a_server_that_goes_away_while_judging_is_waited_for(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(good_v2=never, cases=60)
    numbers = count()
    judge_server.decide = lambda request: None if next(numbers) < 30 else "status:401"
    done = ask("run", *V2, cwd=project.root)
    assert done.code == 4
    judged = part_of(project.root)["judged"]
    assert judged["baseline"]["judged"] + judged["candidate"]["judged"] == 30
    assert judged["baseline"]["errors"] + judged["candidate"]["errors"] == 90
    asked = len(judge_server.seen)
    judge_server.decide = lambda request: None
    assert ask("run", "--resume", "latest", cwd=project.root).code == 1
    assert len(judge_server.seen) - asked == 90
    assert part_of(project.root)["judged"]["candidate"]["judged"] == 60


def test_a_hiccup_leaves_a_whole_run_that_can_be_resumed(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    """Complete, as all was asked; and still open, as some of it was not answered."""
    project = served(cases=120)
    judge_server.decide = lambda request: "status:500" if version_of(request) == 2 else None
    assert ask("run", *V2, cwd=project.root).code == 3
    assert record_of(project.root)["state"] == "complete"
    judge_server.decide = lambda request: None
    judge_server.seen.clear()
    assert ask("run", "--resume", "latest", cwd=project.root).code == 0
    assert len(judge_server.seen) == 120


def test_a_retry_is_no_second_opinion(ask: Ask, served: Served, judge_server: OpenAIServer) -> None:
    project = served(cases=20)
    project.config["run"]["retries"] = 2
    project.write()
    tries: Counter[str] = Counter()

    def once(request: SeenRequest) -> str | None:
        tries[request.text] += 1
        return "rate_limit" if tries[request.text] == 1 else None

    judge_server.decide = once
    ask("run", *V2, cwd=project.root)
    assert set(tries.values()) == {2}
    assert judging_of(project.root)["calls"] == 40
    assert part_of(project.root)["judged"]["candidate"]["judged"] == 20


def test_a_judge_that_changed_does_not_go_on_with_another_ones_run(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(cases=40, good_v2=never)
    numbers = count()
    judge_server.decide = lambda request: None if next(numbers) < 20 else "status:401"
    assert ask("run", *V2, cwd=project.root).code == 4
    judge_server.decide = lambda request: None
    project.config["models"]["assessor"]["id"] = "assessor-2"
    project.write()
    judge_server.answer = lambda request: said("pass")
    asked = len(judge_server.seen)
    done = ask("run", "--resume", "latest", cwd=project.root)
    assert done.code == 2
    assert "the judges of suite ask changed" in done.err
    assert len(judge_server.seen) == asked


def test_a_measurement_that_went_bad_meanwhile_counts_for_what_is_resumed(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(cases=40, good_v2=never)
    numbers = count()
    judge_server.decide = lambda request: None if next(numbers) < 20 else "status:401"
    assert ask("run", *V2, cwd=project.root).code == 4
    judge_server.decide = lambda request: None
    drift = {"test": "mcnemar", "n": 140, "changed": 40, "p": 1e-9, "at": "2026-05-04"}
    edit_json(project.root, CALIBRATION, lambda found: found.update(drifted=drift))
    assert ask("run", "--resume", "latest", cwd=project.root).code == 3
    assert "no longer judged as measured" in part_of(project.root)["message"]


def test_a_drifting_judge_is_found_when_it_is_asked_again(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(cases=40, good_v2=never)
    judge_server.answer = lambda r: said("pass") if "Number 1" in shown(r) else by_tone(r)
    calibrate(project.root)
    assert ask("run", *V2, "--case", "c0002", cwd=project.root).code == 3
    assert ask("check", cwd=project.root).code == 0  # the cache says what it said
    again = ask("judge", "calibrate", "tone@v1", "--no-cache", cwd=project.root)
    assert again.code == 0
    assert ask("check", cwd=project.root).code == 2
    assert ask("run", *V2, cwd=project.root).code == 3
    assert "no longer judged as measured" in part_of(project.root)["message"]
