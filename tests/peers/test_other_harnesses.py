"""What promptfoo, inspect_ai and test runners write now is read as what they wrote for tests/data.

Nothing is installed here. The tools are where these variables say: EVALKIT_PEER_PROMPTFOO (the
command), EVALKIT_PEER_INSPECT (an interpreter with inspect_ai), EVALKIT_PEER_NODE (the command) and
EVALKIT_PEER_NODE_MODULES (a folder with jest and jest-junit). pytest is always there.
"""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from evalkit.errors import ConfigError
from evalkit.records.results import ResultRow
from evalkit.sources.results import ResultChoice, read_results

DATA = Path(__file__).parents[1] / "data/results"
pytestmark = pytest.mark.peers


def tool(variable: str) -> str:
    """Where a tool is; skips where nobody says."""
    if variable not in os.environ:
        pytest.skip(f"{variable} is not set")
    return os.environ[variable]


def write(script: str, *arguments: str) -> None:
    done = subprocess.run(
        [*arguments[:1], str(DATA / script), *arguments[1:]], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")


def what_is_in(path: Path) -> object:
    """The rows without what differs from run to run, or why it is refused."""
    choice = ResultChoice(scorer="grade", pass_at=0.5, select={"promptIdx": "0"})
    try:
        results = read_results(path, choice)
    except ConfigError as error:
        return str(error).replace(str(path), "FILE")
    rows = [msgspec.structs.replace(row, latency_s=None) for row in results.rows]
    return sorted(rows, key=row_key), dict(results.unknown), dict(results.checks)


def row_key(row: ResultRow) -> tuple[str, int]:
    return row.case, row.trial


def assert_as_kept(folder: Path, kept: Path, pattern: str) -> None:
    names = sorted(path.name for path in kept.glob(pattern))
    assert names
    for name in names:
        assert what_is_in(folder / name) == what_is_in(kept / name), name


def test_promptfoo_writes_what_is_kept(tmp_path: Path) -> None:
    write(
        "promptfoo/write_results.py", sys.executable, str(tmp_path), tool("EVALKIT_PEER_PROMPTFOO")
    )
    assert_as_kept(tmp_path, DATA / "promptfoo", "*.json*")


def test_inspect_ai_writes_what_is_kept(tmp_path: Path) -> None:
    write("inspect_ai/write_logs.py", tool("EVALKIT_PEER_INSPECT"), str(tmp_path))
    assert_as_kept(tmp_path, DATA / "inspect_ai", "*.eval")
    assert_as_kept(tmp_path, DATA / "inspect_ai", "*.json")


def test_pytest_writes_what_is_kept(tmp_path: Path) -> None:
    write("junit/write_reports.py", sys.executable, str(tmp_path))
    assert_as_kept(tmp_path, DATA / "junit", "pytest.xml")


@pytest.mark.parametrize(
    ("variable", "option", "report"),
    [
        ("EVALKIT_PEER_NODE", "--node", "node.xml"),
        ("EVALKIT_PEER_NODE_MODULES", "--jest", "jest.xml"),
    ],
)
def test_node_and_jest_write_what_is_kept(
    tmp_path: Path, variable: str, option: str, report: str
) -> None:
    write("junit/write_reports.py", sys.executable, str(tmp_path), option, tool(variable))
    assert_as_kept(tmp_path, DATA / "junit", report)
