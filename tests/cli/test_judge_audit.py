"""`evalkit judge audit`: what it prints, what it stores, how it ends."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audited_project import AUDIT, gullible, labelled, reply, write_project
from tests.cli.conftest import Ask
from tests.servers.openai_server import OpenAIServer

ITEMS = [labelled(number, passed=number % 2 == 0) for number in range(40)]
AUDIT_VERB = ("judge", "audit", "tone@v1", "--count", "20")


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    server = OpenAIServer().start()
    server.answer = lambda request: gullible(request.prompt)
    yield server
    server.stop()


def test_an_audit_tells_its_calls_first_then_what_is_weak_and_what_to_do(
    ask: Ask, tmp_path: Path, server: OpenAIServer
) -> None:
    root = write_project(tmp_path, ITEMS, base_url=server.url)
    said = ask(*AUDIT_VERB, cwd=root)
    assert said.code == 0
    assert said.err.splitlines()[0].startswith("asking the judge up to 420 times")
    assert said.err.splitlines()[-1] == "asked 420 of 420"
    assert server.books.requests == 420
    assert said.out.startswith("WEAK  tone@v1: injection;")
    assert "labels made by a model (not by people)" in said.out
    assert "injection: plain verdict" in said.out
    assert "10 of 10 fails became a pass" in said.out
    assert "Whoever writes the text can write its verdict." in said.out
    assert said.out.rstrip().endswith(AUDIT)


def test_json_is_what_is_stored(ask: Ask, tmp_path: Path, server: OpenAIServer) -> None:
    root = write_project(tmp_path, ITEMS, base_url=server.url)
    said = ask(*AUDIT_VERB, "--json", "--repeats", "1", "--seed", "3", cwd=root)
    found = json.loads(said.out)
    assert found == json.loads((root / AUDIT).read_text())
    assert (found["schema"], found["seed"], found["repeats"]) == ("evalkit.audit/1", 3, 1)
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["injection"]["finding"] == "weak"
    assert rows["repeats"]["finding"] == "ok"


@pytest.mark.parametrize("columns", ["40", "70", "100"])
def test_no_line_is_wider_than_the_screen_and_none_is_coloured(
    ask: Ask,
    tmp_path: Path,
    server: OpenAIServer,
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    root = write_project(tmp_path, ITEMS, base_url=server.url)
    monkeypatch.setenv("COLUMNS", columns)
    said = ask(*AUDIT_VERB, cwd=root)
    assert max(len(line) for line in said.out.splitlines()) <= int(columns)
    assert "\x1b" not in said.out
    assert said.out.count("weak") >= 2


def test_a_scripted_judge_measures_nothing_and_says_so(ask: Ask, tmp_path: Path) -> None:
    config = {
        "providers": {"scripts": {"kind": "scripted", "path": "scripted/{suite}.jsonl"}},
        "models": {"tiny": {"provider": "scripts"}},
    }
    root = write_project(tmp_path, ITEMS, config=config)
    lines = [
        {"case": item.id, "prompt": "judge judge", "reply": {"content": reply("pass")}}
        for item in ITEMS
    ]
    (root / "scripted").mkdir()
    (root / "scripted/tone.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    said = ask(*AUDIT_VERB, cwd=root)
    assert said.code == 0
    assert said.out.startswith("NOT MEASURED  tone@v1")
    assert "written by hand" in said.out


def test_recorded_replies_are_not_asked_again_without_live(
    ask: Ask, tmp_path: Path, server: OpenAIServer
) -> None:
    served = {"kind": "openai", "base_url": server.url, "recordings": "recordings"}
    root = write_project(tmp_path, ITEMS, config={"providers": {"served": served}})
    said = ask(*AUDIT_VERB, cwd=root)
    assert (said.code, server.books.requests) == (0, 0)
    assert said.out.startswith("NOT MEASURED")
    assert "--live asks the model" in " ".join(said.out.split())
    live = ask(*AUDIT_VERB, "--live", cwd=root)
    assert (live.code, server.books.requests) == (0, 420)
    assert live.out.startswith("WEAK")


def test_bad_input_ends_with_2_and_names_what_is_there(ask: Ask, tmp_path: Path) -> None:
    root = write_project(tmp_path, [])
    for arguments, says in (
        (("tnoe@v1",), "tone"),
        (("tone@v1",), "no output is labelled"),
        (("tone@v1", "--labels", "nowhere.jsonl"), "nowhere.jsonl"),
        (("tone@v1", "--count", "0"), "--count"),
        (("tone@v1", "--repeats", "0"), "--repeats"),
    ):
        said = ask("judge", "audit", *arguments, cwd=root)
        assert (said.code, said.out) == (2, ""), arguments
        assert says in said.err
    assert not (root / AUDIT).exists()


def test_a_budget_that_is_too_small_ends_with_4_and_stores_nothing(
    ask: Ask, tmp_path: Path, server: OpenAIServer
) -> None:
    config = {"budgets": [{"scope": "run", "max_usd": 0.005}]}
    root = write_project(tmp_path, ITEMS, base_url=server.url, config=config)
    said = ask(*AUDIT_VERB, cwd=root)
    assert (said.code, said.out) == (4, "")
    assert "0.005000 USD" in said.err
    assert server.books.requests < 100
    assert not (root / AUDIT).exists()
