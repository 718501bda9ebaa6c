"""Running the command: in a process of its own, or in this one where only its words matter."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.project import ProjectFiles, wrong_in_first
from tests.warm import warm_pool

Evalkit = Callable[..., "subprocess.CompletedProcess[str]"]

V2 = ("--set", "suites.ask.target.prompt=ask@v2")


def call_evalkit(
    *arguments: str, cwd: Path, environ: Mapping[str, str] | None = None, typed: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """Call the command in a process of its own; `typed` is its standard input. No key of this
    machine reaches it."""
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    environment |= {"COLUMNS": "100", "NO_COLOR": "1"} | dict(environ or {})
    if warm := warm_pool().take(arguments, environment):
        return warm.run(arguments, cwd=cwd, environ=environment, typed=typed or "")
    return subprocess.run(
        [sys.executable, "-m", "evalkit", *arguments],
        cwd=cwd,
        env=environment,
        input=typed or "",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def evalkit(tmp_path: Path) -> Evalkit:
    """Call `evalkit` with these arguments in a folder of the test's own."""

    def call(
        *arguments: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        return call_evalkit(*arguments, cwd=cwd or tmp_path, environ=environ)

    return call


@dataclass(frozen=True)
class Said:
    """What a command line ended with and wrote."""

    code: int
    out: str
    err: str


Ask = Callable[..., Said]


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The same in this process, ten times as fast: for verbs that only read, and for refusals."""
    from evalkit.cli.main import run

    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*arguments: str, cwd: Path | None = None) -> Said:
        capsys.readouterr()
        with chdir(cwd or tmp_path):
            code = run(list(arguments))
        written = capsys.readouterr()
        return Said(code, written.out, written.err)

    return call


@dataclass(frozen=True)
class Gated:
    """A project with two stored runs: `failed` regressed in 12 of 120 cases, `passed` did not."""

    root: Path
    failed: str
    passed: str

    def bundle(self, run: str) -> Path:
        """The folder of a run."""
        return self.root / ".evalkit/runs" / run


@pytest.fixture(scope="session")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Gated:
    """Made once and read by many: a test that changes it takes `gated_copy`."""
    project = ProjectFiles(tmp_path_factory.mktemp("gated") / "project")
    project.replies["ask@v2"] = wrong_in_first(12)
    project.write()
    runs = project.root / ".evalkit/runs"
    names = []
    for more in (V2, ()):
        done = call_evalkit("run", "--quiet", *more, cwd=project.root)
        assert done.returncode == (1 if more else 0), done.stderr
        (name,) = {path.name for path in runs.iterdir()} - set(names)
        names.append(name)
    return Gated(project.root, *names)


@pytest.fixture
def gated_copy(gated: Gated, tmp_path: Path) -> Gated:
    """A copy of `gated` to change."""
    root = tmp_path / "copy"
    shutil.copytree(gated.root, root)
    return Gated(root, gated.failed, gated.passed)
