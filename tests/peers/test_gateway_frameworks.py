"""Agents of LangGraph and LlamaIndex, unchanged, tested through the gateway of a run.

They live in an environment of their own: they want other versions of what evalkit is tested with.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.peers.gateway import Upstream, upstream
from tests.peers.openapi import unavailable
from tests.peers.test_gateway_programs import CASES, calls, run

pytestmark = pytest.mark.downloads

REQUIREMENTS = Path(__file__).with_name("frameworks.txt")
EXAMPLES = Path(__file__).parents[2] / "docs/examples/targets"


class Shop(Upstream):
    """Asks for the tool of the examples, and answers once it has the tool's result."""

    def next(self) -> Any:
        if any(message["role"] == "tool" for message in self.bodies[-1]["messages"]):
            return "your order was sent"
        wanted = calls("c1")
        wanted["tool_calls"][0]["function"] = {
            "name": "lookup_order",
            "arguments": '{"order_id": "A-1"}',
        }
        return wanted


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of an environment that has the frameworks: $EVALKIT_FRAMEWORKS, or one that
    is made once in the user's cache; skips the test where it cannot be made."""
    if given := os.environ.get("EVALKIT_FRAMEWORKS"):
        return Path(given)
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = caches / f"evalkit/frameworks/{digest}"
    if not (home / "whole").exists():
        environ = {key: value for key, value in os.environ.items() if key != "PIP_CONSTRAINT"}
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        pip = [home / "bin/python", "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS]
        done = subprocess.run(pip, env=environ, capture_output=True, text=True)
        if done.returncode:
            unavailable(f"the frameworks cannot be installed: {done.stderr[-300:]}")
        (home / "whole").touch()
    return home / "bin/python"


@pytest.fixture
def up() -> Iterator[Upstream]:
    with upstream(kind=Shop) as it:
        yield it


@pytest.mark.parametrize("example", ["langgraph_agent", "llama_index_agent"])
def test_an_agent_of_a_framework_is_traced_priced_and_scored_without_a_change(
    up: Upstream, python: Path, tmp_path: Path, example: str
) -> None:
    argv = f'["{python}", "{EXAMPLES / example}.py"]'
    code, stored = run(tmp_path, up.url, f"{{command: {{argv: {argv}, gateway: true}}}}")
    assert code == 0
    assert len(stored.attempts) == CASES
    for attempt in stored.attempts:
        assert attempt.output == "your order was sent"
        assert attempt.model == "one"
        assert attempt.cost_usd
        assert "lookup_order" in attempt.allowed_tools
    assert "@example.org" not in str(up.bodies), "personal data did not leave"
