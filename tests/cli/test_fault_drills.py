"""`evalkit run --fault`: a drill takes the fallback that a normal run never takes, and never gates.

Two models through two scripted providers: the first is right in every case, the second wrong in
the first thirty.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.store.runs import RunStore
from evalkit.workflows.history.entry import entry_of
from evalkit.workflows.runs.caching import open_cache
from evalkit.workflows.setup.request import RunRequest
from tests.cli.conftest import Ask
from tests.cli.project import RIGHT, WRONG, ProjectFiles

CASES = 60


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    files = ProjectFiles(tmp_path, cases=CASES)
    files.config["providers"]["spare"] = {"kind": "scripted", "path": "scripted/spare.jsonl"}
    files.config["models"]["second"] = {
        "provider": "spare",
        "price": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1},
    }
    files.route["models"]["fallback"] = "second"
    files.write()
    rows = [
        {"case": f"c{number:04}", "prompt": "ask@v1", "reply": WRONG if number < 30 else RIGHT}
        for number in range(CASES)
    ]
    (tmp_path / "scripted/spare.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return files


def attempts(root: Path) -> list[dict[str, Any]]:
    """What the last run journalled."""
    bundle = sorted((root / ".evalkit/runs").iterdir(), key=lambda path: path.stat().st_mtime)[-1]
    lines = (bundle / "attempts.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("fault", "code"),
    [("primary=down", "connection"), ("scripts=slow", "timeout"), ("primary=429", "rate_limited")],
)
def test_with_the_first_provider_broken_the_fallback_answers_everything(
    project: ProjectFiles, ask: Ask, fault: str, code: str
) -> None:
    said = ask("run", "--fault", fault, "--json")
    assert said.code == 3, said.err
    made = attempts(project.root)
    assert len(made) == 2 * CASES
    assert {each["model"] for each in made} == {"second"}
    assert {hop["code"] for each in made for hop in each["fallbacks"]} == {code}
    run = json.loads(said.out)
    assert (run["gates"], run["verdict"], run["state"]) == (False, None, "complete")
    assert "A drill is no gate" in run["why"][0]
    # what the fallback answers is scored, although the suite counts it as an error in a real run
    candidate = run["suites"][0]["totals"][1]
    assert (candidate["passed"], candidate["errors"], candidate["fallbacks"]) == (30, 0, CASES)


def test_the_report_says_what_was_broken(project: ProjectFiles, ask: Ask) -> None:
    said = ask("run", "--fault", "primary=down")
    words = " ".join(said.out.split())
    assert "NOT GATED (exit 3) A drill is no gate" in words
    assert "every call through provider scripts ends with a connection error" in words
    (bundle,) = (project.root / ".evalkit/runs").iterdir()
    for report in ("report.md", "report.html"):
        assert "a connection error" in (bundle / report).read_text()


def test_without_a_fallback_every_attempt_is_an_error_and_none_is_left_out(
    project: ProjectFiles, ask: Ask
) -> None:
    del project.route["models"]["fallback"]
    project.write()
    assert ask("run", "--fault", "primary=down", "--quiet").code == 3
    made = attempts(project.root)
    assert len(made) == 2 * CASES
    assert {(each["state"], each["failure_mode"]) for each in made} == {("error", "connection")}


def test_a_fallback_through_the_same_provider_is_down_with_it(
    project: ProjectFiles, ask: Ask
) -> None:
    project.config["models"]["second"]["provider"] = "scripts"
    project.write()
    assert ask("run", "--fault", "primary=down", "--quiet").code == 3
    assert {each["state"] for each in attempts(project.root)} == {"error"}


def test_a_drill_is_never_a_baseline_and_decides_nothing_afterwards(
    project: ProjectFiles, ask: Ask
) -> None:
    ask("run", "--fault", "primary=down", "--quiet")
    (bundle,) = (project.root / ".evalkit/runs").iterdir()
    for refused in (("run", "--baseline", bundle.name), ("gate", bundle.name)):
        said = ask(*refused)
        assert said.code == 2
        assert "was a drill with broken providers" in said.err


def test_a_drill_leaves_nothing_in_the_history_to_count_or_lend(
    project: ProjectFiles, ask: Ask
) -> None:
    for fault in ((), ("--fault", "primary=down")):
        ask("run", *fault, "--quiet")
    store = RunStore(project.root)
    runs = [store.open(path.name).load() for path in (project.root / ".evalkit/runs").iterdir()]
    (drill,) = (run for run in runs if run.record.drill)
    (normal,) = (run for run in runs if not run.record.drill)
    entry, tallies = entry_of(drill, root=project.root)
    assert (entry.whole, entry.arms, tallies) == (False, (), {})
    assert entry_of(normal, root=project.root)[1]
    shown = ask("history", "--json").out
    assert normal.record.id in shown
    assert drill.record.id not in shown


def test_a_drill_neither_reads_nor_writes_the_cache(tmp_path: Path) -> None:
    with open_cache(tmp_path, RunRequest(faults={"primary": "down"})) as cache:
        assert cache is None
    with open_cache(tmp_path, RunRequest()) as cache:
        assert cache is not None


def test_a_resumed_drill_breaks_the_same(project: ProjectFiles, ask: Ask) -> None:
    ask("run", "--fault", "primary=down", "--quiet")
    (bundle,) = (project.root / ".evalkit/runs").iterdir()
    journal = bundle / "attempts.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:50]))
    record = json.loads((bundle / "run.json").read_text())
    (bundle / "run.json").write_text(json.dumps(record | {"state": "incomplete"}))
    assert ask("run", "--resume", bundle.name, "--quiet").code == 3
    made = attempts(project.root)
    assert len(made) == 2 * CASES
    assert {each["model"] for each in made} == {"second"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--fault", "primary"), "--fault takes PROVIDER=FAULT"),
        (("--fault", "primary=off"), "down, slow, 429"),
        (("--fault", "primary=down", "--fault", "primary=slow"), "twice"),
        (("--fault", "script=down"), "did you mean 'scripts'"),
        (("--fault", "idle=down"), "breaks nothing"),
        (("--fault", "primary=down", "--refresh"), "leave --refresh out"),
    ],
)
def test_a_drill_that_would_show_nothing_is_refused(
    project: ProjectFiles, ask: Ask, arguments: tuple[str, ...], says: str
) -> None:
    project.config["providers"]["idle"] = {"kind": "scripted", "path": "scripted/idle.jsonl"}
    project.write()
    said = ask("run", *arguments)
    assert said.code == 2
    assert says in said.err
    assert not (project.root / ".evalkit/runs").exists()


def test_the_plan_of_a_drill_is_of_the_model_that_would_answer(
    project: ProjectFiles, ask: Ask
) -> None:
    project.config["models"]["second"]["price"] = {
        "input_usd_per_mtok": 7,
        "output_usd_per_mtok": 7,
    }
    project.write()
    said = ask("plan", "--fault", "primary=down")
    assert said.code == 0, said.err
    assert "every call through provider scripts ends with a connection error" in " ".join(
        said.out.split()
    )
    planned = json.loads(ask("plan", "--fault", "primary=down", "--json").out)
    assert planned["attempts"] == 2 * CASES
    assert len(planned["drill"]) == 1
    assert json.loads(ask("plan", "--json").out)["drill"] == []
    assert not (project.root / ".evalkit/runs").exists()


@pytest.mark.parametrize(
    ("fault", "says"),
    [("primary=off", "down, slow, 429"), ("script=down", "did you mean 'scripts'")],
)
def test_a_plan_of_a_drill_that_would_show_nothing_is_refused(
    project: ProjectFiles, ask: Ask, fault: str, says: str
) -> None:
    said = ask("plan", "--fault", fault)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
