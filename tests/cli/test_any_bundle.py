"""Whatever is changed in a bundle, the verbs that read it end as the contract says."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.conftest import Ask, Gated

VALUES: list[Any] = [None, True, 0, -1, 1.5, 1e308, 10**30, 10**400, "", "a\x00\u202e\x1b[2J"]
VALUES += ["../x", "x" * 5_000, "9999-12-31", "\ud800", [], {}, [[]], {"": 0}, "nan", "sha256:"]
ENDS = (0, 1, 2, 3, 4)


ASSETS = ("assets/ask.json", "assets/ask.cases.jsonl")


@pytest.mark.parametrize("name", ["run.json", "attempts.jsonl", "scores.jsonl", *ASSETS])
@given(
    where=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    value=st.sampled_from(VALUES),
    drop=st.booleans(),
)
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_value_that_is_another(
    ask: Ask, gated: Gated, tmp_path: Path, name: str, where: list[int], value: Any, drop: bool
) -> None:
    root = tmp_path / "copy"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(gated.root, root)
    path = root / ".evalkit/runs" / gated.failed / name
    lines = path.read_text().splitlines() if name.endswith("jsonl") else [path.read_text()]
    documents = [json.loads(line) for line in lines]
    spoil(documents, where, value, drop)
    path.write_text("\n".join(json.dumps(each) for each in documents) + "\n")
    for verb in ("show", "gate"):
        said = ask(verb, gated.failed, cwd=root)
        assert said.code in ENDS, said.err
        assert not set("\x1b\x00\u202e") & set(said.out + said.err)


def spoil(data: Any, where: list[int], value: Any, drop: bool) -> None:
    """Put the value at the place that the numbers lead to, or leave out what stands there."""
    step, *rest = where
    keys = list(data) if isinstance(data, dict) else list(range(len(data)))
    if not keys:
        return
    key = keys[step % len(keys)]
    if rest and isinstance(data[key], dict | list) and data[key]:
        spoil(data[key], rest, value, drop)
    elif drop:
        del data[key]
    else:
        data[key] = value
