"""Small projects on disk: a suite of short questions, two prompts, scripted or served replies."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Reply = Callable[[int], dict[str, Any]]

RIGHT = {"content": "yes"}
WRONG = {"content": "no"}


def always(reply: dict[str, Any]) -> Reply:
    """The same reply to every case."""
    return lambda number: reply


def wrong_in_first(count: int) -> Reply:
    """A wrong reply to the first cases, a right one to the rest."""
    return lambda number: WRONG if number < count else RIGHT


@dataclass
class ProjectFiles:
    """A project that can be changed before it is written. `config` is evalkit.yaml as data."""

    root: Path
    cases: int = 120
    replies: dict[str, Reply] = field(
        default_factory=lambda: {"ask@v1": always(RIGHT), "ask@v2": always(RIGHT)}
    )
    config: dict[str, Any] = field(default_factory=dict)
    case_changes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config = {
            "version": 1,
            "providers": {"scripts": {"kind": "scripted", "path": "scripted/{suite}.jsonl"}},
            "models": {
                "tiny": {
                    "provider": "scripts",
                    "price": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1},
                }
            },
            "routes": [{"name": "ask", "models": {"primary": "tiny"}, "max_tokens": 20}],
            "suites": {
                "ask": {
                    "golden": "ask@v1",
                    "route": "ask",
                    "target": {"prompt": "ask@v1"},
                    "scorers": [{"exact": {}}],
                    "baseline": {"set": {"suites.ask.target.prompt": "ask@v1"}},
                    "gate": {"max_drop_pp": 3},
                }
            },
        } | self.config

    @property
    def suite(self) -> dict[str, Any]:
        """The suite's configuration, to be changed."""
        suite: dict[str, Any] = self.config["suites"]["ask"]
        return suite

    @property
    def route(self) -> dict[str, Any]:
        """The route's configuration, to be changed."""
        route: dict[str, Any] = self.config["routes"][0]
        return route

    def write(self) -> "ProjectFiles":
        """Write every file. Can be called again after a change."""
        self._write("evalkit.yaml", yaml.safe_dump(self.config, sort_keys=False))
        for version in (1, 2):
            self._write(f"prompts/ask/v{version}.yaml", self.prompt(version))
        self._write(
            "goldensets/ask/v1/set.yaml", "name: ask\nversion: 1\ndescription: Questions.\n"
        )
        self.write_cases([self.case(number) for number in range(self.cases)])
        self.write_replies()
        return self

    def prompt(self, version: int, text: str = "{{ input.question }}") -> str:
        """A prompt file."""
        return yaml.safe_dump(
            {
                "name": "ask",
                "version": version,
                "messages": [{"role": "user", "part": "input", "content": f"v{version} {text}"}],
                "output": {"kind": "text"},
            },
            sort_keys=False,
        )

    def case(self, number: int) -> dict[str, Any]:
        """One case as it is written."""
        return {
            "id": f"c{number:04}",
            "input": {"question": f"Is {number} less than {number + 1}?"},
            "expected": {"output": "yes"},
            "tags": ["even" if number % 2 == 0 else "odd"],
            **self.case_changes.get(number, {}),
        }

    def write_cases(self, cases: list[dict[str, Any]]) -> None:
        """Replace the golden set's cases."""
        self._write("goldensets/ask/v1/cases.jsonl", _lines(cases))

    def write_replies(self) -> None:
        """Replace the scripted replies."""
        rows = [
            {"case": f"c{number:04}", "prompt": prompt, "reply": reply(number)}
            for prompt, reply in self.replies.items()
            for number in range(self.cases)
        ]
        self._write("scripted/ask.jsonl", _lines(rows))

    def commit(self, message: str = "A state of the project") -> str:
        """Commit everything, making the repository where there is none. Returns the commit."""
        if not (self.root / ".git").exists():
            self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str) -> str:
        """Run git in the project."""
        who = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org"}
        who |= {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org"}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env={**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def _write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
