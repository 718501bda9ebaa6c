"""`evalkit replay`: production traffic against a candidate, gated like a golden set."""

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.store.runs import RunStore
from tests.cli.conftest import V2, Ask, Gated
from tests.cli.project import RIGHT, WRONG, ProjectFiles
from tests.stored_traces import chat, said, store, trace_of

DIGITS = "123456789abcdef"


def asked(question: str, answer: str = "yes") -> Any:
    return chat([said("user", f"v1 {question}")], answer)


def script(root: Path, prompt: str, wrong: str = "") -> str:
    """Replies of a prompt to each session; a wrong one to those whose digit is in `wrong`."""
    rows = [
        {"case": f"trace-{digit * 32}", "prompt": prompt, "reply": reply}
        for digit in DIGITS
        for reply in [WRONG if digit in wrong else RIGHT]
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    """Fifteen sessions that production answered with yes; v1 still does, and v2 not to seven."""
    project = ProjectFiles(tmp_path / "project", cases=2)
    project.suite["gate"] = {
        "max_drop_pp": 30,
        "slices": {"even": {"max_drop_pp": 5}},
        "metrics": {"latency_s": {"max_increase_pct": 10}},
    }
    project.write()
    scripts = project.root / "scripted/ask.jsonl"
    lines = script(project.root, "ask@v1") + script(project.root, "ask@v2", wrong="1234567")
    scripts.write_text(scripts.read_text() + lines)
    store(
        project.root,
        *(trace_of(asked(f"Is it {digit}?"), digit=digit) for digit in DIGITS),
    )
    return project


def test_traffic_that_is_answered_as_before_passes(ask: Ask, project: ProjectFiles) -> None:
    done = ask("replay", "ask", cwd=project.root)
    assert done.code == 0, done.err
    assert "replay of 15 of 15 stored sessions" in done.out
    assert "the baseline is what production answered" in done.out
    assert "gate.slices, gate.metrics.latency_s" in done.out
    bundle = RunStore(project.root).open("latest")
    run = bundle.load_whole()
    (suite,) = run.record.suites
    assert (suite.golden, suite.cases) == ("ask.traffic@v1", 15)
    assert suite.golden_digest.startswith("sha256:")
    baseline = suite.variant("baseline")
    assert baseline is not None
    assert baseline.source == "run production"
    measured = {each.measurement_id for each in run.attempts if each.variant == "baseline"}
    assert f"trace/{'a' * 32}" in measured
    assert run.record.billed_usd < 0.01
    assert ask("gate", run.record.id, cwd=project.root).code == 0


def test_a_candidate_that_answers_otherwise_fails(ask: Ask, project: ProjectFiles) -> None:
    done = ask("replay", "ask", *V2, "--json", cwd=project.root)
    assert done.code == 1
    record = json.loads(done.out)
    assert record["verdict"]["outcome"] == "fail"
    assert record["request"]["traces"][0] in {digit * 32 for digit in DIGITS}
    again = ask("gate", record["id"], cwd=project.root)
    assert again.code == 1
    shown = ask("show", record["id"], f"trace-{'1' * 32}", cwd=project.root)
    assert shown.code == 0
    assert "no" in shown.out


def test_sessions_that_asked_the_same_count_as_one(ask: Ask, project: ProjectFiles) -> None:
    same = [trace_of(asked("Is it 1?"), trace_id=f"{n:032x}") for n in range(16, 24)]
    store(project.root, *same)
    scripts = project.root / "scripted/ask.jsonl"
    rows = [{"case": f"trace-{t.trace_id}", "prompt": "ask@v1", "reply": RIGHT} for t in same]
    scripts.write_text(scripts.read_text() + "".join(json.dumps(row) + "\n" for row in rows))
    ids = [flag for trace in same for flag in ("--trace", trace.trace_id)]
    done = ask("replay", "ask", *ids, cwd=project.root)
    assert done.code == 3, "eight sessions, one question"
    assert "replay of 8 of 8" in done.out


def test_a_suite_that_tests_no_prompt_is_refused(ask: Ask, project: ProjectFiles) -> None:
    project.suite["target"] = {"command": ["cat"]}
    del project.suite["baseline"]
    project.suite["gate"] = {"min_pass_rate": 0.5}
    project.write()
    refused = ask("replay", "ask", cwd=project.root)
    assert (refused.code, refused.out) == (2, "")
    assert "tests no prompt" in refused.err


def test_what_cannot_be_replayed_is_counted_by_why(ask: Ask, project: ProjectFiles) -> None:
    store(
        project.root,
        trace_of(asked("Mine?"), digit="0", use="none"),
        trace_of(asked("No text?"), trace_id="0" * 31 + "1", content=False),
        trace_of(chat([said("user", "another prompt")], "yes"), trace_id="0" * 31 + "2"),
        trace_of(asked("Two?"), asked("Two!"), trace_id="0" * 31 + "3"),
        trace_of(chat(["odd"], "yes"), trace_id="0" * 31 + "5"),  # type: ignore[list-item]
        trace_of(asked("Elsewhere?"), trace_id="0" * 31 + "4", route="other"),
    )
    done = ask("replay", "ask", cwd=project.root)
    assert done.code == 0, done.err
    assert "replay of 15 of 20 stored sessions" in done.out
    for why in (
        "use: none",
        "no content",
        "does not render to",
        "several answers",
        "cannot be read",
    ):
        assert why in " ".join(done.out.split())
    for flags in (("--trace", "0" * 32), ("--route", "other", "--since", "2026-12-01")):
        refused = ask("replay", "ask", *flags, cwd=project.root)
        assert (refused.code, refused.out) == (2, "")
    assert ask("replay", "ask", "--trace", "feed", cwd=project.root).code == 2
    assert ask("replay", "nope", "--trace", "aaaa", cwd=project.root).code == 2


def test_a_replay_is_no_point_of_a_trend_and_nobody_s_baseline(ask: Ask, gated_copy: Gated) -> None:
    root = gated_copy.root
    scripts = root / "scripted/ask.jsonl"
    scripts.write_text(scripts.read_text() + script(root, "ask@v1"))
    store(root, *(trace_of(asked(f"Is it {digit}?"), digit=digit) for digit in DIGITS))
    before = json.loads(ask("history", "--json", cwd=root).out)
    done = ask("replay", "ask", "--last", "3", cwd=root)
    assert done.code == 3, "three sessions can tell nothing"
    assert json.loads(ask("history", "--json", cwd=root).out)["trends"] == before["trends"]
    run = RunStore(root).open("latest").read_record().id
    refused = ask("run", "ask", "--baseline", run, cwd=root)
    assert refused.code == 2
    assert "cannot be compared" in refused.err
