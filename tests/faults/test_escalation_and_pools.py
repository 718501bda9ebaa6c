"""More trials where a verdict is open, and what earlier runs of the same content add."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.project import ProjectFiles
from tests.faults.conftest import Evalkit, serve
from tests.faults.noise import NoisyModel
from tests.servers.openai_server import OpenAIServer

V2 = ("--set", "suites.ask.target.prompt=ask@v2")


@pytest.fixture
def noisy(tmp_path: Path, openai_server: OpenAIServer) -> ProjectFiles:
    """200 cases of which a fifth is answered by chance, equally well by both prompts."""
    openai_server.answer = NoisyModel({"v1": 0.8, "v2": 0.8}, shaky=0.2)
    return serve(ProjectFiles(tmp_path / "project", cases=200), openai_server).write()


def last_record(project: ProjectFiles) -> dict[str, Any]:
    folder = max((project.root / ".evalkit/runs").iterdir())
    record: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return record


def drop_of(record: dict[str, Any]) -> dict[str, Any]:
    parts = record["verdict"]["suites"][0]["parts"]
    found: dict[str, Any] = next(part for part in parts if part["name"] == "drop")
    return found


def test_an_open_verdict_is_looked_at_again_with_more_trials(
    evalkit: Evalkit, noisy: ProjectFiles, openai_server: OpenAIServer
) -> None:
    done = evalkit("run", *V2, cwd=noisy.root)
    record = last_record(noisy)
    looks = record["verdict"]["suites"][0]["looks"]
    assert [look["trials"] for look in looks] in ([1, 2], [1, 2, 4])
    assert [look["alpha"] for look in looks][:2] == [0.01, 0.015]
    assert record["suites"][0]["trials"] == looks[-1]["trials"]
    assert openai_server.books.requests == 400 * looks[-1]["trials"]
    assert "inconclusive so far, going on to 2 trials a case" in done.stderr
    assert done.returncode == record["exit_code"] != 4


def test_an_escalated_verdict_is_the_same_when_taken_again_from_its_bundle(
    evalkit: Evalkit, noisy: ProjectFiles
) -> None:
    evalkit("run", *V2, cwd=noisy.root)
    record = last_record(noisy)
    again = evalkit("gate", record["id"], "--json", cwd=noisy.root)
    assert json.loads(again.stdout) == record["verdict"]
    assert evalkit("score", record["id"], cwd=noisy.root).returncode == record["exit_code"]
    assert last_record(noisy)["verdict"] == record["verdict"]


def test_trials_that_are_asked_for_are_one_look_with_the_whole_of_alpha(
    evalkit: Evalkit, noisy: ProjectFiles, openai_server: OpenAIServer
) -> None:
    evalkit("run", *V2, "--trials", "2", cwd=noisy.root)
    record = last_record(noisy)
    assert record["verdict"]["suites"][0]["looks"] == []
    assert drop_of(record)["alpha"] == 0.05
    assert openai_server.books.requests == 800


def test_max_trials_of_one_looks_once(
    evalkit: Evalkit, noisy: ProjectFiles, openai_server: OpenAIServer
) -> None:
    noisy.suite["gate"] = {"max_drop_pp": 3, "max_trials": 1}
    noisy.write()
    evalkit("run", *V2, cwd=noisy.root)
    assert drop_of(last_record(noisy))["alpha"] == 0.05
    assert openai_server.books.requests == 400


def test_scripts_cannot_be_tried_again_so_they_are_looked_at_once(
    evalkit: Evalkit, tmp_path: Path
) -> None:
    project = ProjectFiles(tmp_path / "project", cases=120).write()
    evalkit("run", *V2, cwd=project.root)
    record = last_record(project)
    assert record["verdict"]["suites"][0]["looks"] == []
    assert drop_of(record)["alpha"] == 0.05


def test_a_budget_ends_escalation_with_the_verdict_of_the_last_whole_look(
    evalkit: Evalkit, noisy: ProjectFiles, openai_server: OpenAIServer
) -> None:
    # the server counts about 7 tokens a call, and holds are up to ten times as large: one look
    # of 400 calls fits, a second does not
    noisy.config["budgets"] = [{"scope": "run", "max_tokens": 5000}]
    noisy.write()
    done = evalkit("run", *V2, cwd=noisy.root)
    record = last_record(noisy)
    assert done.returncode == 3, done.stdout + done.stderr
    assert record["state"] == "complete"
    assert record["suites"][0]["trials"] == 1
    assert any("no further look" in note for note in record["suites"][0]["notes"])
    assert [look["trials"] for look in record["verdict"]["suites"][0]["looks"]] == [1]


def test_a_second_try_of_the_same_content_is_pooled_with_the_first(
    evalkit: Evalkit, noisy: ProjectFiles
) -> None:
    noisy.suite["gate"] = {"max_drop_pp": 3, "max_trials": 1}
    noisy.write()
    evalkit("run", *V2, "--no-cache", cwd=noisy.root)
    first = last_record(noisy)
    evalkit("run", *V2, "--no-cache", cwd=noisy.root)
    second = last_record(noisy)
    counts = drop_of(second)["counts"]
    assert (counts["trials_baseline"], counts["trials_candidate"]) == (400, 400)
    pooled = {each["variant"]: each["pooled"] for each in second["suites"][0]["variants"]}
    assert pooled["candidate"] == {first["id"]: 200} == pooled["baseline"]
    # the sums of a run are its own
    assert all(each["attempts"] == 200 for each in second["suites"][0]["totals"])
    again = evalkit("gate", second["id"], "--json", cwd=noisy.root)
    assert json.loads(again.stdout) == second["verdict"]


def test_a_replay_from_the_cache_is_no_second_trial(evalkit: Evalkit, noisy: ProjectFiles) -> None:
    noisy.suite["gate"] = {"max_drop_pp": 3, "max_trials": 1}
    noisy.write()
    evalkit("run", *V2, cwd=noisy.root)
    first = drop_of(last_record(noisy))
    evalkit("run", *V2, cwd=noisy.root)
    assert drop_of(last_record(noisy)) == first


def test_another_content_is_not_pooled(evalkit: Evalkit, noisy: ProjectFiles) -> None:
    evalkit("run", *V2, "--no-cache", "--trials", "1", cwd=noisy.root)
    noisy.route["max_tokens"] = 19
    noisy.write()
    evalkit("run", *V2, "--no-cache", "--trials", "1", cwd=noisy.root)
    assert drop_of(last_record(noisy))["counts"]["trials_candidate"] == 200


def test_runs_of_the_default_branch_bank_the_baseline(
    evalkit: Evalkit, noisy: ProjectFiles
) -> None:
    noisy.suite["gate"] = {"max_drop_pp": 3, "max_trials": 1}
    noisy.suite["baseline"] = "main"
    noisy.write()
    noisy.commit()
    for _ in range(3):
        evalkit("run", "--no-cache", cwd=noisy.root)
    noisy.git("checkout", "-q", "-b", "change")
    noisy.suite["target"] = {"prompt": "ask@v2"}
    noisy.write()
    noisy.commit()
    evalkit("run", "--no-cache", cwd=noisy.root)
    counts = drop_of(last_record(noisy))["counts"]
    # each run on main measured its commit twice: as its own baseline and as the candidate
    assert counts["trials_baseline"] == 200 * 7
    assert counts["trials_candidate"] == 200


def test_runs_of_another_branch_do_not_bank_a_baseline(
    evalkit: Evalkit, noisy: ProjectFiles
) -> None:
    noisy.suite["baseline"] = "main"
    noisy.write()
    noisy.commit()
    noisy.git("checkout", "-q", "-b", "other")
    evalkit("run", "--no-cache", "--trials", "1", cwd=noisy.root)
    noisy.suite["target"] = {"prompt": "ask@v2"}
    noisy.write()
    noisy.commit()
    evalkit("run", "--no-cache", "--trials", "1", cwd=noisy.root)
    assert drop_of(last_record(noisy))["counts"]["trials_baseline"] == 200


@pytest.mark.parametrize("asked", ["v1.0", "last-passing", "main"])
def test_a_baseline_can_be_named_by_what_a_stored_run_was_made_at(
    evalkit: Evalkit, tmp_path: Path, asked: str
) -> None:
    project = ProjectFiles(tmp_path / "project", cases=120).write()
    project.commit()
    project.git("tag", "v1.0")
    assert evalkit("run", cwd=project.root).returncode == 0
    done = evalkit("run", *V2, "--baseline", asked, cwd=project.root)
    assert done.returncode == 0, done.stderr + done.stdout


def test_reports_say_what_was_lent_and_which_cases_are_flaky(
    evalkit: Evalkit, noisy: ProjectFiles
) -> None:
    noisy.suite["gate"] = {"max_drop_pp": 3, "max_trials": 1}
    noisy.suite["baseline"] = "main"
    noisy.write()
    noisy.commit()
    for _ in range(5):
        evalkit("run", "--no-cache", cwd=noisy.root)
    noisy.git("checkout", "-q", "-b", "change")
    noisy.suite["target"] = {"prompt": "ask@v2"}
    noisy.write()
    noisy.commit()
    done = evalkit("run", "--no-cache", cwd=noisy.root)
    said = " ".join(done.stdout.split())
    assert "2,000 attempts of 5 earlier runs of the same content" in said
    assert "passed only some of the baseline's runs" in said
    run = max((noisy.root / ".evalkit/runs").iterdir())
    assert "earlier runs of the same content" in (run / "report.md").read_text()
    flaky = evalkit("history", "--flaky", "ask", cwd=noisy.root)
    assert "quarantine:" in flaky.stdout, flaky.stdout + flaky.stderr


def test_lent_trials_are_no_tests_of_this_run(evalkit: Evalkit, noisy: ProjectFiles) -> None:
    noisy.suite["gate"] = {"max_drop_pp": 3, "max_trials": 1}
    noisy.write()
    for _ in range(2):
        evalkit("run", *V2, "--no-cache", cwd=noisy.root)
    junit = (max((noisy.root / ".evalkit/runs").iterdir()) / "junit.xml").read_text()
    assert junit.count("[candidate, trial 1]") == 200
    assert "trial 2]" not in junit
    assert "Failure mode: wrong_output." in junit
