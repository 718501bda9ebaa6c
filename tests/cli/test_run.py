"""`evalkit run`: flags, refusals, and what is written where."""

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from tests.cli.conftest import V2, Ask, Evalkit, Gated
from tests.cli.project import ProjectFiles

EVALKIT = [sys.executable, "-m", "evalkit"]


def newest(root: Path) -> dict[str, Any]:
    runs = sorted((root / ".evalkit/runs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    record: dict[str, Any] = json.loads((runs[-1] / "run.json").read_text())
    return record


def test_selected_cases_are_run_and_never_gate(ask: Ask, gated_copy: Gated) -> None:
    said = ask("run", "--case", "c0007", "--case", "c0011", *V2, cwd=gated_copy.root)
    assert said.code == 3
    assert "NOT GATED (exit 3)" in said.out
    assert newest(gated_copy.root)["suites"][0]["cases"] == 2
    broken = ask("run", "--cases-from", gated_copy.failed, "--regressed", *V2, cwd=gated_copy.root)
    assert broken.code == 3
    assert newest(gated_copy.root)["suites"][0]["cases"] == 12


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("foo", "KEY=VALUE"),
        ("=3", "KEY=VALUE"),
        ("suites.ask.gate.max_drop_pp=9", "belongs to both variants"),
        ("suites.ask.scorers=[]", "both variants"),
        ("suites.aks.target.prompt=ask@v2", "did you mean 'suites.ask.target.prompt'"),
        ("suites.ask.target.prompt=ask@v7", "did you mean 'ask@v2'"),
        ("suites.ask.target.prompt=[", "not YAML"),
        ("routes.ask.models.primary=other", "'other'"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(
    ask: Ask, gated: Gated, change: str, says: str
) -> None:
    said = ask("run", "--set", change, cwd=gated.root)
    assert (said.code, said.out) == (2, "")
    assert says in said.err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--baseline", "main", "--no-baseline"), "give one"),
        (("--no-cache", "--refresh"), "give one"),
        (("--regressed",), "go together"),
        (("--cases-from", "latest"), "go together"),
        ((*V2, "--set", "suites.ask.target.prompt=ask@v1"), "more than one value"),
        (("--trials", "0"), "--trials"),
        (("--concurrency", "many"), "--concurrency"),
        (("--nope",), "--nope"),
        (("--resume", "nope"), "the newest are"),
        (("--resume", "latest"), "nothing to resume"),
        (("--resume", "latest", *V2), "no other option"),
        (("ask", "--resume", "latest"), "no other option"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(
    ask: Ask, gated: Gated, flags: tuple[str, ...], says: str
) -> None:
    before = sorted((gated.root / ".evalkit/runs").iterdir())
    said = ask("run", *flags, cwd=gated.root)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert sorted((gated.root / ".evalkit/runs").iterdir()) == before


def test_json_is_all_there_is_on_stdout_and_quiet_is_a_line(
    evalkit: Evalkit, gated_copy: Gated
) -> None:
    done = evalkit("run", "--json", *V2, cwd=gated_copy.root)
    assert done.returncode == 1
    assert done.stderr == ""
    record = json.loads(done.stdout)
    assert record["exit_code"] == 1
    assert record == newest(gated_copy.root)
    quiet = evalkit("run", "--quiet", cwd=gated_copy.root, environ={"COLUMNS": "110"})
    assert quiet.stderr == ""
    assert len(quiet.stdout.splitlines()) == 1
    assert quiet.stdout.startswith("PASS (exit 0)")


def test_a_refusal_leaves_stdout_empty_with_json_too(ask: Ask, gated: Gated) -> None:
    assert ask("run", "nope", "--json", cwd=gated.root).out == ""


def test_it_works_from_a_folder_below_the_project(evalkit: Evalkit, gated_copy: Gated) -> None:
    below = gated_copy.root / "goldensets/ask"
    done = evalkit("run", "--quiet", *V2, cwd=below)
    assert done.returncode == 1, done.stderr
    assert not (below / ".evalkit").exists()
    assert newest(gated_copy.root)["exit_code"] == 1


def test_a_page_of_60_columns_has_60_columns(ask: Ask, gated: Gated, evalkit: Evalkit) -> None:
    for verb in (("show", gated.failed), ("diff", gated.failed), ("score", gated.failed)):
        done = evalkit(*verb, cwd=gated.root, environ={"COLUMNS": "60"})
        long = [
            line
            for line in done.stdout.splitlines()
            # commands and paths are there to be copied, so they are never wrapped
            if cell_len(line) > 60 and "evalkit " not in line and "/report." not in line
        ]
        assert long == []


def on_terminal(command: list[str], cwd: Path, **environ: str) -> str:
    """What a command writes to a terminal, both streams, as it comes."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command,
        cwd=cwd,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={k: v for k, v in os.environ.items() if k != "NO_COLOR"}
        | {"TERM": "xterm", "COLUMNS": "100"}
        | environ,
    ):
        os.close(theirs)
        written = b""
        with suppress(OSError):  # how a terminal says that the other end is gone
            while part := os.read(ours, 65536):
                written += part
    os.close(ours)
    return written.decode()


def test_colour_is_for_terminals_that_did_not_refuse_it(
    evalkit: Evalkit, gated_copy: Gated
) -> None:
    command = [*EVALKIT, "run", "--no-cache", *V2]
    assert "\x1b[" in on_terminal(command, gated_copy.root)
    plain = on_terminal(command, gated_copy.root, NO_COLOR="1")
    assert "FAIL" in plain
    assert not any(f"\x1b[{code}" in plain for code in ("1m", "31m", "1;31m", "2m", "32m"))
    piped = evalkit("run", *V2, cwd=gated_copy.root, environ={"NO_COLOR": ""})
    assert "\x1b" not in piped.stdout + piped.stderr


@pytest.mark.parametrize(
    ("redirect", "code"),
    [
        ("2>&1 | head -n 1", 1),
        (">&-", 1),
        ("2>&-", 1),
        ("2>/dev/full", 1),
        (">/dev/full", 4),
    ],
)
def test_what_becomes_of_the_output_never_makes_it_green(
    gated_copy: Gated, redirect: str, code: int
) -> None:
    line = f"{' '.join(EVALKIT)} run {' '.join(V2)} {redirect}; echo ${{PIPESTATUS[0]}} >code"
    subprocess.run(["bash", "-c", line], cwd=gated_copy.root, capture_output=True, check=True)
    assert (gated_copy.root / "code").read_text().strip() == str(code)


def test_a_terminal_or_pipe_that_knows_no_unicode_gets_the_page(
    evalkit: Evalkit, gated: Gated
) -> None:
    done = evalkit(
        "diff", gated.failed, "--exit-code", cwd=gated.root, environ={"PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 1, done.stderr
    assert "baseline → candidate" in done.stdout


def test_a_change_that_both_variants_have_is_inconclusive_until_somebody_accepts_it(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = ProjectFiles(tmp_path / "project").write()
    project.commit()
    prompt = project.root / "prompts/ask/v1.yaml"
    prompt.write_text(prompt.read_text() + "# a comment changes nothing\n")
    assert evalkit("run", cwd=project.root).returncode == 0
    # the baseline is {set: …prompt: ask@v1}, which reads the same file
    prompt.write_text(project.prompt(1, "Say no. {{ input.question }}"))
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 3, done.stdout
    assert "in both variants alike" in " ".join(done.stdout.split())
    assert evalkit("run", "--accept-gate-change", cwd=project.root).returncode == 0
    # against a commit the two differ, and a script that goes by the prompt's name cannot tell
    assert evalkit("run", "--baseline", "main", cwd=project.root).returncode == 2
