"""`evalkit replay`: production traffic against a candidate, gated like a golden set."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.store.runs import RunStore
from tests.cli.conftest import V2, Ask, Gated
from tests.cli.project import RIGHT, WRONG, ProjectFiles
from tests.servers.openai_server import OpenAIServer
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
    assert "15 in stored sessions" in done.out
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


def test_a_suite_that_tests_a_program_is_refused(ask: Ask, project: ProjectFiles) -> None:
    project.suite["target"] = {"command": ["cat"]}
    del project.suite["baseline"]
    project.suite["gate"] = {"min_pass_rate": 0.5}
    project.write()
    refused = ask("replay", "ask", cwd=project.root)
    assert (refused.code, refused.out) == (2, "")
    assert "tests a program" in refused.err


def test_what_cannot_be_replayed_is_counted_by_why(ask: Ask, project: ProjectFiles) -> None:
    store(
        project.root,
        trace_of(asked("Mine?"), digit="0", use="none"),
        trace_of(asked("No text?"), trace_id="0" * 31 + "1", content=False),
        trace_of(chat([said("user", "another prompt")], "yes"), trace_id="0" * 31 + "2"),
        trace_of(asked("Two?"), asked("Two!"), trace_id="0" * 31 + "3"),
        trace_of(chat(["odd"], "yes"), trace_id="0" * 31 + "5"),  # type: ignore[list-item]
        trace_of(asked("Elsewhere?"), trace_id="0" * 31 + "4", route="other"),
        trace_of(asked("Is kim@example.org in?"), trace_id="0" * 31 + "6"),
        trace_of(asked("Who is in?", "kim@example.org"), trace_id="0" * 31 + "7"),
    )
    done = ask("replay", "ask", cwd=project.root)
    assert done.code == 3, done.err
    assert "replay of 15 of 22 stored sessions" in done.out
    # the one that must not be evaluated is none that was missed
    assert "15 of the 21 sessions that may be evaluated" in " ".join(done.out.split())
    assert "--min-played 71" in " ".join(done.out.split())
    for why in (
        "use: none",
        "no content",
        "does not render to",
        "several answers",
        "cannot be read",
        "personal data or a secret, which no trace is written with (2:",
    ):
        assert why in " ".join(done.out.split())
    assert ask("gate", "latest", cwd=project.root).code == 3
    accepted = ask("replay", "ask", "--min-played", "71", cwd=project.root)
    assert accepted.code == 0, accepted.out
    assert "replay of 15 of 22 stored sessions" in accepted.out
    runs = project.root / ".evalkit/runs"
    written = [path for path in runs.rglob("*") if path.is_file()]
    assert not any(b"kim@example.org" in path.read_bytes() for path in written)
    assert any("Not every session was played" in each.read_text() for each in runs.rglob("*.html"))
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


def test_a_plan_counts_what_is_played_and_left_out_and_calls_nothing(
    ask: Ask, project: ProjectFiles
) -> None:
    store(project.root, trace_of(chat([said("user", "other words")], "yes"), digit="0"))
    done = ask("replay", "ask", *V2, "--plan", cwd=project.root)
    assert (done.code, done.err) == (0, "")
    words = " ".join(done.out.split())
    assert "15 cases × 1 variant × 1 trial = 15 attempts" in words
    assert "At most $" in words
    assert f"messages that the suite's prompt does not render to (1: {'0' * 8})" in words
    told = json.loads(ask("replay", "ask", "--plan", "--json", cwd=project.root).out)
    assert told["attempts"] == 15
    assert "left out: messages" in told["notes"][0]
    assert not (project.root / ".evalkit/runs").exists()


@pytest.fixture
def served(project: ProjectFiles) -> Iterator[tuple[ProjectFiles, OpenAIServer]]:
    """The same with a model behind a server, which says yes."""
    server = OpenAIServer().start()
    server.answer = lambda request: "yes"
    project.config["providers"] = {"local": {"kind": "openai", "base_url": server.url}}
    project.config["models"]["tiny"]["provider"] = "local"
    yield project, server
    server.stop()


def test_a_replay_is_charged_to_the_run_and_to_nobody_whose_sessions_it_plays(
    ask: Ask, served: tuple[ProjectFiles, OpenAIServer]
) -> None:
    project, server = served
    everybody = ("user", "org", "team", "key")
    capped = [{"scope": scope, "max_tokens": 1, "window": "day"} for scope in everybody]
    project.config["budgets"] = capped
    project.write()
    assert ask("replay", "ask", cwd=project.root).code == 0
    assert len(server.seen) == 15
    assert RunStore(project.root).open("latest").read_record().billed_usd > 0
    project.config["budgets"] = [*capped, {"scope": "run", "max_tokens": 100}]
    project.write()
    stopped = ask("replay", "ask", "--no-cache", "--concurrency", "1", cwd=project.root)
    assert stopped.code == 4
    assert "budget exhausted" in stopped.out
    (day,) = (project.root / ".evalkit/traces").glob("*.jsonl")
    day.rename(day.with_suffix(".away"))
    gone = ask("run", "--resume", "latest", cwd=project.root)
    assert (gone.code, gone.out) == (2, "")
    assert "(15 of 15 are gone)" in " ".join(gone.err.split())
    day.with_suffix(".away").rename(day)
    project.config["budgets"] = capped
    project.write()
    done = ask("run", "--resume", "latest", cwd=project.root)
    assert (done.code, "15 in stored sessions" in done.out) == (0, True), done.out


def test_what_was_answered_once_comes_from_the_cache_as_in_a_run(
    ask: Ask, served: tuple[ProjectFiles, OpenAIServer]
) -> None:
    project, server = served
    project.write()
    flags = ("replay", "ask", "--limit", "2")
    missing = ask(*flags, "--offline", cwd=project.root)
    assert (missing.code, missing.out) == (2, "")
    asked = []
    for more in ((), (), ("--offline",), ("--refresh",), ("--no-cache",), ("--trials", "2")):
        server.seen.clear()
        assert ask(*flags, *more, cwd=project.root).code == 3, "two sessions can tell nothing"
        asked.append(len(server.seen))
    assert asked == [2, 0, 0, 2, 2, 2]


def test_the_audit_log_says_which_models_read_what_was_said_in_production(
    ask: Ask, project: ProjectFiles
) -> None:
    ask("replay", "ask", cwd=project.root)
    entries = json.loads(ask("audit", "show", "--kind", "traces", "--json", cwd=project.root).out)
    (entry,) = entries["entries"]
    assert entry["kind"] == "traces.replayed"
    assert entry["about"]["sessions"] == 15
    assert entry["about"]["models"] == ["tiny"]


def test_lines_that_cannot_be_read_may_be_sessions_and_keep_a_replay_from_passing(
    ask: Ask, project: ProjectFiles
) -> None:
    day = next((project.root / ".evalkit/traces").glob("*.jsonl"))
    day.write_bytes(b"{broken\n" + day.read_bytes())
    done = ask("replay", "ask", cwd=project.root)
    assert done.code == 3
    words = " ".join(done.out.split())
    assert "15 of the 16 sessions" in words
    assert "1 line of the traces that cannot be read" in words
    # of sessions that are named, every one is found
    flags = [flag for digit in DIGITS for flag in ("--trace", digit * 32)]
    assert ask("replay", "ask", *flags, cwd=project.root).code == 0
    missing = ask("replay", "ask", "--trace", "0000", cwd=project.root)
    assert missing.code == 2
    assert "1 lines of the traces cannot be read" in " ".join(missing.err.split())


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("aks",), "did you mean 'ask'?"),
        (("ask", "--since", "soon"), "is no time"),
        (("ask", "--since", "2030-01-01"), "no session on route ask and began since 2030-01-01"),
        (("ask", "--offline", "--refresh"), "give one of the two"),
        (("ask", "--trace", "zzzz"), "is no id of a trace"),
        (("ask", "--min-played", "101"), "less than or equal to 100"),
    ],
)
def test_what_names_nothing_to_replay_is_refused(
    ask: Ask, project: ProjectFiles, flags: tuple[str, ...], says: str
) -> None:
    done = ask("replay", *flags, cwd=project.root)
    assert (done.code, done.out) == (2, "")
    assert says in " ".join(done.err.split())


def test_a_recorded_model_has_to_be_asked_itself_as_traffic_is_not_recorded(
    ask: Ask, project: ProjectFiles
) -> None:
    tapes = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "recordings": "tapes"}
    project.config["providers"] = {"tapes": tapes}
    project.config["models"]["tiny"]["provider"] = "tapes"
    project.write()
    refused = ask("replay", "ask", cwd=project.root)
    planned = ask("replay", "ask", "--plan", cwd=project.root)
    assert (refused.code, planned.code) == (2, 0)
    for words in (refused.err, planned.out):
        assert "evalkit record" not in words
        assert "--live" in words
    assert "`evalkit replay` refuses to start" in " ".join(planned.out.split())
