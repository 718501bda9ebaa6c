"""Runs a composite action as GitHub's runner does, as far as .github/actions/evalkit needs it.

Steps with `run` are really run by bash, with the files by which a step speaks to the runner; steps
with `uses` are noted with what they would be given. Conditions and `${{ }}` are evaluated by
GitHub's rules for the operators and functions that the action uses; anything else is an error.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_TOKEN = re.compile(r"\s*(\(|\)|,|&&|\|\||==|!=|!|'(?:[^']|'')*'|[A-Za-z_][\w.-]*)")
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
_STATUS = re.compile(r"\b(always|success|failure|cancelled)\(\)")


class Expression:
    """One expression over contexts; `failed` is what success() and failure() ask."""

    def __init__(self, text: str, contexts: Mapping[str, Any], *, failed: bool = False) -> None:
        self.tokens = self._split(text)
        self.contexts, self.failed = contexts, failed

    @staticmethod
    def _split(text: str) -> list[str]:
        tokens, at = [], 0
        text = text.strip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            assert match is not None, f"cannot read {text[at:]!r}"
            tokens.append(match[1])
            at = match.end()
        return tokens

    def value(self) -> Any:
        found = self._either()
        assert not self.tokens, f"left over: {self.tokens}"
        return found

    def _take(self, *wanted: str) -> bool:
        if self.tokens and self.tokens[0] in wanted:
            self.tokens.pop(0)
            return True
        return False

    def _either(self) -> Any:
        found = self._both()
        while self._take("||"):
            other = self._both()
            found = found or other
        return found

    def _both(self) -> Any:
        found = self._compared()
        while self._take("&&"):
            other = self._compared()
            found = found and other
        return found

    def _compared(self) -> Any:
        found = self._single()
        if self._take("=="):
            return same(found, self._single())
        if self._take("!="):
            return not same(found, self._single())
        return found

    def _single(self) -> Any:
        if self._take("!"):
            return not self._single()
        if self._take("("):
            found = self._either()
            assert self._take(")")
            return found
        token = self.tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        return self._call(token) if self._take("(") else self._look_up(token)

    def _call(self, name: str) -> Any:
        arguments = []
        while not self._take(")"):
            arguments.append(self._either())
            self._take(",")
        if name == "format":
            return str(arguments[0]).replace("{0}", str(arguments[1]))
        return {"always": True, "success": not self.failed, "failure": self.failed}[name]

    def _look_up(self, path: str) -> Any:
        found: Any = self.contexts
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found


def same(one: Any, other: Any) -> bool:
    """GitHub's ==: what is missing is an empty text, and texts have no case."""
    return (
        str(one if one is not None else "").lower()
        == str(other if other is not None else "").lower()
    )


@dataclass
class Step:
    """What became of a step."""

    outcome: str
    outputs: dict[str, str] = field(default_factory=dict)
    code: int = 0


@dataclass
class Used:
    """A step of somebody else's action, and what it was given."""

    action: str
    given: dict[str, str]


@dataclass
class Ended:
    """How the action ended: `code` is the last failing step's, as the runner shows it."""

    code: int
    outputs: dict[str, str]
    steps: dict[str, Step]
    used: list[Used]
    log: str
    summary: str


@dataclass
class ActionRunner:
    """One action for one job. `github` is the context of that name, `environ` the job's."""

    action: Path
    workspace: Path
    temp: Path
    github: dict[str, Any]
    environ: dict[str, str]

    def run(self, **inputs: str) -> Ended:
        """Run it with these inputs; a dash in a name is written as an underscore."""
        content = yaml.safe_load(self.action.read_text(encoding="utf-8"))
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        assert set(given) <= set(content["inputs"]), "no such input"
        contexts: dict[str, Any] = {"github": self.github, "runner": {"os": "Linux"}, "steps": {}}
        contexts["inputs"] = {
            name: given.get(name, self._text(declared.get("default", ""), contexts))
            for name, declared in content["inputs"].items()
        }
        self.temp.mkdir(parents=True, exist_ok=True)
        summary = self.temp / "summary.md"
        summary.write_text("")
        ended = Ended(0, {}, contexts["steps"], [], "", "")
        for number, step in enumerate(content["runs"]["steps"]):
            self._step(number, step, contexts, ended)
        ended.steps = dict(contexts["steps"])
        as_data = {
            name: {"outputs": each.outputs, "outcome": each.outcome}
            for name, each in ended.steps.items()
        }
        ended.outputs = {
            name: self._text(output["value"], {**contexts, "steps": as_data})
            for name, output in content["outputs"].items()
        }
        ended.summary = summary.read_text(encoding="utf-8")
        return ended

    def _step(
        self, number: int, step: Mapping[str, Any], contexts: dict[str, Any], ended: Ended
    ) -> None:
        name = step.get("id", f"step-{number}")
        known: dict[str, Step] = contexts["steps"]
        seen = {
            **contexts,
            "steps": {
                key: {"outputs": each.outputs, "outcome": each.outcome}
                for key, each in known.items()
            },
        }
        condition = str(step.get("if", ""))
        if not _STATUS.search(condition):
            condition = f"success() && ({condition})" if condition else "success()"
        if not Expression(condition, seen, failed=ended.code != 0).value():
            known[name] = Step("skipped")
            return
        if "uses" in step:
            given = {key: self._text(value, seen) for key, value in step.get("with", {}).items()}
            ended.used.append(Used(step["uses"], given))
            known[name] = Step("success")
            return
        known[name] = self._shell(number, step, seen, ended)
        if known[name].code != 0 and not step.get("continue-on-error"):
            ended.code = known[name].code

    def _shell(
        self, number: int, step: Mapping[str, Any], contexts: Mapping[str, Any], ended: Ended
    ) -> Step:
        assert step["shell"] == "bash"
        files = {
            "GITHUB_OUTPUT": self.temp / f"output-{number}",
            "GITHUB_ENV": self.temp / f"env-{number}",
            "GITHUB_PATH": self.temp / f"path-{number}",
            "GITHUB_STEP_SUMMARY": self.temp / "summary.md",
        }
        for name, path in files.items():
            if name != "GITHUB_STEP_SUMMARY":
                path.write_text("")
        script = self.temp / f"script-{number}.sh"
        script.write_text(self._text(step["run"], contexts), encoding="utf-8")
        folder = self._text(step.get("working-directory", "."), contexts)
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
            cwd=self.workspace / folder,
            env={
                **self.environ,
                **{name: self._text(value, contexts) for name, value in step["env"].items()},
                **{name: str(path) for name, path in files.items()},
                "GITHUB_ACTION_PATH": str(self.action.parent),
                "GITHUB_WORKSPACE": str(self.workspace),
                "PATH": self.environ["PATH"],
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        ended.log += done.stdout
        for name in ("GITHUB_ENV", "GITHUB_PATH"):
            assert files[name].read_text() == "", f"{step.get('name')} changes later steps"
        lines = files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
        outputs = dict(line.split("=", 1) for line in lines)
        outcome = "success" if done.returncode == 0 else "failure"
        return Step(outcome, outputs, done.returncode)

    def _text(self, value: Any, contexts: Mapping[str, Any]) -> str:
        def written(match: "re.Match[str]") -> str:
            found = Expression(match[1], contexts).value()
            return "" if found is None else str(found)

        return _EXPRESSION.sub(written, str(value))


def job_environment(**changes: str) -> dict[str, str]:
    """What a job's steps have of this machine, and nothing of its keys."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | changes
