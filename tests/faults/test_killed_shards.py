"""Shards of a run under fault: killed, out of budget, failing, and what merging makes of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import V2, Ask, ask
from tests.cli.project import ProjectFiles
from tests.faults.conftest import served
from tests.servers.openai_server import OpenAIServer, SeenRequest

__all__ = ["ask", "served"]


def runs(project: ProjectFiles) -> list[Path]:
    return sorted((project.root / ".evalkit/runs").iterdir())


def record_of(bundle: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((bundle / "run.json").read_text())
    return record


def without_amounts(suites: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what two runs of one server differ in: how long calls took, and what those cost that
    were in flight when one was killed."""
    text = json.loads(json.dumps(suites))
    for suite in text:
        for totals in suite["totals"]:
            totals["latency_p50_s"] = totals["latency_p95_s"] = totals["billed_usd"] = None
    return list(text)


def billed(record: dict[str, Any]) -> float:
    """What the arms of its suites were charged."""
    return sum(totals["billed_usd"] for suite in record["suites"] for totals in suite["totals"])


def test_a_killed_shard_is_refused_resumed_and_merged_as_if_nothing_had_happened(
    ask: Ask, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.config["run"]["concurrency"] = 4
    served.config["budgets"] = [{"scope": "run", "max_usd": 2.0}]
    served.write()
    shard = ("run", "--quiet", "--no-cache", *V2, "--trials", "1", "--shard")
    assert ask(*shard, "1/2", cwd=served.root).code == 0
    first = openai_server.books.requests
    children: list[subprocess.Popen[bytes]] = []

    def kill(request: SeenRequest) -> None:
        if openai_server.books.requests >= first + 30:
            for child in children:
                os.kill(child.pid, signal.SIGKILL)

    openai_server.decide = kill
    children.append(
        subprocess.Popen(
            [sys.executable, "-m", "evalkit", *shard, "2/2"],
            cwd=served.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )
    assert children[0].wait() == -signal.SIGKILL
    openai_server.decide = lambda request: None
    one, two = runs(served)
    refused = ask("merge", one.name, two.name, cwd=served.root)
    assert refused.code == 2
    assert "is running, so not all of its attempts were made" in refused.err
    assert f"evalkit run --resume {two.name}" in refused.err
    assert runs(served) == [one, two]
    resumed = ask("run", "--quiet", "--resume", two.name, cwd=served.root)
    assert resumed.code == 0, resumed.err
    assert record_of(two)["shard"] == {"index": 2, "of": 2}
    assert openai_server.books.requests <= 200 + 2 * 4, "only what was in flight is asked twice"
    merged = ask("merge", one.name, two.name, cwd=served.root)
    assert merged.code == 0, merged.out + merged.err
    # undisturbed, where no earlier run lends anything
    undisturbed = served.root.parent / "undisturbed"
    shutil.copytree(served.root, undisturbed, ignore=shutil.ignore_patterns(".evalkit"))
    again = ask("run", "--quiet", "--no-cache", *V2, "--trials", "1", cwd=undisturbed)
    assert again.code == 0
    (bundle,) = (undisturbed / ".evalkit/runs").iterdir()
    joined, whole = record_of(runs(served)[2]), record_of(bundle)
    assert without_amounts(joined["suites"]) == without_amounts(whole["suites"])
    assert joined["verdict"] == whole["verdict"]
    # calls that were in flight when it was killed are charged, and those that took their place
    assert joined["billed_usd"] == pytest.approx(billed(joined))
    assert joined["billed_usd"] >= whole["billed_usd"] > 0
    lines = (runs(served)[2] / "attempts.jsonl").read_text().splitlines()
    places = [json.loads(line) for line in lines]
    assert len({(p["variant"], p["case"], p["trial"]) for p in places}) == len(places) == 200
    more = ask("run", "--resume", runs(served)[2].name, cwd=served.root)
    assert more.code == 2
    assert "was merged from shards" in more.err


def test_shards_keep_to_their_share_of_the_cap_and_one_that_ran_out_is_not_merged(
    ask: Ask, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.config["budgets"] = [{"scope": "run", "max_usd": 0.001}]
    served.config["run"]["concurrency"] = 1
    served.write()
    codes = [
        ask("run", "-q", "--no-cache", *V2, "--shard", f"{i}/2", cwd=served.root).code
        for i in (1, 2)
    ]
    records = [record_of(bundle) for bundle in runs(served)]
    assert sum(record["budget_usd"] for record in records) <= 0.001
    assert sum(record["billed_usd"] for record in records) <= 0.001
    assert codes == [4, 4], [record["stopped"] for record in records]
    merged = ask("merge", ".evalkit/runs", cwd=served.root)
    assert merged.code == 2
    assert "is incomplete, so not all of its attempts were made" in merged.err


def test_errors_of_shards_add_up_to_an_incomplete_run_that_their_resumption_heals(
    ask: Ask, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.config["run"]["retries"] = 0
    served.config["breaker"] = None
    served.write()
    openai_server.decide = lambda request: "status:400" if "Is 7" in request.prompt else None
    shard = ("run", "-q", "--no-cache", *V2, "--shard")
    for index in (1, 2):
        done = ask(*shard, f"{index}/2", cwd=served.root)
        assert done.code == 0, done.err
    one, two = runs(served)
    merged = ask("merge", one.name, two.name, cwd=served.root)
    assert merged.code == 4, merged.out
    assert record_of(runs(served)[2])["state"] == "incomplete"
    assert "evalkit run --resume" in merged.out
    openai_server.decide = lambda request: None
    for bundle in (one, two):
        assert ask("run", "-q", "--resume", bundle.name, cwd=served.root).code == 0
    merged = ask("merge", one.name, two.name, cwd=served.root)
    assert merged.code == 0, merged.out
    healed = record_of(runs(served)[3])
    assert [totals["errors"] for totals in healed["suites"][0]["totals"]] == [0, 0]


def test_what_earlier_runs_lend_is_lent_to_shards_as_to_a_whole_run(
    ask: Ask, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.write()
    options = ("run", "-q", "--no-cache", *V2, "--trials", "1")
    openai_server.answer = lambda request: "no" if "v2 Is 7" in request.prompt else "yes"
    assert ask(*options, cwd=served.root).code == 1
    (earlier,) = runs(served)
    openai_server.answer = lambda request: "yes"
    undivided = served.root.parent / "undivided"
    shutil.copytree(served.root, undivided)
    for index in (1, 2):
        assert ask(*options, "--shard", f"{index}/2", cwd=served.root).code == 0
    _, one, two = runs(served)
    merged = ask("merge", one.name, two.name, cwd=served.root)
    whole = ask(*options, cwd=undivided)
    assert merged.code == whole.code
    joined = record_of(runs(served)[3])
    alone = record_of(max((undivided / ".evalkit/runs").iterdir()))
    assert without_amounts(joined["suites"]) == without_amounts(alone["suites"])
    assert joined["verdict"] == alone["verdict"]
    pooled = [variant["pooled"] for variant in joined["suites"][0]["variants"]]
    assert {earlier.name: 100} in pooled


def test_an_interrupted_shard_is_130_and_goes_on(
    ask: Ask, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.write()
    children: list[subprocess.Popen[bytes]] = []

    def interrupt(request: SeenRequest) -> None:
        if openai_server.books.requests == 20:
            children[0].send_signal(signal.SIGINT)

    openai_server.decide = interrupt
    children.append(
        subprocess.Popen(
            [sys.executable, "-m", "evalkit", "run", "-q", "--no-cache", *V2, "--shard", "1/1"],
            cwd=served.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )
    assert children[0].wait() == 130
    (bundle,) = runs(served)
    refused = ask("merge", bundle.name, cwd=served.root)
    assert (refused.code, "is interrupted, so not all" in refused.err) == (2, True)
    assert ask("run", "-q", "--resume", bundle.name, cwd=served.root).code == 0
    assert ask("merge", bundle.name, cwd=served.root).code == 0


def test_a_merge_that_was_killed_decides_nothing_and_is_made_again(
    ask: Ask, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.write()
    for index in (1, 2):
        shard = ("run", "-q", "--no-cache", *V2, "--shard", f"{index}/2")
        assert ask(*shard, cwd=served.root).code == 0
    one, two = runs(served)
    merge = ("merge", one.name, two.name)
    child = subprocess.Popen(
        [sys.executable, "-m", "evalkit", *merge],
        cwd=served.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while len(begun := list((served.root / ".evalkit/runs").glob("*/run.json"))) == 2:
        assert child.poll() is None, begun
    child.kill()
    assert child.wait() == -signal.SIGKILL
    half = runs(served)[2]
    gated = ask("gate", half.name, cwd=served.root)
    assert gated.code in (2, 4), "by how far it came"
    assert f"evalkit merge {one.name} {two.name}" in gated.err or gated.code == 4
    resumed = ask("run", "--resume", half.name, cwd=served.root)
    assert (resumed.code, "merge" in resumed.err) == (2, True), resumed.err
    assert ask(*merge, cwd=served.root).code == 0
    assert record_of(runs(served)[3])["state"] == "complete"
