"""`evalkit key`: what an operator makes and sees."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ask

CONFIG = """\
version: 1
providers: {up: {kind: openai, base_url: "http://127.0.0.1:9/v1"}}
models: {one: {provider: up}}
routes: [{name: plain, models: {primary: one}}]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "evalkit.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def test_a_key_with_caps_and_an_end_is_listed_with_what_is_left(project: Path, ask: Ask) -> None:
    flags = ["--user", "u1", "--expires", "30d", "--max-usd", "5", "--max-tokens", "1000"]
    made = ask("key", "add", *flags)
    assert made.code == 0
    told = ask("key", "list").out
    assert "0 of 5 USD and 0 of 1000 tokens used this day" in told
    assert "expires 20" in told
    assert made.out.strip() not in told
    (listed,) = json.loads(ask("key", "list", "--json").out)
    assert listed["left_usd"] == 5
    assert listed["left_tokens"] == 1000


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--routes", "plan"], "there is no route 'plan'; there is plain"),
        (["--routes", "plain", "--routes", "plain"], "route 'plain' is given 2 times"),
        (["--expires", "soon"], "--expires soon is no time"),
        (["--max-usd", "0"], "--max-usd 0 is no cap"),
        (["--max-usd", "nan"], "--max-usd nan is no cap"),
        (["--for", "metrics", "--routes", "plain"], "a key for metrics opens no route"),
        (["--for", "metrics", "--max-usd", "1"], "a key for metrics opens no route"),
    ],
)
def test_what_makes_no_key_is_told(project: Path, ask: Ask, flags: list[str], told: str) -> None:
    said = ask("key", "add", *flags)
    assert said.code == 2
    assert told in said.err
    assert not (project / ".evalkit" / "keys.db").exists()
