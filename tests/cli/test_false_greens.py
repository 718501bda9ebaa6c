"""Ways in which gates were ever green by accident: none of them ends with 0 here."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Evalkit
from tests.cli.project import WRONG, ProjectFiles, always, wrong_in_first

V2 = ("--set", "suites.ask.target.prompt=ask@v2")


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    return ProjectFiles(tmp_path / "project")


def run_of(project: ProjectFiles) -> dict[str, Any]:
    """run.json of the newest run."""
    runs = sorted((project.root / ".evalkit/runs").iterdir())
    record: dict[str, Any] = json.loads((runs[-1] / "run.json").read_text())
    return record


def test_the_project_of_these_tests_passes_when_nothing_is_wrong(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 0, done.stderr + done.stdout


def test_a_regression_fails_and_its_report_is_written(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.replies["ask@v2"] = wrong_in_first(12)
    project.write()
    done = evalkit("run", *V2, cwd=project.root)
    assert done.returncode == 1, done.stderr + done.stdout
    run = project.root / ".evalkit/runs" / run_of(project)["id"]
    assert "FAIL" in (run / "report.md").read_text()
    assert "<failure" in (run / "junit.xml").read_text()


def test_an_empty_golden_set_is_refused(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.write().write_cases([])
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "goldensets/ask/v1/cases.jsonl" in done.stderr


@pytest.mark.parametrize("scorers", [None, [], [{"exact": {}, "gate": False}]])
def test_nothing_that_decides_whether_a_case_passes_is_refused(
    evalkit: Evalkit, project: ProjectFiles, scorers: object
) -> None:
    project.suite["scorers"] = scorers
    if scorers is None:
        del project.suite["scorers"]
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "scorers" in done.stderr


def test_a_case_that_no_scorer_reads_is_refused(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.case_changes = {7: {"expected": {}}}
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "goldensets/ask/v1/cases.jsonl:8:" in done.stderr


@pytest.mark.parametrize(
    "change",
    [
        {"assertions": []},
        {"gate": {"max_drop": 3}},
        {"scorers": [{"exactly": {}}]},
    ],
)
def test_an_unknown_key_is_refused(
    evalkit: Evalkit, project: ProjectFiles, change: dict[str, object]
) -> None:
    project.suite.update(change)
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "evalkit.yaml:" in done.stderr


def test_a_judge_without_its_rubric_is_refused_with_a_reason(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.suite["scorers"] = [{"exact": {}}, {"judge": "tone@v1"}]
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "suites.ask.scorers[1].judge" in done.stderr
    assert "there is no rubric 'tone'" in done.stderr


def test_nan_in_a_gate_is_refused(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.suite["gate"] = {"max_drop_pp": float("nan")}
    project.write()
    assert evalkit("run", cwd=project.root).returncode == 2


@pytest.mark.parametrize("flags", [("--tag", "nobody"), ("--case", "c9999")])
def test_a_filter_that_matches_nothing_is_refused(
    evalkit: Evalkit, project: ProjectFiles, flags: tuple[str, str]
) -> None:
    project.write()
    done = evalkit("run", *flags, cwd=project.root)
    assert done.returncode == 2
    assert "no case matches" in done.stderr


def test_a_filtered_run_never_gates(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.write()
    assert evalkit("run", "--tag", "even", cwd=project.root).returncode == 3
    assert run_of(project)["verdict"] is None


def test_an_unknown_suite_is_refused(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.write()
    done = evalkit("run", "aks", cwd=project.root)
    assert done.returncode == 2
    assert "did you mean" in done.stderr


def test_a_project_without_suites_is_refused(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.config["suites"] = {}
    project.write()
    assert evalkit("run", cwd=project.root).returncode == 2


def test_a_gate_that_requires_nothing_is_refused(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.suite["gate"] = {"max_drop_pp": None}
    project.write()
    assert evalkit("run", cwd=project.root).returncode == 2


def test_too_few_cases_are_inconclusive(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.cases = 60
    project.write()
    assert evalkit("run", cwd=project.root).returncode == 3


def test_a_drop_inside_the_noise_is_inconclusive(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.replies["ask@v2"] = wrong_in_first(2)
    project.write()
    assert evalkit("run", *V2, cwd=project.root).returncode == 3


def test_a_floor_is_not_reached_by_rounding(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.cases = 700
    project.replies["ask@v1"] = wrong_in_first(400)  # 42.857 % pass
    project.suite["gate"] = {"max_drop_pp": None, "min_pass_rate": 0.43}
    project.write()
    assert evalkit("run", "--no-baseline", cwd=project.root).returncode != 0


def test_a_baseline_that_does_not_exist_is_refused(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.write()
    project.commit()
    done = evalkit("run", "--baseline", "no-such-branch", cwd=project.root)
    assert done.returncode == 2
    assert "no-such-branch" in done.stderr


def test_a_baseline_prompt_that_does_not_exist_is_refused(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.suite["baseline"] = {"set": {"suites.ask.target.prompt": "ask@v9"}}
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "ask@v9" in done.stderr


def test_without_git_and_without_a_floor_there_is_nothing_to_hold_against(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    del project.suite["baseline"]
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "min_pass_rate" in done.stderr
    assert "fetch-depth: 0" in done.stderr


def test_without_git_a_floor_is_gated_alone(evalkit: Evalkit, project: ProjectFiles) -> None:
    del project.suite["baseline"]
    project.suite["gate"] = {"min_pass_rate": 0.9}
    project.write()
    assert evalkit("run", cwd=project.root).returncode == 0
    project.replies["ask@v1"] = wrong_in_first(60)
    project.write()
    assert evalkit("run", "--no-cache", cwd=project.root).returncode == 1


def test_an_incomplete_run_never_becomes_a_baseline(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.write()
    evalkit("run", cwd=project.root)
    record = run_of(project)
    path = project.root / ".evalkit/runs" / record["id"] / "run.json"
    path.write_text(json.dumps(record | {"state": "incomplete"}))
    done = evalkit("run", "--baseline", record["id"], cwd=project.root)
    assert done.returncode == 2
    assert "incomplete" in done.stderr


def test_a_selected_run_never_becomes_a_baseline(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.write()
    evalkit("run", "--tag", "even", cwd=project.root)
    assert evalkit("run", "--baseline", "latest", cwd=project.root).returncode == 2


def test_a_baseline_of_another_golden_set_is_refused(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.write()
    evalkit("run", cwd=project.root)
    project.case_changes = {3: {"input": {"question": "Something else?"}}}
    project.write()
    done = evalkit("run", "--baseline", "latest", cwd=project.root)
    assert done.returncode == 2
    assert "cannot be compared" in done.stderr


def test_a_stored_baseline_that_was_measured_alike_gates(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.replies["ask@v2"] = wrong_in_first(12)
    project.write()
    assert evalkit("run", cwd=project.root).returncode == 0
    assert evalkit("run", "--baseline", "latest", cwd=project.root).returncode == 0
    assert evalkit("run", "--baseline", "latest", *V2, cwd=project.root).returncode == 1


def test_a_frozen_set_that_changed_is_refused(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.write()
    assert evalkit("golden", "freeze", "ask@v1", cwd=project.root).returncode == 0
    cases = [project.case(number) for number in range(project.cases)]
    project.write_cases(cases[:-1])
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "version" in done.stderr


def test_a_vanished_case_is_inconclusive_until_somebody_accepts_it(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.write()
    project.commit()
    project.write_cases([project.case(number) for number in range(1, project.cases)])
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 3
    assert "c0000" in done.stdout
    assert evalkit("run", "--accept-gate-change", cwd=project.root).returncode == 0


@pytest.mark.parametrize(
    ("gate", "says"),
    [
        ({"max_drop_pp": 9}, "max_drop_pp"),
        ({"max_drop_pp": 3, "on_inconclusive": "warn"}, "on_inconclusive"),
        ({"max_drop_pp": 3, "max_error_share": 0.5}, "max_error_share"),
        ({"max_drop_pp": 3, "alpha": 0.2}, "alpha"),
    ],
)
def test_a_change_that_loosens_its_own_gate_is_inconclusive(
    evalkit: Evalkit, project: ProjectFiles, gate: dict[str, object], says: str
) -> None:
    project.write()
    project.commit()
    project.suite["gate"] = gate
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 3
    assert says in done.stdout
    assert evalkit("run", "--accept-gate-change", cwd=project.root).returncode == 0


def test_a_change_that_drops_a_suite_is_inconclusive(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.config["suites"]["second"] = dict(project.suite)
    project.write()
    (project.root / "scripted/second.jsonl").write_text(
        (project.root / "scripted/ask.jsonl").read_text()
    )
    project.commit()
    del project.config["suites"]["second"]
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 3
    assert "second" in done.stdout


def test_a_change_that_widens_a_policy_is_inconclusive(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.route["policies"] = {"disallow_actions": ["send_email"], "pii_redaction": True}
    project.write()
    project.commit()
    project.route["policies"] = {"disallow_actions": [], "pii_redaction": False}
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 3
    assert "send_email" in done.stdout
    assert "personal data" in done.stdout


def test_a_policy_that_is_widened_with_set_is_inconclusive(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.route["require_citations"] = False
    project.route["policies"] = {"disallow_actions": ["send_email"]}
    project.write()
    widened = evalkit("run", "--set", "routes.ask.policies.disallow_actions=[]", cwd=project.root)
    assert widened.returncode == 3


def test_a_changed_prompt_that_no_suite_uses_is_refused(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.write()
    project.commit()
    (project.root / "prompts/ask/v3.yaml").write_text(project.prompt(3))
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "prompts/ask/v3.yaml" in done.stderr
    assert evalkit("run", "--allow-unexercised", cwd=project.root).returncode == 0


def test_a_changed_route_that_no_suite_uses_is_refused(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.config["routes"].append({"name": "other", "models": {"primary": "tiny"}})
    project.write()
    project.commit()
    project.config["routes"][1]["max_tokens"] = 5
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "route other" in done.stderr


def test_a_reply_that_is_not_scripted_is_refused_before_anything_runs(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    del project.replies["ask@v2"]
    project.write()
    done = evalkit("run", *V2, cwd=project.root)
    assert done.returncode == 2
    assert not (project.root / ".evalkit/runs").exists()


def test_a_blocked_answer_is_no_pass(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.route["require_citations"] = True
    project.write()
    project.suite["gate"] = {"max_drop_pp": 3, "min_pass_rate": 0.5}
    project.write()
    assert evalkit("run", cwd=project.root).returncode == 1


def test_a_policy_holds_whatever_provider_answers(evalkit: Evalkit, project: ProjectFiles) -> None:
    """No provider is asked whether it supports a guardrail: the session enforces it around each."""
    call = {"name": "send_email", "arguments": {"to": "someone"}}
    project.route["policies"] = {"disallow_actions": ["send_email"]}
    project.replies["ask@v2"] = always({"content": "yes", "tool_calls": [call]})
    project.write()
    done = evalkit("run", *V2, "--json", cwd=project.root)
    assert done.returncode == 1
    (suite,) = json.loads(done.stdout)["suites"]
    states = {each["variant"]: each["states"] for each in suite["totals"]}
    assert states == {"baseline": {"answered": 120}, "candidate": {"blocked": 120}}


def test_two_variants_that_are_wrong_alike_miss_their_floor(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.replies = {"ask@v1": always(WRONG), "ask@v2": always(WRONG)}
    project.suite["gate"] = {"max_drop_pp": 3, "min_pass_rate": 0.8}
    project.write()
    assert evalkit("run", *V2, cwd=project.root).returncode == 1


def test_two_variants_that_are_wrong_alike_are_inconclusive_without_a_floor(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.replies = {"ask@v1": always(WRONG), "ask@v2": always(WRONG)}
    project.write()
    done = evalkit("run", *V2, cwd=project.root)
    assert done.returncode == 3
    assert "could not have happened" in " ".join(done.stdout.split())


def test_a_reader_that_goes_away_keeps_the_code(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.replies["ask@v2"] = wrong_in_first(40)
    project.write()
    command = f"{sys.executable} -m evalkit run {' '.join(V2)} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=project.root, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "1", done.stderr


def test_two_runs_at_once_in_one_project_both_gate(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.replies["ask@v2"] = wrong_in_first(40)
    project.write()
    command = [sys.executable, "-m", "evalkit", "run", "--quiet"]
    both = [
        subprocess.Popen(
            [*command, *more], cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for more in ((), V2)
    ]
    for each in both:
        each.communicate(timeout=60)
    assert [each.returncode for each in both] == [0, 1]


def test_scores_that_are_lost_change_no_verdict(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.replies["ask@v2"] = wrong_in_first(12)
    project.write()
    assert evalkit("run", *V2, cwd=project.root).returncode == 1
    path = project.root / ".evalkit/runs" / run_of(project)["id"] / "scores.jsonl"
    kept = [line for line in path.read_text().splitlines() if '"passed":false' not in line]
    path.write_text("\n".join(kept) + "\n")
    assert evalkit("gate", "latest", cwd=project.root).returncode == 1


@pytest.mark.parametrize(
    "change", [{"cases": []}, {"cases": {"count": 0}}, {"gate": {"max_drop_pp": 50}}]
)
def test_a_snapshot_that_is_not_what_was_run_decides_nothing(
    evalkit: Evalkit, project: ProjectFiles, change: dict[str, object]
) -> None:
    project.replies["ask@v2"] = wrong_in_first(12)
    project.write()
    assert evalkit("run", *V2, cwd=project.root).returncode == 1
    path = project.root / ".evalkit/runs" / run_of(project)["id"] / "assets/ask.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    done = evalkit("gate", "latest", cwd=project.root)
    assert done.returncode == 4
    assert "than run.json says were run" in done.stderr or "holds more cases" in done.stderr


def test_a_reply_that_says_two_things_is_no_pass(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.suite["scorers"] = [{"exact": {"fields": ["a"]}}]
    project.case_changes = {number: {"expected": {"a": 1}} for number in range(120)}
    project.replies["ask@v1"] = always({"content": '{"a": 1}'})
    project.replies["ask@v2"] = always({"content": '{"a": 2, "a": 1}'})
    project.write()
    assert evalkit("run", *V2, cwd=project.root).returncode == 1


@pytest.mark.parametrize(("contains", "normalise"), [([], []), ([" "], ["strip"]), ([""], [])])
def test_an_expectation_that_asks_for_nothing_is_refused_before_anything_runs(
    evalkit: Evalkit, project: ProjectFiles, contains: list[str], normalise: list[str]
) -> None:
    project.suite["scorers"] = [{"contains": {"normalise": normalise}}]
    project.case_changes = {number: {"expected": {"contains": ["yes"]}} for number in range(120)}
    project.case_changes[7] = {"expected": {"contains": contains}}
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2, done.stdout
    assert "goldensets/ask/v1/cases.jsonl:8" in done.stderr


def test_an_invariant_that_no_case_can_break_is_refused(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.suite["gate"] = {"max_drop_pp": None, "invariants": ["forbidden_tools"]}
    project.write()
    done = evalkit("run", cwd=project.root)
    assert done.returncode == 2
    assert "expected.forbidden_tools" in done.stderr


def test_an_invariant_does_not_stand_in_for_a_drop_that_is_not_measured(
    evalkit: Evalkit, project: ProjectFiles
) -> None:
    project.suite["gate"] = {"max_drop_pp": 3, "invariants": ["policy"]}
    project.case_changes = {0: {"expected": {"output": "yes", "blocked": True}}}
    project.write()
    done = evalkit("run", "--no-baseline", cwd=project.root)
    assert done.returncode == 2
    assert "min_pass_rate" in done.stderr


def test_the_latest_run_is_the_last(evalkit: Evalkit, project: ProjectFiles) -> None:
    project.cases = 100
    project.replies["ask@v2"] = wrong_in_first(40)
    project.write()
    for flags, code in ((V2, 1), ((), 0)):
        assert evalkit("run", *flags, cwd=project.root).returncode == code
        assert evalkit("gate", "latest", cwd=project.root).returncode == code
