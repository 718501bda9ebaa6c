"""An agent that runs elsewhere and asks the gateway: tools, documents, approvals, sessions."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from evalkit.store.traces import TraceStore
from evalkit.workflows.golden.adding import add_from_trace
from evalkit.workflows.traces.making import Wanted
from evalkit.workflows.wiring import SystemClock
from tests.peers.gateway import Gateway, Upstream, gateway, upstream

MORE = """
approvers: {legal_ops: [kim]}
telemetry: {content: redacted}
"""
ROUTE = """\
  - name: agent
    models: {primary: one}
    max_tokens: 500
    max_tool_calls: 2
    use: evaluation
    policies: {pii_redaction: true, disallow_actions: [wipe]}
    approvals: {on_execute: legal_ops}
    retrieval: {allow_indexes: [kb], max_chunks: 2}
run: {retries: 0}
"""
READS: Any = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}
SENDS: Any = {"type": "function", "function": {"name": "send", "parameters": {"type": "object"}}}
HELLO: Any = [{"role": "user", "content": "hello"}]


def calls(name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": function}]}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Upstream, Gateway]]:
    root: Path = tmp_path_factory.mktemp("gateway")
    tool = {
        "name": "lookup",
        "effect": "read",
        "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}},
    }
    (root / "tools").mkdir()
    (root / "tools/lookup.json").write_text(json.dumps(tool))
    with upstream() as up, gateway(root, up.url, MORE, routes=ROUTE) as door:
        yield up, door


@pytest.fixture
def up(served: tuple[Upstream, Gateway]) -> Upstream:
    served[0].says = ["fine"]
    served[0].bodies.clear()
    return served[0]


@pytest.fixture
def http(served: tuple[Upstream, Gateway]) -> Iterator[httpx.Client]:
    door = served[1]
    headers = {"authorization": f"Bearer {door.key}"}
    with httpx.Client(base_url=door.url, headers=headers, timeout=20) as client:
        yield client


def in_session(name: str) -> dict[str, str]:
    return {"x-evalkit-session": name}


def complete(http: httpx.Client, session: str, *tools: Any) -> httpx.Response:
    body = {"model": "agent", "messages": HELLO, "tools": list(tools)}
    return http.post("/chat/completions", json=body, headers=in_session(session))


def authorize(http: httpx.Client, session: str | None, call: Any, **more: Any) -> httpx.Response:
    headers = {} if session is None else in_session(session)
    body = {"route": "agent", "call": call} | more
    return http.post("/evalkit/tools/authorize", json=body, headers=headers)


def test_a_tool_that_the_model_was_offered_in_the_session_may_run(
    up: Upstream, http: httpx.Client
) -> None:
    up.says = [calls("lookup", '{"id": 1}')]
    asked = complete(http, "s1", READS).json()
    (call,) = asked["choices"][0]["message"]["tool_calls"]
    told = authorize(http, "s1", {"id": call["id"]} | call["function"])
    assert (told.status_code, told.json()) == (200, {"allowed": True})
    other = authorize(http, "s2", {"id": call["id"]} | call["function"])
    assert other.status_code == 403
    assert other.json()["error"]["rule"] == "tools.declared"


def test_calls_of_one_session_add_up_to_its_caps(up: Upstream, http: httpx.Client) -> None:
    complete(http, "caps", READS)
    asked = [
        authorize(http, "caps", {"id": str(n), "name": "lookup", "arguments": {"id": n}})
        for n in range(3)
    ]
    assert [each.status_code for each in asked] == [200, 200, 403]
    assert asked[-1].json()["error"]["rule"] == "max_tool_calls"
    assert asked[-1].headers["x-should-retry"] == "false"


def test_without_a_session_the_application_says_what_was_offered(
    up: Upstream, http: httpx.Client
) -> None:
    call = {"id": "1", "name": "lookup", "arguments": {"id": "x"}}
    refused = authorize(http, None, call, tools=[READS["function"]])
    assert refused.status_code == 403, "the project's own schema of the tool holds"
    assert refused.json()["error"]["rule"] == "tools.arguments"
    call["arguments"] = {"id": 5}
    assert authorize(http, None, call, tools=[READS["function"]]).status_code == 200


def test_a_tool_s_result_comes_back_redacted(up: Upstream, http: httpx.Client) -> None:
    body = {
        "route": "agent",
        "call": {"id": "1", "name": "lookup", "arguments": {}},
        "result": {"mail": "kim@example.org"},
    }
    told = http.post("/evalkit/tools/result", json=body)
    assert json.loads(told.json()["message"]["content"]) == {"mail": "[EMAIL_1]"}


def test_documents_that_were_looked_up_elsewhere_are_held_to_the_contract(
    up: Upstream, http: httpx.Client
) -> None:
    found = [{"id": f"d{n}", "text": f"about {n}"} for n in range(4)]
    found[1]["scopes"] = ["hr"]  # type: ignore[assignment]
    body = {"route": "agent", "index": "kb", "query": "x", "documents": found}
    told = http.post("/evalkit/retrieve/check", json=body).json()
    assert [each["id"] for each in told["documents"]] == ["d0", "d2"]
    assert told["left_out"] == ["d1", "d3"]
    refused = http.post("/evalkit/retrieve/check", json=body | {"index": "payroll"})
    assert refused.status_code == 403
    assert refused.json()["error"]["rule"] == "retrieval.allow_indexes"


def test_an_execution_waits_until_its_team_has_granted_it(
    up: Upstream, http: httpx.Client, served: tuple[Upstream, Gateway]
) -> None:
    door = served[1]
    call = {"id": "9", "name": "send", "arguments": {"to": "all"}}
    waits = authorize(http, "exec", call, tools=[SENDS["function"]])
    assert waits.status_code == 403
    id_ = waits.json()["error"]["approval"]
    stranger = http.post(f"/evalkit/approvals/{id_}/grant")
    assert stranger.status_code == 403, "the asking key is of another team"
    assert "send" not in stranger.text
    assert http.get("/evalkit/approvals").json() == {"approvals": []}
    kim = {"x-api-key": door.add_key("--user", "kim", "--team", "legal_ops")}
    with httpx.Client(base_url=door.url, headers=kim, timeout=20) as theirs:
        (waiting,) = theirs.get("/evalkit/approvals").json()["approvals"]
        assert waiting["id"] == id_
        assert theirs.post("/evalkit/approvals/ap-/grant").status_code == 403, "no whole id"
        assert theirs.post(f"/evalkit/approvals/{id_}/grant").json()["state"] == "granted"
    assert authorize(http, "exec", call, tools=[SENDS["function"]]).status_code == 200
    assert authorize(http, "exec2", call, tools=[SENDS["function"]]).status_code == 403


def test_a_session_ends_when_told_and_leaves_one_trace(
    up: Upstream, http: httpx.Client, served: tuple[Upstream, Gateway]
) -> None:
    traces = served[1].root / ".evalkit/traces"
    before = sum(len(file.read_text().splitlines()) for file in traces.glob("*.jsonl"))
    complete(http, "told", READS)
    complete(http, "told", READS)
    ended = http.request("DELETE", "/evalkit/session", headers=in_session("told"))
    assert ended.json() == {"ended": True}
    again = http.request("DELETE", "/evalkit/session", headers=in_session("told"))
    assert again.json() == {"ended": False}
    after = sum(len(file.read_text().splitlines()) for file in traces.glob("*.jsonl"))
    assert after == before + 1


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/evalkit/tools/authorize", {"route": "agent"}, "call"),
        ("/evalkit/tools/authorize", {"route": "agent", "call": {"name": 1}}, "call.name"),
        ("/evalkit/retrieve", {"route": "agent", "index": "kb"}, "query"),
        ("/evalkit/retrieve", {"route": "agent", "index": "kb", "query": "x", "k": 3}, "k"),
    ],
)
def test_what_is_missing_or_unknown_is_named(
    up: Upstream, http: httpx.Client, path: str, body: Any, param: str
) -> None:
    told = http.post(path, json=body)
    assert told.status_code == 400
    assert told.json()["error"]["param"] == param


def test_every_answer_names_the_trace_that_tells_of_it(
    up: Upstream, http: httpx.Client, served: tuple[Upstream, Gateway]
) -> None:
    alone = http.post("/chat/completions", json={"model": "agent", "messages": HELLO})
    asked = complete(http, "told", READS)
    allowed = authorize(http, "told", {"id": "1", "name": "lookup", "arguments": {"id": 1}})
    refused = authorize(http, "told", {"id": "2", "name": "wipe", "arguments": {}})
    named = [each.headers["x-evalkit-trace"] for each in (asked, allowed, refused)]
    assert refused.status_code == 403
    assert len(set(named)) == 1
    assert alone.headers["x-evalkit-trace"] != named[0]
    assert "x-evalkit-trace" not in http.get("/models").headers
    http.delete("/evalkit/session", headers=in_session("told"))
    traces = TraceStore(served[1].root)
    assert traces.find(named[0]).denied == 1
    assert traces.find(alone.headers["x-evalkit-trace"]).calls == 1


def test_a_workflow_becomes_a_case_with_its_world(
    up: Upstream, http: httpx.Client, served: tuple[Upstream, Gateway]
) -> None:
    root = served[1].root
    (root / "goldensets/asks/v1").mkdir(parents=True)
    (root / "goldensets/asks/v1/set.yaml").write_text("name: asks\nversion: 1\n")
    one = {"id": "c1", "input": {"text": "Is the branch open?"}, "expected": {"output": "yes"}}
    cases = root / "goldensets/asks/v1/cases.jsonl"
    cases.write_text(json.dumps(one) + "\n")
    text = "What does account 7 owe? Answer to kim@example.org."
    call = {"id": "k1", "name": "lookup", "arguments": {"id": 7}}
    about = {"route": "agent", "call": call}
    up.says = [calls("lookup", '{"id": 7}'), "3 for bo@example.org"]
    body = {"model": "agent", "messages": [{"role": "user", "content": text}], "tools": [READS]}
    headers = in_session("to-golden")
    trace = http.post("/chat/completions", json=body, headers=headers).headers["x-evalkit-trace"]
    http.post("/evalkit/tools/authorize", json=about, headers=headers)
    result = {"result": {"owes": 3, "mail": "bo@example.org"}}
    http.post("/evalkit/tools/result", json=about | result, headers=headers)
    document = {"id": "kb1", "text": "Fees are 1 a day. Ask jo@example.org."}
    found = {"route": "agent", "index": "kb", "query": "fee", "documents": [document]}
    http.post("/evalkit/retrieve/check", json=found, headers=headers)
    http.post("/chat/completions", json=body, headers=headers)
    http.delete("/evalkit/session", headers=headers)

    wanted = Wanted(answer_expected=True)
    case = add_from_trace(root, "asks", trace, wanted, clock=SystemClock()).case
    mails = {name: f"[EMAIL_{n}]" for n, name in enumerate(("kim", "bo", "jo"), 1)}
    assert case.input == {"text": text.replace("kim@example.org", mails["kim"])}
    returned = {"owes": 3, "mail": mails["bo"]}
    assert case.tools == {"lookup": [{"when": {"id": 7}, "returns": returned}]}
    assert [each.text for each in case.documents] == [f"Fees are 1 a day. Ask {mails['jo']}."]
    assert case.expected == {"output": f"3 for {mails['bo']}"}
    assert case.source is not None
    assert case.source["trace"] == trace
    assert "example.org" not in cases.read_text()
    assert '"u1"' not in cases.read_text()
