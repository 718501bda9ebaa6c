"""A bundle from somebody else is shown, compared and scored, or refused: never obeyed."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ask, Gated

ASSETS = ("assets/ask.json", "assets/ask.cases.jsonl")
FILES = ("run.json", "attempts.jsonl", "scores.jsonl", "traces.jsonl", *ASSETS)
EVIL = "<script>alert(1)</script>\x1b[31m\u202e\x9b2J\x00\r::error::x\n::error::y"
DEEP = "[" * 100_000 + "]" * 100_000
READERS = (("show",), ("show", "c0001"), ("diff",), ("gate",), ("score",))


def read_all(ask: Ask, gated: Gated, *, allowed: tuple[int, ...] = (0, 1, 2, 3, 4)) -> None:
    """Every verb that reads a bundle ends as the contract says and obeys nothing in it."""
    for verb, *more in READERS:
        said = ask(verb, gated.failed, *more, cwd=gated.root)
        assert said.code in allowed, (verb, said.err)
        written = said.out + said.err
        assert not any(letter in written for letter in "\x1b\x9b\x00\u202e")
        assert not any(line.startswith("::") for line in written.splitlines())


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_regular_file_is_refused_at_once(ask: Ask, gated_copy: Gated, name: str) -> None:
    path = gated_copy.bundle(gated_copy.failed) / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)  # a reader waits for ever
    read_all(ask, gated_copy, allowed=(0, 1, 2, 4))
    path.unlink()
    path.symlink_to("/dev/zero")  # a reader fills the memory
    said = ask("show", gated_copy.failed, "c0001", cwd=gated_copy.root)
    assert said.code in (2, 4)


@pytest.mark.parametrize("name", FILES)
def test_a_link_that_leads_out_is_neither_read_nor_written(
    ask: Ask, gated_copy: Gated, tmp_path: Path, name: str
) -> None:
    path = gated_copy.bundle(gated_copy.failed) / name
    outside = tmp_path / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    before = outside.read_bytes()
    assert ask("show", gated_copy.failed, "c0001", cwd=gated_copy.root).code == 4
    read_all(ask, gated_copy)  # `score` puts a file of its own in the place of the scores
    assert outside.read_bytes() == before


def test_a_folder_of_assets_elsewhere_is_not_read(
    ask: Ask, gated_copy: Gated, tmp_path: Path
) -> None:
    assets = gated_copy.bundle(gated_copy.failed) / "assets"
    assets.rename(tmp_path / "assets")
    assets.symlink_to(tmp_path / "assets")
    said = ask("score", gated_copy.failed, cwd=gated_copy.root)
    assert said.code == 4
    assert "is a symlink" in said.err


@pytest.mark.parametrize("suite", ["../../../evil", "/etc/evil", "a\\b", "a\x00b", ".hidden", ""])
def test_a_suite_that_names_a_file_elsewhere_is_refused(
    ask: Ask, gated_copy: Gated, suite: str
) -> None:
    change_json(gated_copy, "run.json", lambda data: data["suites"][0].update(suite=suite))
    said = ask("show", gated_copy.failed, cwd=gated_copy.root)
    assert said.code == 4
    assert "no suite's name" in said.err


@pytest.mark.parametrize("key", ["suite", "variant", "case"])
@pytest.mark.parametrize("name", ["attempts.jsonl", "scores.jsonl"])
def test_a_line_about_what_the_run_did_not_have_is_damage(
    ask: Ask, gated_copy: Gated, name: str, key: str
) -> None:
    path = gated_copy.bundle(gated_copy.failed) / name
    first, *others = path.read_text().splitlines(keepends=True)
    damaged = json.dumps(json.loads(first) | {key: "other" + EVIL}) + "\n" + "".join(others)
    path.write_text(damaged)
    for verb, *more in READERS:
        said = ask(verb, gated_copy.failed, *more, cwd=gated_copy.root)
        if (verb, name) == ("score", "scores.jsonl"):  # which are made of the attempts anew
            assert said.code == 1, said.err
            path.write_text(damaged)
        else:
            assert said.code == 4, (verb, said.err)
            assert not any(letter in said.err for letter in "\x1b\x9b\x00\u202e")


@pytest.mark.parametrize("key", ["id", "variant"])
def test_a_run_whose_id_or_variants_are_no_names_is_refused(
    ask: Ask, gated_copy: Gated, key: str
) -> None:
    def change(data: Any) -> None:
        (data if key == "id" else data["suites"][0]["variants"][0])[key] += EVIL

    change_json(gated_copy, "run.json", change)
    read_all(ask, gated_copy, allowed=(4,))


def test_what_is_nested_for_ever_is_damage(ask: Ask, gated_copy: Gated) -> None:
    path = gated_copy.bundle(gated_copy.failed) / "attempts.jsonl"
    first, *others = path.read_text().splitlines(keepends=True)
    attempt = json.loads(first) | {"tool_calls": [{"name": "x", "arguments": {"a": "DEEP"}}]}
    path.write_text(json.dumps(attempt).replace('"DEEP"', DEEP) + "\n" + "".join(others))
    read_all(ask, gated_copy, allowed=(4,))


def test_a_count_that_no_float_holds_is_damage(ask: Ask, gated_copy: Gated) -> None:
    path = gated_copy.bundle(gated_copy.failed) / "attempts.jsonl"
    first, *others = path.read_text().splitlines(keepends=True)
    attempt = json.loads(first) | {"usage": {"input_tokens": 10**400}}
    path.write_text(json.dumps(attempt) + "\n" + "".join(others))
    read_all(ask, gated_copy, allowed=(4,))


@pytest.mark.parametrize("name", FILES)
def test_no_text_of_a_bundle_reaches_a_terminal_or_a_page_as_a_command(
    ask: Ask, gated_copy: Gated, name: str
) -> None:
    change_texts(gated_copy, name)
    read_all(ask, gated_copy)
    page = (gated_copy.bundle(gated_copy.failed) / "report.html").read_text()
    assert "<script>alert" not in page


def change_json(gated: Gated, name: str, change: Callable[[Any], object]) -> None:
    path = gated.bundle(gated.failed) / name
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def change_texts(gated: Gated, name: str) -> None:
    """Put commands behind every free text of a file, of what a suite and a case are called too."""
    path = gated.bundle(gated.failed) / name
    lines = path.read_text().splitlines() if name.endswith("jsonl") else [path.read_text()]
    path.write_text("\n".join(json.dumps(spoilt(json.loads(line))) for line in lines) + "\n")


def spoilt(data: Any, key: str = "") -> Any:
    if isinstance(data, dict):
        data = data | ({"owner": "x"} if data.get("owner", "") is None else {})
        return {name: spoilt(value, name) for name, value in data.items()}
    if isinstance(data, list):
        return [spoilt(value, key) for value in data]
    free = key in ("output", "message", "reason", "why", "owner", "note", "command", "subject")
    return data + EVIL if isinstance(data, str) and free else data
