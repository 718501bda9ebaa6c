"""Thirty requests of OpenAI's own client to a gateway, and what CI makes of them afterwards."""

import json
import re
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
import yaml

from evalkit.cli.main import run as run_command
from evalkit.store.runs import RunStore
from evalkit.store.traces import TraceStore
from tests.peers.gateway import Upstream, add_key, serving, upstream

TOPICS = ("parcel", "invoice", "login")
SYSTEM = {"topic": "Name the topic as JSON.", "orders": "You help with orders."}
GET_ORDER: dict[str, Any] = {
    "name": "get_order",
    "description": "An order.",
    "parameters": {"type": "object", "properties": {"id": {"type": "string"}}},
}


@dataclass
class Desk(Upstream):
    """It names topics and looks up orders; of whoever it is told to be BAD it gets all wrong."""

    def next(self) -> Any:
        body = self.bodies[-1]
        text = " ".join(str(each.get("content")) for each in body["messages"])
        last, bad = body["messages"][-1], "BAD" in text
        if SYSTEM["topic"] in text:
            topic = next(each for each in TOPICS if each in text)
            return json.dumps({"topic": "none" if bad else topic})
        if last["role"] == "tool":
            return "It is late."
        if "when" in last["content"]:
            return "It comes on Monday."
        order = re.findall(r"A-\d+", text)[-1]
        arguments = json.dumps({"id": f"{order}0" if bad else order})
        function = {"name": "get_order", "arguments": arguments}
        return {"tool_calls": [{"id": f"c-{order}", "type": "function", "function": function}]}


def write(root: Path, url: str, *tested: str) -> None:
    """The project, with suites on these of its routes."""
    price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
    suites: dict[str, Any] = {}
    for name, kind, scorers in (
        ("topic", "prompt", [{"exact": {"fields": ["topic"]}}]),
        ("orders", "agent", [{"tool_calls": {}}, {"similarity": {"min": 0.8}}]),
    ):
        suites[name] = {
            "golden": f"{name}@v1",
            "route": name,
            "target": {kind: f"{name}@v1"},
            "scorers": scorers,
            "gate": {"max_drop_pp": 40, "min_pass_rate": 0.2},
        }
    routes: list[dict[str, Any]] = [
        {"name": name, "use": "evaluation", "models": {"primary": "tiny"}, "max_tokens": 60}
        for name in suites
    ]
    routes.append({"name": "private", "models": {"primary": "tiny"}, "max_tokens": 60})
    files = {
        "evalkit.yaml": yaml.safe_dump(
            {
                "version": 1,
                "providers": {"up": {"kind": "openai", "base_url": url}},
                "models": {"tiny": {"provider": "up", "price": price}},
                "telemetry": {"content": "redacted"},
                "budgets": [{"scope": "run", "max_usd": 1.0}],
                "routes": routes,
                "suites": {name: suites[name] for name in tested},
            }
        ),
        "tools/get_order.json": json.dumps(GET_ORDER | {"effect": "read"}),
        "goldensets/topic/v1/set.yaml": "name: topic\nversion: 1\nquota: {start: 1, per_week: 2}\n",
        "goldensets/topic/v1/cases.jsonl": json.dumps(
            {"id": "one", "input": {"text": "My parcel?"}, "expected": {"topic": "parcel"}}
        )
        + "\n",
    }
    for version in (1, 2):
        for name, folder in (("topic", "prompts"), ("orders", "agents")):
            system = ("BAD " if version == 2 else "") + SYSTEM[name]
            asset: dict[str, Any] = {
                "name": name,
                "version": version,
                "messages": [
                    {"role": "system", "content": system},
                    {"role": "user", "part": "input", "content": "{{ input.text }}"},
                ],
            }
            if name == "topic":
                asset["output"] = {"kind": "json"}
            else:
                asset["tools"] = ["tools/get_order.json"]
            files[f"{folder}/{name}/v{version}.yaml"] = yaml.safe_dump(asset)
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")


def ask_topics(client: openai.OpenAI) -> None:
    """Twelve questions, every third as a stream, and one through another prompt."""
    for number in range(12):
        text = f"The {TOPICS[number % 3]} of kim{number}@example.org is lost in street {number}"
        asked: Any = [
            {"role": "system", "content": SYSTEM["topic"]},
            {"role": "user", "content": text},
        ]
        if number % 3:
            client.chat.completions.create(model="topic", messages=asked)
        else:
            list(client.chat.completions.create(model="topic", messages=asked, stream=True))
    other: Any = [{"role": "user", "content": f"{SYSTEM['topic']} My parcel!"}]
    client.chat.completions.create(model="topic", messages=other)


def ask_orders(client: openai.OpenAI) -> None:
    """Five conversations of three requests, two of them kept as sessions by the gateway."""
    tools: Any = [{"type": "function", "function": GET_ORDER}]
    for number in range(5):
        headers = {"x-evalkit-session": f"s-{number}"} if number < 2 else {}
        said: list[Any] = [
            {"role": "system", "content": SYSTEM["orders"]},
            {"role": "user", "content": f"Where is A-{number}?"},
        ]
        for turn in range(3):
            done = client.chat.completions.create(
                model="orders", messages=said, tools=tools, extra_headers=headers
            )
            message = done.choices[0].message
            said.append(message.model_dump(exclude_none=True))
            if turn == 0:
                assert message.tool_calls
                call = message.tool_calls[0].id
                said.append({"role": "tool", "tool_call_id": call, "content": '{"late": true}'})
            elif turn == 1:
                said.append({"role": "user", "content": "And when does it come?"})


@pytest.fixture(scope="module")
def produced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose gateway was asked thirty times, and one conversation of it is a case; its
    models still answer."""
    root = tmp_path_factory.mktemp("production")
    with upstream(Desk) as up:
        write(root, up.url, "topic")
        key = add_key(root, "--user", "u1", "--team", "support")
        with serving(root) as (url, _), openai.OpenAI(base_url=url, api_key=key) as client:
            ask_topics(client)
            ask_orders(client)
            for number in range(2):
                hello: Any = [{"role": "user", "content": f"{SYSTEM['topic']} login {number}"}]
                client.chat.completions.create(model="private", messages=hello)
        last = next(each for each in TraceStore(root).newest() if each.route == "orders")
        write(root, up.url, "topic", "orders")
        add = ("golden", "add", "orders", "--from-trace", last.trace_id, "--new", "--expect-answer")
        with chdir(root):
            assert run_command(add) == 0
        yield root


def said(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """What a command ended with, and all that it wrote, on one line."""
    capsys.readouterr()
    with chdir(root):
        code = run_command(list(arguments))
    written = capsys.readouterr()
    return code, " ".join(f"{written.out} {written.err}".split())


def test_a_replay_passes_what_answers_as_production_did_and_fails_what_does_not(
    produced: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(produced, capsys, "replay", "topic", "--plan")[1].startswith("12 attempts")
    code, words = said(produced, capsys, "replay", "topic")
    assert (code, "12 of the 13 sessions" in words) == (3, True), words
    assert said(produced, capsys, "replay", "topic", "--min-played", "90")[0] == 0
    worse = ("--set", "suites.topic.target.prompt=topic@v2")
    assert said(produced, capsys, "replay", "topic", *worse)[0] == 1
    code, words = said(produced, capsys, "replay", "orders")
    assert code == 0, words
    # two sessions, and nine requests that tell three
    assert "replay of 11 of 11 stored sessions (6 of them requests of a longer one)" in words
    usage = {each.usage.total for each in RunStore(produced).open("latest").load().attempts}
    assert len(usage) == 1, "production and the candidate took three calls each"
    worse = ("--set", "suites.orders.target.agent=orders@v2")
    code, words = said(produced, capsys, "replay", "orders", *worse)
    assert (code, "in 5 attempts the candidate called tools" in words) == (1, True), words
    code, words = said(produced, capsys, "replay", "topic", "--route", "private")
    assert (code, "marked `use: none` (2:" in words) == (2, True), words


def test_a_session_that_became_a_reviewed_case_is_run_as_it_was(
    produced: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, words = said(produced, capsys, "check")
    assert (code, "nobody has confirmed" in words) == (0, True), words
    assert said(produced, capsys, "golden", "freeze", "orders@v1")[0] == 2
    path = produced / "goldensets/orders/v1/cases.jsonl"
    path.write_text(path.read_text().replace(',"expected":"draft"', ""))
    assert said(produced, capsys, "golden", "freeze", "orders@v1")[0] == 0
    code, words = said(produced, capsys, "golden", "stats", "orders@v1")
    assert (code, "trace 1" in words, "199 cases behind" in words) == (0, True, True), words
    said(produced, capsys, "run", "orders", "--no-baseline")
    (attempt,) = RunStore(produced).open("latest").load_whole().attempts
    assert attempt.output == "It comes on Monday."
    assert [each.kind for each in attempt.steps] == ["model", "tool", "model", "user", "model"]
