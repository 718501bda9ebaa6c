"""Files that somebody damaged: whatever is in them, they are read or refused, and never a crash."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.records.results import Results
from evalkit.sources.results import ResultChoice, read_results

DATA = Path(__file__).parents[2] / "data/results"
CHOICE = ResultChoice(scorer="grade", pass_at=0.5, select={"promptIdx": "0"})
FILES = (
    "promptfoo/lost.json",
    "promptfoo/repeats.jsonl",
    "inspect_ai/started.eval",
    "inspect_ai/base.eval",
    "inspect_ai/epochs.json",
    "junit/pytest.xml",
    "junit/node.xml",
)
FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
KEYS = st.sampled_from(["case", "passed", "trial", "group", "tags", "cost_usd", "tokens", "other"])
VALUES = st.sampled_from(["", "a", "1", "true", "nan", "-1", "1e400", '"', "\x00", "\ud7ff", "a b"])


def read(path: Path, content: bytes) -> Results | None:
    path.write_bytes(content)
    try:
        results = read_results(path, CHOICE)
    except ConfigError as error:
        assert error.problems
        assert all(problem.file == str(path) for problem in error.problems)
        return None
    assert results.rows
    assert all(row.passed in (True, False, None) and row.case for row in results.rows)
    return results


@given(
    content=st.binary(max_size=200), start=st.sampled_from([b"", b"{", b"[", b"<", b"PK", b"c,"])
)
@FUZZ
def test_any_bytes(tmp_path: Path, content: bytes, start: bytes) -> None:
    read(tmp_path / "any", start + content)


@pytest.mark.parametrize("name", FILES)
@given(
    at=st.floats(0, 1), change=st.binary(max_size=3), gone=st.integers(0, 40), end=st.floats(0.3, 2)
)
@FUZZ
def test_a_damaged_file_of_a_tool(
    tmp_path: Path, name: str, at: float, change: bytes, gone: int, end: float
) -> None:
    raw = (DATA / name).read_bytes()
    where = int(at * len(raw))
    damaged = raw[:where] + change + raw[where + gone :]
    read(tmp_path / "damaged", damaged[: int(end * len(raw))])


@given(
    header=st.lists(KEYS, min_size=1, max_size=4),
    rows=st.lists(st.lists(VALUES, min_size=1, max_size=4), max_size=4),
)
@FUZZ
def test_any_table(tmp_path: Path, header: list[str], rows: list[list[str]]) -> None:
    text = "\n".join(",".join(row) for row in (["case", "passed", *header], *rows))
    read(tmp_path / "table.csv", text.encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=4,
)


@given(rows=st.lists(st.dictionaries(KEYS, JSON, max_size=4), min_size=1, max_size=3))
@FUZZ
def test_any_lines(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    usual = {"case": "a", "passed": True}
    lines = [json.dumps({**usual, "trial": n, **row}) for n, row in enumerate(rows)]
    read(tmp_path / "lines.jsonl", "\n".join(lines).encode())
