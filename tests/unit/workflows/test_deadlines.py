"""What `check` says of waivers and quarantines as their days come and go."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from evalkit.config.suites import Suite
from evalkit.workflows.checking import check_project
from evalkit.workflows.setup.deadlines import ended_quarantines
from tests.cli.project import ProjectFiles

TODAY = date(2026, 7, 15)


def waiver(root: Path, *, until: date, suite: str = "ask", part: str = "drop") -> None:
    """A file with one waiver."""
    start = min(until, TODAY) - timedelta(days=30)
    root.joinpath("waivers.yaml").write_text(
        f"waivers:\n  - id: w-1\n    suite: {suite}\n    part: {part}\n"
        f"    reason: Fixed by ASK-7 next week.\n    accepted_by: Ana\n    on: {start}\n"
        f"    until: {until}\n    up_to: 5\n"
    )


def said(root: Path, severity: str) -> list[str]:
    """What `check` finds on the day, of waivers and quarantines."""
    return [
        str(problem)
        for problem in check_project(root, today=TODAY).problems
        if problem.severity == severity
        and ("waive" in str(problem) or "quarantine" in str(problem))
    ]


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    return ProjectFiles(tmp_path, cases=100).write()


@pytest.mark.parametrize(
    ("days", "severity", "words"),
    [
        (-1, "error", "expired 1 day ago"),
        (-30, "error", "expired 30 days ago"),
        (0, "warning", "ends today"),
        (1, "warning", "ends in 1 day"),
        (7, "warning", "ends in 7 days"),
    ],
)
def test_a_waiver_that_ended_is_an_error_and_one_about_to_is_a_warning(
    project: ProjectFiles, days: int, severity: str, words: str
) -> None:
    waiver(project.root, until=TODAY + timedelta(days=days))
    (found,) = said(project.root, severity)
    assert found.startswith("waivers.yaml:2: w-1: ") and words in found
    assert "--renew" in found and "--remove w-1" in found


def test_a_waiver_in_force_is_no_problem(project: ProjectFiles) -> None:
    waiver(project.root, until=TODAY + timedelta(days=8))
    assert said(project.root, "error") + said(project.root, "warning") == []


def test_a_waiver_of_a_suite_that_is_gone_is_an_error(project: ProjectFiles) -> None:
    waiver(project.root, until=TODAY + timedelta(days=20), suite="aks")
    (found,) = said(project.root, "error")
    assert "there is no suite of this name" in found and "did you mean 'ask'" in found


def test_a_waiver_of_a_part_that_the_suite_lacks_is_an_error(project: ProjectFiles) -> None:
    waiver(project.root, until=TODAY + timedelta(days=20), part='"slice:even drop"')
    (found,) = said(project.root, "error")
    assert "suite ask requires no part 'slice:even drop'" in found


def test_waivers_are_looked_at_although_the_configuration_is_broken(project: ProjectFiles) -> None:
    waiver(project.root, until=TODAY - timedelta(days=3))
    project.suite["scorers"] = []
    project.write()
    found = check_project(project.root, today=TODAY)
    assert {problem.file for problem in found.problems} == {"evalkit.yaml", "waivers.yaml"}
    assert found.summary == "2 errors"


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (-2, "ended 2 days ago"),
        (0, "ends today"),
        (6, "ends in 6 days"),
        (400, "more than a year"),
    ],
)
def test_a_quarantine_that_ended_or_never_ends_is_a_warning(
    project: ProjectFiles, days: int, words: str
) -> None:
    until = TODAY + timedelta(days=days)
    project.suite["quarantine"] = {"cases": {"c0001": {"until": str(until), "reason": "flaky"}}}
    project.write()
    (found,) = said(project.root, "warning")
    assert "suites.ask.quarantine.cases.c0001.until" in found and words in found
    assert said(project.root, "error") == []


def test_a_run_names_the_cases_that_count_again(project: ProjectFiles) -> None:
    project.suite["quarantine"] = {
        "cases": {
            case: {"until": until, "reason": "flaky"}
            for case, until in (("c0001", "2026-07-14"), ("c0002", "2026-07-15"))
        }
    }
    suites = {"ask": Suite.model_validate(project.suite)}
    (found,) = ended_quarantines(suites, TODAY)
    assert "the quarantine of 1 case has ended, which counts again: c0001" in found
