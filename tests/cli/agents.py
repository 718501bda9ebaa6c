"""A project whose suite tests an agent: orders looked up, refunds denied, scripted turn by turn."""

import json
from pathlib import Path
from typing import Any

import yaml

from tests.cli.project import ProjectFiles

CALL = {"name": "get_order", "arguments": {"id": "A-1"}, "id": "call-1"}
TURNS = [{"tool_calls": [CALL]}, {"content": "yes"}]


def agent_project(root: Path, *, cases: int = 110, **agent: Any) -> ProjectFiles:
    """Written and ready to run; `agent` changes its file."""
    project = ProjectFiles(root, cases=cases)
    project.route["max_tokens"] = 100
    project.suite["target"] = {"agent": "ask@v1"}
    project.suite["baseline"] = {"set": {"suites.ask.target.agent": "ask@v1"}}
    project.case_changes = {
        number: {
            "tools": {"get_order": [{"when": {"id": "A-1"}, "returns": {"late": False}}]},
            "expected": {
                "output": "yes",
                "tool_calls": [{"name": "get_order", "arguments": {"id": "A-1"}}],
            },
        }
        for number in range(cases)
    }
    project.suite["scorers"] = [{"exact": {}}, {"tool_calls": {}}]
    project.write()
    for name, effect in (("get_order", "read"), ("refund", "execute")):
        write(project, f"tools/{name}.json", json.dumps({"name": name, "effect": effect}))
    write(project, "agents/ask/v1.yaml", agent_file(**agent))
    write_turns(project, TURNS)
    return project


def agent_file(**changes: Any) -> str:
    """An agent file."""
    given = {
        "name": "ask",
        "version": 1,
        "messages": [{"role": "user", "part": "input", "content": "{{ input.question }}"}],
        "tools": ["tools/get_order.json", "tools/refund.json"],
    }
    return yaml.safe_dump(given | changes, sort_keys=False)


def write_turns(project: ProjectFiles, turns: list[dict[str, Any]], prompt: str = "ask@v1") -> None:
    """The same conversation for every case."""
    rows = [
        json.dumps({"case": f"c{number:04}", "prompt": prompt, "replies": turns})
        for number in range(project.cases)
    ]
    write(project, "scripted/ask.jsonl", "\n".join(rows) + "\n")


def write(project: ProjectFiles, path: str, text: str) -> None:
    """One file of the project."""
    target = project.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
