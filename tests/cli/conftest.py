"""Running the real command in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Evalkit = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def evalkit(tmp_path: Path) -> Evalkit:
    """Call `evalkit` with these arguments in a folder of the test's own."""

    def call(
        *arguments: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        environment = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
        return subprocess.run(
            [sys.executable, "-m", "evalkit", *arguments],
            cwd=cwd or tmp_path,
            env=environment | {"COLUMNS": "100", "NO_COLOR": "1"} | dict(environ or {}),
            capture_output=True,
            text=True,
            check=False,
        )

    return call
