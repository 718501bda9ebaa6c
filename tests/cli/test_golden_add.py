"""`evalkit golden add`: a session in production becomes a case, as a change to be reviewed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ask, call_evalkit
from tests.cli.project import ProjectFiles
from tests.stored_traces import chat, said, store, trace_of

V1 = "goldensets/ask/v1"
QUESTION = "When does the branch in the old town open on Sundays and holidays?"


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    """Three cases, and session a… that asked something new through the prompt of the suite."""
    project = ProjectFiles(tmp_path / "project", cases=3).write()
    store(project.root, trace_of(asked(QUESTION), digit="a"))
    return project


def asked(question: str, answer: str = "At ten.") -> Any:
    return chat([said("user", f"v1 {question}")], answer)


def files(root: Path) -> dict[str, bytes]:
    """Everything outside of the private state."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".evalkit" not in path.parts
    }


def last_case(root: Path, folder: str = V1) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((root / folder / "cases.jsonl").read_text().splitlines()[-1])
    return case


def test_a_session_becomes_a_case_whose_expectation_is_left_to_a_person(
    ask: Ask, project: ProjectFiles
) -> None:
    before = (project.root / V1 / "cases.jsonl").read_text()
    done = ask("golden", "add", "ask", "--from-trace", "aaaa", "--tag", "hours", cwd=project.root)
    assert (done.code, done.err) == (0, "")
    after = (project.root / V1 / "cases.jsonl").read_text()
    assert after.startswith(before)
    assert after.count("\n") == 4
    case = last_case(project.root)
    assert case["id"] == "trace-aaaaaaaa"
    assert case["input"] == {"question": QUESTION}
    assert case["tags"] == ["hours"]
    assert case["identity"] == {"user": "u-0123456789"}
    assert "expected" not in case
    source = case["source"]
    assert (source["trace"], source["week"], source["route"]) == ("a" * 32, "2026-W49", "ask")
    assert (source["kind"], source["model"]) == ("trace", "tiny")
    assert source["digest"].startswith("sha256:")
    assert "@@ -3,0 +4 @@" in done.out
    assert "expected: empty" in done.out
    checked = ask("check", cwd=project.root)
    assert checked.code == 2
    assert "nothing that a gating scorer" in checked.err


def test_a_frozen_set_stays_and_a_new_version_stands_beside_it(
    ask: Ask, project: ProjectFiles
) -> None:
    kept = project.root / V1 / "set.yaml"
    kept.write_text("# whose\n" + kept.read_text() + "owner: ada # who reviews\n")
    ask("golden", "freeze", "ask@v1", cwd=project.root)
    before = files(project.root)
    args = ("golden", "add", "ask@v1", "--from-trace", "aaaa", "--expect-answer")
    planned = ask(*args, "--dry-run", cwd=project.root)
    assert "would be in ask@v2" in planned.out
    assert files(project.root) == before
    done = ask(*args, cwd=project.root)
    after = files(project.root)
    assert done.code == 0
    assert {path: after[path] for path in before} == before
    assert sorted(after.keys() - before.keys()) == [
        "goldensets/ask/v2/cases.jsonl",
        "goldensets/ask/v2/set.yaml",
    ]
    frozen = before[f"{V1}/set.yaml"].decode().splitlines()
    expected = [line.replace("version: 1", "version: 2") for line in frozen]
    assert after["goldensets/ask/v2/set.yaml"].decode().splitlines() == [
        line for line in expected if not line.startswith("digest:")
    ]
    assert "golden: ask@v2" in done.out
    store(project.root, trace_of(asked("May I bring my old dog into the hall?"), digit="b"))
    ask("golden", "add", "ask", "--from-trace", "bbbb", cwd=project.root)
    assert last_case(project.root, "goldensets/ask/v2")["id"] == "trace-bbbbbbbb"
    older = ask("golden", "add", "ask@v1", "--from-trace", "bbbb", cwd=project.root)
    assert older.code == 2
    assert "not the newest version" in older.err


def test_what_production_answered_is_a_draft_that_cannot_be_frozen(
    ask: Ask, project: ProjectFiles
) -> None:
    args = ("golden", "add", "ask", "--from-trace", "aaaa", "--expect-answer")
    assert ask(*args, cwd=project.root).code == 0
    case = last_case(project.root)
    assert case["expected"] == {"output": "At ten."}
    assert case["source"]["expected"] == "draft"
    assert "nobody has confirmed" in ask("check", cwd=project.root).err
    frozen = ask("golden", "freeze", "ask@v1", cwd=project.root)
    assert (frozen.code, frozen.out) == (2, "")
    assert "cases.jsonl:4" in frozen.err
    del case["source"]["expected"]
    project.write_cases([*(project.case(number) for number in range(3)), case])
    assert ask("golden", "freeze", "ask@v1", cwd=project.root).code == 0


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"use": "none"}, "use: none"),
        ({"use": "training"}, "training only"),
        ({"content": False}, "telemetry: {content: redacted}"),
    ],
)
def test_a_session_that_may_not_become_a_case_changes_nothing(
    ask: Ask, project: ProjectFiles, fields: dict[str, Any], says: str
) -> None:
    store(project.root, trace_of(asked("And may I come in on Mondays?"), digit="c", **fields))
    before = files(project.root)
    done = ask("golden", "add", "ask", "--from-trace", "cccc", cwd=project.root)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert files(project.root) == before


def test_one_session_is_one_case_and_near_duplicates_need_a_reason(
    ask: Ask, project: ProjectFiles
) -> None:
    add = ("golden", "add", "ask", "--from-trace")
    ask(*add, "aaaa", "--group", "hours", cwd=project.root)
    again = ask(*add, "aaaa", "--case-id", "other", cwd=project.root)
    assert again.code == 2
    assert "already: trace-aaaaaaaa" in again.err
    near = QUESTION.replace("?", "!")
    store(project.root, trace_of(asked(near), digit="b"), trace_of(asked(near), digit="d"))
    before = files(project.root)
    refused = ask(*add, "bbbb", cwd=project.root)
    assert refused.code == 2
    assert "trace-aaaaaaaa" in refused.err
    assert files(project.root) == before
    assert ask(*add, "bbbb", "--group", "hours", cwd=project.root).code == 0
    allowed = ask(*add, "dddd", "--allow-duplicate", "shouted", cwd=project.root)
    assert allowed.code == 0
    assert last_case(project.root)["source"]["reason"] == "shouted"
    assert ask(*add, "dddd", "--case-id", "c0001", cwd=project.root).code == 2


def test_what_is_given_takes_the_place_of_what_is_found(ask: Ask, project: ProjectFiles) -> None:
    (project.root / "in.json").write_text('{"question": "Is it open?", "more": [1]}')
    done = call_evalkit(
        *("golden", "add", "ask", "--from-trace", "aaaa", "--input", "in.json"),
        *("--expected", "-", "--case-id", "mine", "--json"),
        cwd=project.root,
        typed='{"output": "yes"}',
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["schema"], told["written"]) == ("evalkit.golden_add/1", True)
    assert told["case"] == last_case(project.root)
    assert told["case"]["input"] == {"question": "Is it open?", "more": [1]}
    assert told["case"]["expected"] == {"output": "yes"}
    assert ask("check", cwd=project.root).code == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"output": "write to kim@example.org"}', "personal data"),
        ('{"blocked": "maybe"}', "expected.blocked"),
        ("[1]", "holds no object"),
        ('{"output": 1, "output": 2}', "output"),
        ("{", "in.json:1"),
    ],
)
def test_what_no_golden_set_would_take_is_refused(
    ask: Ask, project: ProjectFiles, text: str, says: str
) -> None:
    (project.root / "in.json").write_text(text)
    before = files(project.root)
    args = ("golden", "add", "ask", "--from-trace", "aaaa", "--expected", "in.json")
    done = ask(*args, cwd=project.root)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert files(project.root) == before


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--case-id", " x"), "spaces around it"),
        (("--tag", "a", "--tag", "a"), "twice"),
        (("--expected", "nowhere.json"), "nowhere.json"),
        (("--expected", "x.json", "--expect-answer"), "give one"),
        (("--expected", "-", "--input", "-"), "cannot both"),
    ],
)
def test_flags_that_make_no_case_are_refused(
    ask: Ask, project: ProjectFiles, flags: tuple[str, ...], says: str
) -> None:
    before = files(project.root)
    done = ask("golden", "add", "ask", "--from-trace", "aaaa", *flags, cwd=project.root)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert files(project.root) == before


def test_a_new_version_never_leads_out_of_the_project_nor_over_anything(
    ask: Ask, project: ProjectFiles, tmp_path: Path
) -> None:
    ask("golden", "freeze", "ask@v1", cwd=project.root)
    outside = tmp_path / "outside"
    outside.mkdir()
    os.symlink(outside, project.root / "goldensets/ask/v2")
    before = files(project.root)
    done = ask("golden", "add", "ask", "--from-trace", "aaaa", cwd=project.root)
    assert done.code == 2
    assert list(outside.iterdir()) == []
    (project.root / "goldensets/ask/v2").unlink()
    (project.root / "goldensets/ask/v2").write_text("mine")
    assert ask("golden", "add", "ask", "--from-trace", "aaaa", cwd=project.root).code != 0
    assert files(project.root) == before | {"goldensets/ask/v2": b"mine"}


def test_a_set_in_yaml_takes_a_case_as_its_last_entry(ask: Ask, project: ProjectFiles) -> None:
    folder = project.root / V1
    (folder / "cases.jsonl").unlink()
    yaml = "# by hand\n- id: one\n  input: {question: Is it?}\n  expected: {output: yes}"
    (folder / "cases.yaml").write_text(yaml)
    assert ask("golden", "add", "ask", "--from-trace", "aaaa", cwd=project.root).code == 0
    assert (folder / "cases.yaml").read_text().startswith(yaml + "\n- {")
    assert "ask@v1: 2 cases" in ask("golden", "stats", "ask@v1", cwd=project.root).out
    (folder / "cases.yaml").write_text("[{id: one, input: {question: Is it?}}]\n")
    refused = ask("golden", "add", "ask", "--from-trace", "aaaa", cwd=project.root)
    assert refused.code == 2
    assert "takes no further entry" in refused.err


def test_a_name_that_is_not_there_makes_a_set_only_where_that_is_asked_for(
    ask: Ask, project: ProjectFiles
) -> None:
    before = files(project.root)
    typo = ask("golden", "add", "aks", "--from-trace", "aaaa", cwd=project.root)
    assert (typo.code, typo.out) == (2, "")
    assert "did you mean 'ask'?" in typo.err
    assert "--new makes goldensets/aks/v1" in " ".join(typo.err.split())
    assert files(project.root) == before
    args = ("golden", "add", "hours", "--from-trace", "aaaa", "--new", "--expect-answer")
    planned = ask(*args, "--dry-run", cwd=project.root)
    assert "would be in hours@v1" in planned.out
    assert files(project.root) == before
    done = ask(*args, cwd=project.root)
    assert (done.code, done.err) == (0, "")
    assert "a new golden set" in done.out
    assert "no suite uses the set yet" in done.out
    assert "+++ goldensets/hours/v1/set.yaml" in done.out
    after = files(project.root)
    assert sorted(after.keys() - before.keys()) == [
        "goldensets/hours/v1/cases.jsonl",
        "goldensets/hours/v1/set.yaml",
    ]
    assert b"from route ask" in after["goldensets/hours/v1/set.yaml"]
    case = last_case(project.root, "goldensets/hours/v1")
    # the suite on the session's route tells what an input looks like
    assert case["input"] == {"question": QUESTION}
    assert case["expected"] == {"output": "At ten."}
    assert "hours@v1: 1 cases" in ask("golden", "stats", "hours@v1", cwd=project.root).out
    store(project.root, trace_of(asked("May I bring my old dog into the hall?"), digit="b"))
    assert ask("golden", "add", "hours", "--from-trace", "bbbb", cwd=project.root).code == 0
    assert len((project.root / "goldensets/hours/v1/cases.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ask", "is a golden set ask already"),
        ("hours@v2", "begins with v1"),
        ("../hours", "name"),
        ("two words", "name"),
    ],
)
def test_a_set_that_cannot_be_new_is_refused(
    ask: Ask, project: ProjectFiles, name: str, says: str
) -> None:
    before = files(project.root)
    done = ask("golden", "add", name, "--from-trace", "aaaa", "--new", cwd=project.root)
    assert (done.code, done.out) == (2, "")
    assert says in " ".join(done.err.split())
    assert files(project.root) == before


def test_a_new_set_never_stands_outside_of_the_project(
    ask: Ask, project: ProjectFiles, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    os.symlink(outside, project.root / "goldensets/hours")
    done = ask("golden", "add", "hours", "--from-trace", "aaaa", "--new", cwd=project.root)
    assert done.code == 2
    assert "leads out of the project" in " ".join(done.err.split())
    assert list(outside.iterdir()) == []
