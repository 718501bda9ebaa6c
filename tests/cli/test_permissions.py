"""Steps, caps, phrases and schemas of a route, as a project's author meets them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalkit import Run
from evalkit.records.attempt import Attempt
from tests.cli.conftest import Ask
from tests.cli.project import ProjectFiles


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    files = ProjectFiles(tmp_path, cases=3)
    for name in ("look", "refund"):
        path = tmp_path / f"tools/{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"name": name, "effect": "read"}))
    path = tmp_path / "schemas/answer.json"
    path.parent.mkdir()
    path.write_text('{"type": "object"}')
    return files.write()


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"policies": {"allow_actions": ["lok"]}}, "no tool in tools/ has this name"),
        ({"policies": {"allow_actions": {"actions": ["lok"]}}}, "no tool in tools/"),
        (
            {"policies": {"allow_actions": ["look"], "disallow_actions": ["look"]}},
            "is one of the route's disallow_actions, which win",
        ),
        ({"steps": {"act": {"tools": ["refnd"]}}}, "no tool in tools/ has this name"),
        (
            {"steps": {"act": {"tools": ["refund"]}}, "policies": {"allow_actions": ["look"]}},
            "is not one of the route's allow_actions",
        ),
        (
            {"steps": {"act": {"data": ["wiki"]}}, "retrieval": {"allow_indexes": ["kb"]}},
            "the route may not read this index, so the step cannot either",
        ),
    ],
)
def test_a_name_that_leads_nowhere_is_a_warning(
    project: ProjectFiles, ask: Ask, changes: dict[str, Any], says: str
) -> None:
    project.route.update(changes)
    project.write()
    said = ask("check")
    assert said.code == 0, said.err
    assert says in words(said.out + said.err)


def test_a_team_without_approvers_is_a_warning(project: ProjectFiles, ask: Ask) -> None:
    project.route["approvals"] = {"on_execute": "legal"}
    project.config["approvers"] = {"sales": ["kim"]}
    project.write()
    said = ask("check")
    assert said.code == 0
    assert "lists nobody of this team" in words(said.out + said.err)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"max_steps": 0}, "max_steps"),
        ({"max_repeats": -1}, "max_repeats"),
        ({"max_total_tokens": "many"}, "max_total_tokens"),
        ({"steps": {"act": {"tool": ["refund"]}}}, "tool"),
        ({"steps": {"act": {"ttl_s": 0}}}, "ttl_s"),
        ({"approvals": {"on_execute": {"expires_s": 60}}}, "team"),
        ({"approvals": {"on_execute": {"team": "legal", "expires_s": -1}}}, "expires_s"),
        ({"policies": {"blocked_phrases": [{"pattern": "(?=x)"}]}}, "RE2"),
        ({"policies": {"blocked_phrases": [{"text": "x", "pattern": "x"}]}}, "either"),
        ({"policies": {"output_schema": "schemas/none.json"}}, "schemas/none.json"),
        ({"policies": {"output_schema": {"schema": "schemas/answer.json", "mode": "redact"}}}, ""),
        ({"require_citations": {"mode": "loud"}}, "mode"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    project: ProjectFiles, ask: Ask, changes: dict[str, Any], says: str
) -> None:
    project.route.update(changes)
    project.write()
    said = ask("check")
    assert said.code == 2
    assert says in words(said.out + said.err)
    assert "evalkit.yaml" in said.out + said.err


def run(project: ProjectFiles, ask: Ask, *more: str) -> tuple[int, list[Attempt]]:
    """The exit code of a run and its candidate's attempts."""
    said = ask("run", "--quiet", *more)
    [bundle] = (project.root / ".evalkit/runs").iterdir()
    attempts = Run.load(bundle).stored.attempts
    return said.code, [each for each in attempts if each.variant == "candidate"]


def test_a_phrase_of_the_candidate_blocks_its_attempts(project: ProjectFiles, ask: Ask) -> None:
    project.suite["gate"] = {"min_pass_rate": 0.5}
    project.route["policies"] = {"blocked_phrases": ["yes"]}
    project.write()
    code, attempts = run(project, ask, "--no-baseline")
    assert code != 0
    assert {(each.state, each.rule) for each in attempts} == {
        ("blocked", "policies.blocked_phrases")
    }


def test_its_shadow_mode_counts_and_blocks_nothing(project: ProjectFiles, ask: Ask) -> None:
    project.suite["gate"] = {"min_pass_rate": 0.01}
    project.route["policies"] = {"blocked_phrases": [{"text": "yes", "mode": "warn"}]}
    project.write()
    _, attempts = run(project, ask, "--no-baseline")
    told = "policies.blocked_phrases is in its shadow mode and would have acted on 3 of 3 attempts"
    assert told in words(ask("diff", "latest").out)
    assert {each.state for each in attempts} == {"answered"}
    for each in attempts:
        warned = [d.rule for d in each.decisions if d.outcome == "warned"]
        assert warned == ["policies.blocked_phrases"]


def test_an_answer_is_held_to_the_route_s_schema(project: ProjectFiles, ask: Ask) -> None:
    project.suite["gate"] = {"min_pass_rate": 0.5}
    project.route["policies"] = {"output_schema": "schemas/answer.json"}
    project.write()
    _, attempts = run(project, ask, "--no-baseline")
    assert {each.rule for each in attempts} == {"policies.output_schema"}


def test_a_policy_that_is_loosened_by_the_candidate_keeps_it_from_passing(
    project: ProjectFiles, ask: Ask
) -> None:
    project.cases = 120
    project.route["policies"] = {"blocked_phrases": ["no way"]}
    project.write()
    project.commit()
    project.route["policies"] = {"blocked_phrases": [{"text": "no way", "mode": "warn"}]}
    project.write()
    said = ask("run")
    assert said.code != 0
    assert "from mode block to warn" in words(said.out)
    assert ask("run", "--quiet", "--accept-gate-change").code == 0


def with_tool_calls(project: ProjectFiles, name: str) -> None:
    """The prompt offers both tools, and every reply calls one of them."""
    path = project.root / "prompts/ask/v1.yaml"
    prompt = yaml.safe_load(path.read_text()) | {"tools": ["tools/look.json", "tools/refund.json"]}
    path.write_text(yaml.safe_dump(prompt))
    rows = [
        {
            "case": f"c{number:04}",
            "prompt": "ask@v1",
            "reply": {"content": "yes", "tool_calls": [{"name": name, "arguments": {}}]},
        }
        for number in range(project.cases)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (project.root / "scripted/ask.jsonl").write_text(lines)


@pytest.mark.parametrize(
    ("step", "tool", "rule"),
    [
        ("triage", "look", None),
        ("triage", "refund", "steps.triage.tools"),
        ("act", "refund", None),
        (None, "look", "steps.token"),
    ],
)
def test_a_prompt_is_played_in_a_step_of_its_route(
    project: ProjectFiles, ask: Ask, step: str | None, tool: str, rule: str | None
) -> None:
    project.route["steps"] = {"triage": {"tools": ["look"]}, "act": {"tools": ["refund"]}}
    project.suite["gate"] = {"min_pass_rate": 0.5}
    if step is not None:
        project.suite["target"]["step"] = step
    project.write()
    with_tool_calls(project, tool)
    _, attempts = run(project, ask, "--no-baseline")
    assert {each.rule for each in attempts} == {rule}
    assert {each.state for each in attempts} == {"answered" if rule is None else "blocked"}


def test_a_step_that_the_route_does_not_have_is_refused(project: ProjectFiles, ask: Ask) -> None:
    project.route["steps"] = {"triage": {"tools": ["look"]}}
    project.suite["target"]["step"] = "triag"
    project.write()
    said = ask("check")
    assert said.code == 2
    assert "route ask has no such step" in words(said.err)
    assert "did you mean 'triage'?" in words(said.err)


def test_a_target_in_no_step_of_a_route_with_steps_is_a_warning(
    project: ProjectFiles, ask: Ask
) -> None:
    project.route["steps"] = {"triage": {"tools": ["look"]}}
    project.write()
    said = ask("check")
    assert said.code == 0
    assert "the target is in none of them" in words(said.out + said.err)


@pytest.mark.parametrize(
    ("route", "rule"),
    [
        ({"steps": {"triage": {"tools": ["refund"]}}}, "steps.triage.tools"),
        ({"policies": {"allow_actions": ["refund"]}}, "policies.allow_actions"),
        ({"max_tool_calls": 0}, "max_tool_calls"),
        ({"policies": {"blocked_phrases": ["yes"]}}, "policies.blocked_phrases"),
        ({"policies": {"output_schema": "schemas/answer.json"}}, "policies.output_schema"),
        ({"max_total_tokens": 5}, "max_total_tokens"),
    ],
)
def test_a_case_may_expect_the_rule_that_blocks_it(
    project: ProjectFiles, ask: Ask, route: dict[str, Any], rule: str
) -> None:
    project.route.update(route)
    if "steps" in route:
        project.suite["target"]["step"] = "triage"
    project.suite.update({"scorers": [{"policy": {}}], "gate": {"min_pass_rate": 0.5}})
    expected = {"blocked": True, "blocked_by": rule}
    project.case_changes = {number: {"expected": expected} for number in range(3)}
    project.write()
    with_tool_calls(project, "look")
    _, attempts = run(project, ask, "--no-baseline")
    assert {each.rule for each in attempts} == {rule}
    shown = words(ask("show", "latest").out)
    assert "candidate passes 100.0 %" in shown
