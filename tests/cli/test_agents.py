"""Suites whose target is an agent, from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.agents import CALL, agent_file, agent_project, write, write_turns
from tests.cli.conftest import Ask, Evalkit
from tests.servers.openai_server import OpenAIServer


def attempts(root: Path) -> list[dict[str, Any]]:
    [run] = (root / ".evalkit/runs").glob("*/attempts.jsonl")
    return [json.loads(line) for line in run.read_text().splitlines()]


def test_the_search_of_an_agent_is_a_tool_that_a_route_may_name(tmp_path: Path, ask: Ask) -> None:
    project = agent_project(tmp_path, cases=3, search={"indexes": ["kb"], "name": "find_pages"})
    project.route["policies"] = {"allow_actions": ["find_pages", "find_page"]}
    project.write()
    said = ask("check")
    assert '(found "find_page")' in said.out + said.err
    assert '(found "find_pages")' not in said.out + said.err


def test_an_agent_suite_runs_like_any_other(evalkit: Evalkit, tmp_path: Path) -> None:
    project = agent_project(tmp_path / "p")
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 0, done.stderr
    first = attempts(project.root)[0]
    assert [step["kind"] for step in first["steps"]] == ["model", "tool", "model"]
    assert first["prompt"] == "ask@v1"
    assert evalkit("check", cwd=project.root).returncode == 0


def test_a_plan_says_how_many_calls_a_loop_may_make(evalkit: Evalkit, tmp_path: Path) -> None:
    project = agent_project(tmp_path / "p", cases=40, max_steps=4)
    project.config["providers"]["scripts"] = {"kind": "openai", "base_url": "http://127.0.0.1:9"}
    project.write()
    done = evalkit("plan", cwd=project.root)
    assert done.returncode == 0, done.stderr
    assert "80 to a provider, 320 at most in their loops" in done.stdout


def test_a_conversation_that_ends_before_the_script_does_not_pass(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = agent_project(tmp_path / "p")
    write_turns(project, [{"tool_calls": [CALL]}])
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2, done.stdout
    assert "not measured" in done.stderr
    assert "and the workflow asks for another" in done.stderr
    assert evalkit("run", "--fault", "primary=slow", cwd=project.root).returncode != 2


def test_a_policy_that_the_case_expects_counts_although_the_agent_went_on(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = agent_project(tmp_path / "p")
    project.route["policies"] = {"disallow_actions": ["refund"]}
    project.suite["scorers"] = [{"policy": {}}]
    project.suite["gate"] = {"max_drop_pp": 3, "invariants": ["policy", "forbidden_tools"]}
    project.case_changes = {
        number: {"expected": {"blocked": True, "forbidden_tools": ["refund"]}}
        for number in range(110)
    }
    project.write()
    refund = {"name": "refund", "arguments": {}, "id": "call-1"}
    write_turns(project, [{"tool_calls": [refund]}, {"content": "A colleague takes over."}])
    assert evalkit("run", cwd=project.root).returncode == 0
    project.route["policies"] = {}
    project.write()
    write_turns(project, [{"tool_calls": [refund]}, {"content": "A colleague takes over."}])
    assert evalkit("run", cwd=project.root).returncode == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_steps": 0}, "max_steps"),
        ({"on_denied": "ask"}, "on_denied"),
        ({"search": {"indexes": [], "name": "search"}}, "indexes"),
        ({"search": {"indexes": ["kb"], "name": "get_order"}}, "has this name already"),
        ({"tools": ["tools/get_ordr.json"]}, "tools/get_ordr.json"),
        ({"loop": True}, "unknown key"),
        ({"steps": [{"name": "a", "tools": ["refnd"]}]}, "no such tool"),
        ({"steps": [{"name": "a", "until": "refund"}]}, "has no `until`"),
        ({"steps": [{"name": "a"}, {"name": "b"}]}, "the step b needs `says`"),
    ],
)
def test_an_agent_file_that_is_wrong_is_told_with_its_place(
    evalkit: Evalkit, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    project = agent_project(tmp_path / "p", cases=3)
    write(project, "agents/ask/v1.yaml", agent_file(**changes))
    done = evalkit("check", cwd=project.root)
    assert done.returncode == 2
    assert words in done.stderr + done.stdout
    assert "agents/ask/v1.yaml" in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"agent": "ask@v7"}, "has no version v7"),
        ({"agent": "aks@v1"}, "there is no agent 'aks'"),
        ({"agent": "ask@v1", "prompt": "ask@v1"}, "exactly one of"),
        ({}, "exactly one of"),
        ({"agnt": "ask@v1"}, "unknown key"),
    ],
)
def test_a_target_that_is_wrong_is_told(
    evalkit: Evalkit, tmp_path: Path, target: dict[str, Any], words: str
) -> None:
    project = agent_project(tmp_path / "p", cases=3)
    project.suite["target"] = target
    project.write()
    done = evalkit("check", cwd=project.root)
    assert done.returncode == 2
    assert words in done.stderr + done.stdout


def test_a_fixture_of_the_wrong_shape_is_found_by_check(evalkit: Evalkit, tmp_path: Path) -> None:
    project = agent_project(tmp_path / "p", cases=3)
    wrong = [{"when": {}, "returns": 1, "raises": "no"}, {"returns_each": []}, {"latency_s": -1}]
    project.case_changes = {n: {"tools": {"get_order": [wrong[n]]}} for n in range(3)}
    project.write()
    done = evalkit("check", cwd=project.root)
    assert done.returncode == 2
    for words in ("either `returns`", "returns_each", "latency_s"):
        assert words in done.stderr + done.stdout


def test_an_answer_for_arguments_that_no_call_can_have_is_found_by_check(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = agent_project(tmp_path / "p", cases=3)
    parameters = {
        "type": "object",
        "properties": {"id": {"type": "string"}},
        "additionalProperties": False,
    }
    tool = {"name": "get_order", "effect": "read", "parameters": parameters}
    write(project, "tools/get_order.json", json.dumps(tool))
    assert evalkit("check", cwd=project.root).returncode == 0
    project.case_changes = {0: {"tools": {"get_order": [{"when": {"oder": "A"}, "returns": 1}]}}}
    project.write()
    done = evalkit("check", cwd=project.root)
    assert done.returncode == 2
    assert "takes no such argument" in done.stdout + done.stderr


def test_steps_that_do_not_fit_the_route_are_told_by_check(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = agent_project(tmp_path / "p", cases=3)
    project.route["steps"] = {"triage": {"tools": ["get_order"]}}
    project.write()
    done = evalkit("check", cwd=project.root)
    assert "every one is denied" in done.stdout + done.stderr
    write(project, "agents/ask/v1.yaml", agent_file(steps=[{"name": "triaje"}]))
    done = evalkit("check", cwd=project.root)
    assert "has the step 'triaje'" in done.stdout + done.stderr


def test_an_agent_that_changed_and_is_not_tested_is_no_green_run(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = agent_project(tmp_path / "p")
    write(project, "agents/other/v1.yaml", agent_file(name="other"))
    write(project, ".gitignore", ".evalkit/\n")
    project.commit()
    write(project, "agents/other/v1.yaml", agent_file(name="other", max_steps=3))
    done = evalkit("run", "--baseline", "HEAD", cwd=project.root)
    assert done.returncode == 2
    assert "agents/other/v1.yaml" in done.stderr


def test_an_agent_is_recorded_turn_by_turn_and_replayed_without_the_model(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    server = OpenAIServer().start()
    server.answer = lambda request: "yes"
    server.decide = lambda request: (
        "ok"
        if request.body["messages"][-1]["role"] == "tool"
        else 'tool_call:get_order {"id": "A-1"}'
    )
    try:
        project = agent_project(tmp_path / "p", cases=100)
        project.config["providers"] = {
            "served": {"kind": "openai", "base_url": server.url, "recordings": "recordings"}
        }
        project.config["models"]["tiny"]["provider"] = "served"
        project.write()
        assert evalkit("run", cwd=project.root).returncode == 2
        recorded = evalkit("record", cwd=project.root)
        assert recorded.returncode == 0, recorded.stderr
        assert "200 replies" in recorded.stdout
    finally:
        server.stop()
    replayed = evalkit("run", cwd=project.root)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
