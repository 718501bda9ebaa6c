"""Applications that know nothing of evalkit, tested through the gateway that a run starts."""

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest

from evalkit.records.run import StoredRun
from evalkit.store.runs import RunStore
from tests.peers.gateway import EVALKIT, Upstream, upstream

CONFIG = """\
version: 1
providers: {{up: {{kind: openai, base_url: "{url}"}}}}
models:
  one: {{provider: up, id: up-model, price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}}
routes:
  - name: agent
    models: {{primary: one}}
    max_tokens: 300
    policies: {{pii_redaction: true, blocked_phrases: [falcon]}}
budgets: [{{scope: run, max_tokens: {max_tokens}}}]
run: {{retries: 0, concurrency: 4}}
suites:
  app:
    golden: app@v1
    route: agent
    target: {target}
    scorers: [{{contains: {{}}}}]
    gate: {{max_drop_pp: null, min_pass_rate: 0.9}}
"""
# The loop of any OpenAI SDK: ask, run the tool, ask again. Not a word of evalkit.
LOOP = """
import json
import openai

TOOL = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}

def answer(given):
    client = openai.OpenAI(max_retries=0)
    messages = [{"role": "user", "content": given["question"]}]
    while True:
        told = client.chat.completions.create(model="gpt-4.1", messages=messages, tools=[TOOL])
        message = told.choices[0].message
        if not message.tool_calls:
            return message.content
        messages.append({"role": "assistant", "tool_calls": [
            {"id": c.id, "type": "function", "function": {"name": c.function.name,
             "arguments": c.function.arguments}} for c in message.tool_calls]})
        for call in message.tool_calls:
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "sent"})
"""
COMMAND = """
import json, sys
from loop import answer
print(json.dumps({"output": answer(json.load(sys.stdin))}))
"""
CASES = 6


def calls(id_: str) -> dict[str, Any]:
    function = {"name": "lookup", "arguments": '{"id": 1}'}
    return {"content": None, "tool_calls": [{"id": id_, "type": "function", "function": function}]}


class Shop(Upstream):
    """Asks for a tool first, and answers once it has the tool's result."""

    def next(self) -> Any:
        return (
            "your order was sent"
            if any(message["role"] == "tool" for message in self.bodies[-1]["messages"])
            else calls("c1")
        )


def run(root: Path, url: str, target: str, *, max_tokens: int = 100_000) -> tuple[int, StoredRun]:
    files = {
        "evalkit.yaml": CONFIG.format(url=url, target=target, max_tokens=max_tokens),
        "goldensets/app/v1/set.yaml": "name: app\nversion: 1\ndescription: Orders.\n",
        "goldensets/app/v1/cases.jsonl": "".join(
            json.dumps(
                {
                    "id": f"c{number}",
                    "input": {"question": f"Where is order {number}? I am kim{number}@example.org"},
                    "expected": {"contains": ["sent"]},
                }
            )
            + "\n"
            for number in range(CASES)
        ),
        "loop.py": LOOP,
        "agent.py": COMMAND,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [*EVALKIT, "run", "--no-baseline", "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    runs = RunStore(root)
    return done.returncode, runs.open("latest").load_whole()


@pytest.fixture
def up() -> Iterator[Upstream]:
    with upstream(kind=Shop) as it:
        yield it


class Application(BaseHTTPRequestHandler):
    """An application that takes the address of its models from each request, as one does that is
    told where to find them by its caller."""

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["content-length"])))
        base = self.headers["x-evalkit-base-url"]
        with openai.OpenAI(base_url=f"{base}/v1", api_key="its own", max_retries=0) as client:
            asked: Any = [{"role": "user", "content": given["question"]}]
            for _ in range(2):
                told = client.chat.completions.create(model="gpt-4.1", messages=asked)
                message = told.choices[0].message
                if message.tool_calls:
                    turn = message.model_dump(exclude_none=True, include={"role", "tool_calls"})
                    result = {"role": "tool", "tool_call_id": "c1", "content": "sent"}
                    asked = [*asked, turn, result]
        raw = json.dumps({"output": message.content}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def target_of(kind: str, request: pytest.FixtureRequest) -> str:
    if kind == "python":
        return '{python: {call: "loop:answer", gateway: true, processes: 2}}'
    if kind == "command":
        return '{command: {argv: ["python", "agent.py"], gateway: true}}'
    server = ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    request.addfinalizer(server.server_close)
    request.addfinalizer(server.shutdown)
    return f'{{http: {{url: "http://127.0.0.1:{server.server_port}/", gateway: true}}}}'


@pytest.mark.parametrize("kind", ["python", "command", "http"])
def test_its_own_model_calls_are_traced_priced_and_held_to_the_policies(
    up: Upstream, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    code, stored = run(tmp_path, up.url, target_of(kind, request))
    assert code == 0
    assert len(stored.attempts) == CASES
    for attempt in stored.attempts:
        assert attempt.state == "answered"
        assert attempt.model == "one"
        assert attempt.usage.total == 2 * 18, "both calls of the loop are its"
        assert attempt.cost_usd == pytest.approx(2 * (11 + 2 * 7) / 1e6)
        assert [call.name for call in attempt.tool_calls] == ["lookup"]
        assert attempt.allowed_tools == ("lookup",), "it ran the tool: its result came back"
    assert len(up.bodies) == 2 * CASES
    assert "@example.org" not in str(up.bodies), "personal data left in no direction"
    asked = {body["messages"][0]["content"] for body in up.bodies}
    assert len(asked) == CASES


def test_a_policy_s_no_is_the_attempt_s(up: Upstream, tmp_path: Path) -> None:
    up.next = lambda: "about the falcon"  # type: ignore[method-assign]
    target = '{python: {call: "loop:answer", gateway: true}}'
    code, stored = run(tmp_path, up.url, target)
    assert code == 1
    assert {attempt.state for attempt in stored.attempts} == {"blocked"}
    assert {attempt.rule for attempt in stored.attempts} == {"policies.blocked_phrases"}


def test_the_budget_of_the_run_holds_what_a_program_asks(up: Upstream, tmp_path: Path) -> None:
    target = '{command: {argv: ["python", "agent.py"], gateway: true}}'
    code, stored = run(tmp_path, up.url, target, max_tokens=1_250)
    assert code == 4
    assert len(up.bodies) < 2 * CASES
    spent = sum(attempt.usage.total for attempt in stored.attempts)
    assert 0 < spent <= 1_250
    assert msgspec.json.encode(stored.record).count(b"budget exhausted") >= 1


def test_a_provider_that_is_down_is_no_result_whatever_the_program_made_of_it(
    up: Upstream, tmp_path: Path
) -> None:
    up.next = lambda: 503  # type: ignore[method-assign]
    target = '{python: {call: "loop:answer", gateway: true}}'
    code, stored = run(tmp_path, up.url, target)
    assert code == 4
    assert {attempt.state for attempt in stored.attempts} == {"error"}
