"""A small project that is in order, in a folder of the test's own."""

import json
import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, Problem
from evalkit.records.case import Case
from evalkit.sources.assets import Assets, load_assets
from evalkit.sources.golden import ContentDigest
from evalkit.sources.tree import WorkingTree


def content_digest(cases: Iterable[Case]) -> str:
    """The digest of a golden set with these cases."""
    content = ContentDigest()
    for case in cases:
        content.add(case)
    return content.result()


CONFIG = """\
providers:
  hosted: {kind: openai, api_key_env: HOSTED_KEY}
models:
  big: {provider: hosted, price: {input_usd_per_mtok: 2, output_usd_per_mtok: 8}}
  small: {provider: hosted, price: {input_usd_per_mtok: 1, output_usd_per_mtok: 4}}
routes:
- name: desk
  models: {primary: big, fallback: small}
suites:
  desk:
    golden: desk@v1
    route: desk
    target: {prompt: desk@v1}
    scorers:
      - {exact: {fields: [queue]}}
    gate: {max_drop_pp: 3, slices: {urgent: {min_pass_rate: .5}}}
"""

PROMPT = """\
name: desk
version: 1
messages:
  - role: system
    content: |
      You sort the post of a lost-property office.
      Answer with one queue.
  - role: user
    content: "{{ input.letter }}"
tools: [tools/call_finder.json]
output: {kind: json, schema: schemas/answer.json}
"""

CASES: list[dict[str, Any]] = [
    {"id": "d-1", "input": {"letter": "My umbrella!"}, "expected": {"queue": "lost"}},
    {"id": "d-2", "input": {"letter": "Found a hat."}, "expected": {"queue": "found"}},
    {
        "id": "d-3",
        "input": {"letter": "Where is my dog?"},
        "expected": {"queue": "lost", "tool_calls": [{"name": "call_finder", "arguments": {}}]},
        "tags": ["urgent"],
        "group": "animals",
    },
]

TOOL = {"name": "call_finder", "effect": "execute", "parameters": {"type": "object"}}
SCHEMA = {"type": "object", "required": ["queue"], "properties": {"queue": {"type": "string"}}}


class Sample:
    """The project's folder and what loading it gives."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("evalkit.yaml", CONFIG)
        self.write("prompts/desk/v1.yaml", PROMPT)
        self.write("goldensets/desk/v1/set.yaml", "name: desk\nversion: 1\n")
        self.write_cases(CASES)
        self.write("tools/call_finder.json", json.dumps(TOOL))
        self.write("schemas/answer.json", json.dumps(SCHEMA))

    def write(self, path: str, content: str | bytes) -> Path:
        """A file of the project, with its folders."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target

    def write_cases(self, cases: list[dict[str, Any]]) -> None:
        """cases.jsonl, one case a line."""
        lines = (json.dumps(case, ensure_ascii=False) for case in cases)
        self.write("goldensets/desk/v1/cases.jsonl", "".join(f"{line}\n" for line in lines))

    def change(self, path: str, old: str, new: str) -> None:
        """Replace a text that stands in a file once."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, (old, text)
        self.write(path, text.replace(old, new))

    def load(self, **options: Any) -> Assets:
        """The assets of the working tree."""
        return load_assets(WorkingTree(self.root), **options)

    def problems(self, **options: Any) -> list[Problem]:
        """The problems of the working tree, which has some."""
        with pytest.raises(ConfigError) as raised:
            self.load(**options)
        return list(raised.value.problems)

    def problem(self, **options: Any) -> Problem:
        """The one problem of the working tree."""
        (problem,) = self.problems(**options)
        return problem


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """A project in order."""
    return Sample(tmp_path)


Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """The real git, in a folder, with an author and without anybody's configuration."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment = clean | {
        "GIT_CONFIG_GLOBAL": str(tmp_path / "no-such-config"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }

    def call(*arguments: str, cwd: Path | None = None) -> str:
        command = ["git", "-c", "init.defaultBranch=main", *arguments]
        done = subprocess.run(
            command, cwd=cwd or tmp_path, env=environment, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    return call
