"""Policies in Rego from the command line: what they stop, and what fails closed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Evalkit
from tests.cli.project import ProjectFiles, always
from tests.servers.opa_server import OpaServer

PATH = "policies/refunds.rego"
REFUNDS = """\
package evalkit.policy
import rego.v1

deny contains {"rule": "refund_limit", "message": "refunds over 100 are for people"} if {
    input.act == "authorize"
    input.tool.name == "refund"
    input.tool.arguments.amount > 100
}
warn contains "a refund" if input.tool.name == "refund"
"""
TOOL = {
    "name": "refund",
    "description": "Pay money back.",
    "effect": "draft",
    "parameters": {"type": "object", "properties": {"amount": {"type": "number"}}},
}


def refund(amount: Any) -> dict[str, Any]:
    return {"content": "yes", "tool_calls": [{"name": "refund", "arguments": {"amount": amount}}]}


def refunds(root: Path, *, amount: Any = 500, rego: Any = (PATH,), text: str = REFUNDS) -> Path:
    """A project whose model asks for a refund in every case, and whose cases want it stopped."""
    stopped = {"blocked": True, "blocked_by": "rego.evalkit.policy.refund_limit"}
    project = ProjectFiles(
        root,
        replies={"ask@v1": always(refund(amount)), "ask@v2": always(refund(amount))},
        case_changes={number: {"expected": stopped} for number in range(120)},
    )
    project.route["policies"] = {"rego": list(rego) if isinstance(rego, tuple) else rego}
    project.suite["scorers"] = [{"policy": {}}]
    project.suite["gate"] = {"max_drop_pp": 3, "min_pass_rate": 0.5, "invariants": ["policy"]}
    project.write()
    (root / "policies").mkdir()
    (root / PATH).write_text(text)
    (root / "tools").mkdir()
    (root / "tools/refund.json").write_text(json.dumps(TOOL))
    for version in (1, 2):
        prompt = root / f"prompts/ask/v{version}.yaml"
        prompt.write_text(prompt.read_text() + "tools: [tools/refund.json]\n")
    return root


def first_attempt(root: Path) -> dict[str, Any]:
    [run] = (root / ".evalkit/runs").glob("*/attempts.jsonl")
    first: dict[str, Any] = json.loads(run.read_text().splitlines()[0])
    return first


@pytest.fixture
def opa() -> Iterator[OpaServer]:
    server = OpaServer({"refunds.rego": REFUNDS}).start()
    yield server
    server.stop()


def test_a_denial_blocks_by_its_rule_and_a_warning_is_only_seen(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    root = refunds(tmp_path / "p")
    done = evalkit("run", cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    attempt = first_attempt(root)
    assert (attempt["state"], attempt["rule"]) == ("blocked", "rego.evalkit.policy.refund_limit")
    assert evalkit("check", cwd=root).returncode == 0


def test_what_the_policy_allows_passes_it_and_fails_a_case_that_wants_it_stopped(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    root = refunds(tmp_path / "p", amount=5)
    assert evalkit("run", cwd=root).returncode == 1
    attempt = first_attempt(root)
    assert (attempt["state"], attempt["allowed_tools"]) == ("answered", ["refund"])


def test_a_server_gets_the_same_documents_and_decides_the_same(
    evalkit: Evalkit, tmp_path: Path, opa: OpaServer
) -> None:
    root = refunds(tmp_path / "p", rego={"opa": opa.url, "timeout_s": 30.0})
    done = evalkit("run", cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert first_attempt(root)["rule"] == "rego.evalkit.policy.refund_limit"
    calls = [document for document in opa.asked if document["act"] == "authorize"]
    assert calls[0]["tool"] == {"name": "refund", "effect": "draft", "arguments": {"amount": 500}}
    said = evalkit("check", cwd=root)
    assert said.returncode == 0
    assert "not versioned with the project" in said.stdout + said.stderr


def test_a_server_that_is_not_there_lets_nothing_pass(evalkit: Evalkit, tmp_path: Path) -> None:
    server = OpaServer({}).start()
    server.stop()
    root = refunds(tmp_path / "p", amount=5, rego={"opa": server.url})
    evalkit("run", cwd=root)
    attempt = first_attempt(root)
    assert (attempt["state"], attempt["rule"]) == ("blocked", "policy.error")
    assert attempt["allowed_tools"] == []


def test_the_servers_token_is_in_nothing_that_is_written(
    evalkit: Evalkit, tmp_path: Path, opa: OpaServer
) -> None:
    opa.token = "opa-token-51c0de"
    root = refunds(
        tmp_path / "p", rego={"opa": opa.url, "token_env": "OPA_TOKEN", "timeout_s": 30.0}
    )
    done = evalkit("run", cwd=root, environ={"OPA_TOKEN": opa.token})
    assert done.returncode == 0, done.stdout + done.stderr
    written = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
    told = "".join((done.stdout, done.stderr)).encode()
    assert not any(opa.token.encode() in each for each in (*written, told))


def test_a_policy_that_says_nothing_denies_everything(evalkit: Evalkit, tmp_path: Path) -> None:
    root = refunds(tmp_path / "p", amount=5, text="package somewhere.else\nimport rego.v1\n")
    evalkit("run", cwd=root)
    assert first_attempt(root)["rule"] == "policy.error"


def test_in_shadow_mode_a_denial_is_seen_and_stops_nothing(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    root = refunds(tmp_path / "p", rego={"files": [PATH], "mode": "warn"})
    assert evalkit("run", cwd=root).returncode == 1
    [run] = (root / ".evalkit/runs").glob("*/traces.jsonl")
    decisions = json.loads(run.read_text().splitlines()[0])["decisions"]
    seen = [
        d["outcome"] for d in decisions if d["rule"].startswith("rego.") and d["act"] != "route"
    ]
    assert "warned" in seen and "denied" not in seen


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("package evalkit.policy\nallow if {\n", "cannot be compiled"),
        ("package evalkit.policy\nimport rego.v1\nallow if http.send({})\n", "look outside"),
    ],
)
def test_a_file_that_cannot_be_used_is_2_before_anything_runs(
    evalkit: Evalkit, tmp_path: Path, text: str, words: str
) -> None:
    root = refunds(tmp_path / "p", text=text)
    for verb in ("check", "run"):
        done = evalkit(verb, cwd=root)
        assert done.returncode == 2
        assert words in done.stdout + done.stderr
    assert not list((root / ".evalkit").glob("runs/*/attempts.jsonl"))


@pytest.mark.parametrize(
    ("rego", "words"),
    [
        (("policies/none.rego",), "there is no file policies/none.rego"),
        (("../outside.rego",), "outside"),
        ({"files": [PATH], "opa": "http://127.0.0.1:1"}, "give one"),
        ({"opa": "localhost:8181"}, "opa"),
        ({"files": [PATH], "package": "evalkit policy"}, "package"),
        ({"files": [PATH], "mode": "redact"}, "mode"),
    ],
)
def test_settings_that_cannot_be_meant_are_2(
    evalkit: Evalkit, tmp_path: Path, rego: Any, words: str
) -> None:
    done = evalkit("check", cwd=refunds(tmp_path / "p", rego=rego))
    assert done.returncode == 2
    assert words in done.stdout + done.stderr


def test_a_change_of_a_policy_is_not_green_by_itself(evalkit: Evalkit, tmp_path: Path) -> None:
    root = refunds(tmp_path / "p")
    project = ProjectFiles(root)
    project.commit()
    (root / PATH).write_text(REFUNDS.replace("> 100", "> 400"))
    done = evalkit("run", cwd=root)
    assert done.returncode == 3, done.stdout
    assert "policies in Rego of ask were changed: policies/refunds.rego" in done.stdout
    assert evalkit("run", "--accept-gate-change", cwd=root).returncode == 0


def test_route_explain_names_the_policies(evalkit: Evalkit, tmp_path: Path) -> None:
    done = evalkit("route", "explain", "--route", "ask", cwd=refunds(tmp_path / "p"))
    assert f"policies in Rego: {PATH}" in done.stdout
