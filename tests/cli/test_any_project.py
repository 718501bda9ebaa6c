"""A project of which one file is garbage: every verb ends as the contract says, and none is green.

What happens is told in words, without a traceback; a child process with a bound on its memory
stands in for a machine that a file could exhaust.
"""

import json
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Ask
from tests.cli.project import ProjectFiles
from tests.faults.fuzzing.memory_tree import DATA

EVIL = "<script>alert(1)</script>\x1b[31m\u202e\n::error::x\r=cmd|'/c calc'!A1"
PRINTED = "<script>alert(1)</script>=cmd|'/c calc'!A1 ::error::x"
GARBAGE = {
    "bytes": bytes(range(256)),
    "a cut off file": b'{"id": "c0001", "input": {"question": "a"',
    "numbers that are none": b'{"id": "c1", "input": {"a": NaN}, "expected": {"output": 1e999}}\n',
    "a list": b"[1, 2, 3]\n",
    "nothing": b"",
    "half a character": b'{"id": "\\ud800", "input": {"question": "a"}}\n',
    "nested for ever": b"[" * 100_000,
}
FILES = (
    "evalkit.yaml",
    "prompts/ask/v1.yaml",
    "goldensets/ask/v1/set.yaml",
    "goldensets/ask/v1/cases.jsonl",
    "scripted/ask.jsonl",
)
MEMORY = 2 << 30


@pytest.mark.parametrize("raw", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("name", FILES)
def test_garbage_in_any_file_is_never_green(
    ask: Ask, tmp_path: Path, name: str, raw: bytes
) -> None:
    project = ProjectFiles(tmp_path / "project", cases=2).write()
    (project.root / name).write_bytes(raw)
    said = ask("run", "--quiet", cwd=project.root)
    assert said.code == 2, said
    assert "Traceback" not in said.err
    assert "evalkit has a bug" not in said.err
    if not name.startswith("scripted"):
        said = ask("check", cwd=project.root)
        assert said.code == 2, said
        assert Path(name).name in said.err or name == "evalkit.yaml"


@pytest.mark.parametrize("at", [0, 1, 2])
def test_no_case_vanishes(ask: Ask, tmp_path: Path, at: int) -> None:
    project = ProjectFiles(tmp_path / "project", cases=3).write()
    path = project.root / "goldensets/ask/v1/cases.jsonl"
    lines = path.read_bytes().splitlines()
    for broken in (lines[at][:-1], lines[at] + b"}", b"// " + lines[at], lines[at][:20]):
        path.write_bytes(b"\n".join([*lines[:at], broken, *lines[at + 1 :]]))
        said = ask("run", "--quiet", cwd=project.root)
        assert said.code == 2, said
        assert f"cases.jsonl:{at + 1}" in said.err


def test_ids_and_tags_that_hide_something_are_refused_and_shown_escaped(
    ask: Ask, tmp_path: Path
) -> None:
    for change in ({"id": EVIL}, {"tags": [EVIL]}, {"group": EVIL}):
        project = ProjectFiles(tmp_path / "project", cases=2, case_changes={0: change}).write()
        said = ask("check", cwd=project.root)
        assert_obeys_nothing(said.out + said.err)
        assert said.code == 2 or "id" not in change


def test_texts_of_a_project_command_no_terminal_page_or_host(ask: Ask, tmp_path: Path) -> None:
    project = ProjectFiles(tmp_path / "project", cases=3)
    project.suite["owner"] = f"a {PRINTED}"
    project.case_changes = {
        number: {"id": f"c{number}{PRINTED}", "tags": [f"t{PRINTED}"], "group": f"g{PRINTED}"}
        for number in range(3)
    }
    project.write()
    rows = [
        {"case": f"c{n}{PRINTED}", "prompt": "ask@v1", "reply": {"content": "no" + EVIL}}
        for n in range(3)
    ]
    script = project.root / "scripted/ask.jsonl"
    script.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for verb in (("run",), ("show",), ("diff",), ("score",), ("history",)):
        said = ask(*verb, cwd=project.root)
        assert said.code in (0, 1, 3), (verb, said.err)
        assert_obeys_nothing(said.out + said.err)
    for name in ("report.html", "report.md", "junit.xml"):
        (report,) = project.root.glob(f".evalkit/runs/*/{name}")
        text = (
            re.sub("`[^`\n]*`", "", report.read_text())
            if name == "report.md"
            else report.read_text()
        )
        assert "<script>alert" not in text, name  # in Markdown, code is shown as it is
        assert "\x1b" not in text, name


def assert_obeys_nothing(written: str) -> None:
    """No letter that a terminal obeys, no line that a job's log does."""
    assert not set("\x1b\u202e\r") & set(written)
    assert not any(line.startswith("::") for line in written.splitlines())


BOMBS = {
    "goldensets/ask/v1/cases.jsonl": b'{"id": "c1", "input": {"a": "' + b"x" * (9 << 20) + b'"}}\n',
    "evalkit.yaml": b"a: &a " + b"[x]\n" + b"".join(b"b%d: *a\n" % n for n in range(20_000)),
    "prompts/ask/v1.yaml": b"name: ask\nversion: 1\nmessages:\n- role: user\n  content: '{{ "
    + b"not " * 50_000
    + b"1 }}'\noutput: {kind: text}\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_two_gigabytes(tmp_path: Path, name: str) -> None:
    project = ProjectFiles(tmp_path / "project", cases=2).write()
    (project.root / name).write_bytes(BOMBS[name])
    done = subprocess.run(
        [sys.executable, "-m", "evalkit", "check"],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    assert done.returncode == 2, done.stderr[-500:]
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 20_000


def test_the_project_of_all_kinds_of_files_is_in_order(ask: Ask, tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(DATA / "project", root)
    said = ask("check", cwd=root)
    assert said.code == 0, said.err
