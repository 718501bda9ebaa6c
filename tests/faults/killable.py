"""The project that is killed, its server, and what a run of it says."""

import json
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.cli.agents import agent_file, write
from tests.cli.judged import reply
from tests.cli.judging import ServedJudge, by_tone, calibrate
from tests.servers.openai_server import OpenAIServer, SeenRequest

CONCURRENCY = 24
PAUSE_S = 0.03
_NUMBER = re.compile(r"Is (\d+) less than")
_VERSION = re.compile(r"\bv(\d) ")


class Child:
    """A process that gets its signals once, `PAUSE_S` apart."""

    def __init__(self, process: subprocess.Popen[bytes], how: Sequence[signal.Signals]) -> None:
        self.process = process
        self._first, self._more = how[0], how[1:]
        self._struck = False

    def strike(self) -> None:
        """Now. Returns when the first signal was sent."""
        if not self._struck:
            self._struck = True
            self.process.send_signal(self._first)
            threading.Thread(target=self._send_more).start()

    def _send_more(self) -> None:
        for each in self._more:
            time.sleep(PAUSE_S)
            self.process.send_signal(each)


class Provider:
    """The server with its manners, and how often it gave an answer to each request."""

    def __init__(self) -> None:
        self.server = OpenAIServer()
        self.server.decide, self.server.answer = self._decide, self._answer
        self.answered: Counter[str] = Counter()
        self.requests = 0
        self.kill_at: tuple[int, Child] | None = None
        self._limited: set[str] = set()
        self.server.start()

    def begin(self) -> None:
        """Forget all that was asked."""
        self.answered.clear()
        self._limited.clear()
        self.requests = 0
        self.server.seen.clear()

    def _decide(self, request: SeenRequest) -> str | None:
        self.requests += 1
        if self.kill_at is not None and self.requests >= self.kill_at[0]:
            self.kill_at[1].strike()
        act = self._act(request)
        if act.split(":")[0] in ("ok", "slow", "tool_call"):
            self.answered[request.text] += 1
        return act

    def _act(self, request: SeenRequest) -> str:
        model = request.body["model"]
        if model == "assessor":
            return "slow:0.01"
        number = int(_NUMBER.search(request.prompt).group(1))  # type: ignore[union-attr]
        if model == "tiny":
            if number % 7 == 3 and request.text not in self._limited:
                self._limited.add(request.text)
                return "rate_limit:0"
            return "slow:0.01"
        if model == "shaky" and number % 5 == 2:
            return "status:503"
        if request.body["messages"][-1]["role"] == "tool":
            return "slow:0.02"
        return 'tool_call:get_order {"id": "A-1"}'

    def _answer(self, request: SeenRequest) -> str:
        if request.body["model"] == "assessor":
            return by_tone(request)
        number = int(_NUMBER.search(request.prompt).group(1))  # type: ignore[union-attr]
        if request.body["model"] != "tiny":
            return "yes"
        version = int(_VERSION.search(request.prompt).group(1))  # type: ignore[union-attr]
        return reply(number, good=number % 5 != 0, version=version)


def make_project(root: Path, url: str, *, cases: int) -> None:
    """The project, with its judge measured."""
    project = ServedJudge(root, url=url, cases=cases)
    price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 4}
    config = project.config
    for name in ("tiny", "shaky", "steady", "assessor"):
        config["models"][name] = {"provider": "served", "price": price}
    config["routes"].append(
        {
            "name": "orders",
            "models": {"primary": "shaky", "fallback": "steady"},
            "max_tokens": 60,
            "policies": {"pii_redaction": True},
        }
    )
    config["routes"][0]["max_tokens"] = 60
    config["suites"]["ask"]["trials"] = 2
    config["suites"]["orders"] = {
        "golden": "orders@v1",
        "route": "orders",
        "target": {"agent": "orders@v1"},
        "trials": 2,
        "scorers": [{"exact": {}}, {"tool_calls": {}}],
        "baseline": {"set": {"suites.orders.target.agent": "orders@v2"}},
        "gate": {"max_drop_pp": 20},
        "fallback": "accept",
    }
    config["run"] = {"concurrency": CONCURRENCY, "timeout_s": 5.0, "retries": 1}
    config["breaker"] = None
    config["budgets"] = [
        {"scope": "run", "max_usd": 5},
        {"scope": "workflow", "max_usd": 50, "window": "day"},
    ]
    project.write()
    write(project, "tools/get_order.json", json.dumps({"name": "get_order", "effect": "read"}))
    for version in (1, 2):
        text = agent_file(
            name="orders",
            version=version,
            tools=["tools/get_order.json"],
            messages=[{"role": "user", "content": f"v{version} {{{{ input.question }}}}"}],
        )
        write(project, f"agents/orders/v{version}.yaml", text)
    set_file = {"name": "orders", "version": 1, "description": "Orders."}
    write(project, "goldensets/orders/v1/set.yaml", yaml.safe_dump(set_file))
    rows = [
        project.case(number)
        | {
            "tools": {"get_order": [{"when": {"id": "A-1"}, "returns": {"to": "j@example.com"}}]},
            "expected": {
                "output": "yes",
                "tool_calls": [{"name": "get_order", "arguments": {"id": "A-1"}}],
            },
        }
        for number in range(cases)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    write(project, "goldensets/orders/v1/cases.jsonl", lines)
    calibrate(root)
    shutil.rmtree(root / ".evalkit")


def results_of(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """What a run says, without times, ids and what a lost call adds to the bill."""
    attempts = [json.loads(line) for line in (folder / "attempts.jsonl").read_text().splitlines()]
    places = Counter(
        (each["suite"], each["variant"], each["case"], each["trial"])
        for each in attempts
        if each["state"] != "error"
    )
    told = ("state", "output", "usage", "cost_usd", "model", "key", "origin", "tool_calls")
    judgments = {
        (row["scorer"], row["suite"], row["variant"], row["case"], row["trial"]): (
            row["opinion"]["state"],
            row["opinion"].get("passed"),
            row["subject"],
        )
        for row in map(json.loads, (folder / "judgments.jsonl").read_text().splitlines())
    }
    suites = json.loads(json.dumps(record["suites"]))
    for suite in suites:
        for totals in (*suite["totals"], suite.get("judging") or {}):
            for name in [n for n in totals if "billed" in n or "latency" in n]:
                del totals[name]
            for name, value in totals.items():
                if isinstance(value, float):  # the order of what is added up is another one
                    totals[name] = round(value, 12)
    return {
        "places": sorted(places.items()),
        "attempts": sorted(
            [
                [each["suite"], each["variant"], each["case"], each["trial"]]
                + [each.get(name) for name in told]
                + [[hop["code"] for hop in each.get("fallbacks", [])]]
                for each in attempts
            ],
            key=repr,
        ),
        "scores": sorted((folder / "scores.jsonl").read_text().splitlines()),
        "judgments": judgments,
        "verdict": record["verdict"],
        "totals": [suite["totals"] for suite in suites],
        "judging": [suite.get("judging") for suite in suites],
        "state": record["state"],
    }
