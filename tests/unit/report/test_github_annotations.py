"""Annotations: on the right lines, as many as GitHub shows, and no command of anybody else."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.records.case import Case
from evalkit.records.last_run import LastRun
from evalkit.records.verdict import Outcome, Verdict
from evalkit.report.comparison import compare_run
from evalkit.report.github.annotations import (
    Annotation,
    annotations_of,
    check_annotation,
    log_command,
    log_commands,
    log_line,
    split_for_log,
)
from evalkit.report.github.subject import Subject
from tests.unit.report.conftest import MakeRun, Results
from tests.unit.report.test_github_document import part, subject_of, verdict_of, with_verdict
from tests.unit.report.test_markup import HOSTILE

Sides = dict[str, tuple[Results, Results]]
GOLDEN = "goldensets/routing/v1/cases.jsonl"
COMMAND = re.compile(
    r"::(?P<name>error|warning|notice) (?P<properties>[^:\r\n]*)::(?P<message>[^\r\n]*)"
)


def read_command(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as GitHub's runner reads it."""
    found = COMMAND.fullmatch(line)
    assert found is not None, line
    properties = {}
    for each in found["properties"].split(","):
        name, _, value = each.partition("=")
        for code, text in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            value = value.replace(code, text)
        properties[name] = value
    return found["name"], properties, found["message"]


def test_broken_cases_are_annotated_on_their_lines_worst_first(
    make_run: MakeRun, regressed: Sides
) -> None:
    annotations = annotations_of(subject_of(make_run, regressed))
    commands = [read_command(log_command(each)) for each in annotations]
    assert commands[0] == (
        "error",
        {"title": "evalkit: FAIL"},
        "routing: the pass rate fell 10 pp; less than 3 pp is allowed",
    )
    assert commands[1] == (
        "error",
        {"file": GOLDEN, "line": "1", "title": "evalkit: routing: case-001"},
        "passed, now fails; broke exact",
    )
    assert [command[0] for command in commands] == ["error"] * 15


def test_paths_are_those_of_the_repository(make_run: MakeRun, regressed: Sides) -> None:
    found = subject_of(make_run, regressed)
    subject = Subject(run=found.run, comparison=found.comparison, project="services/bot")
    assert annotations_of(subject)[1].path == f"services/bot/{GOLDEN}"


def test_a_log_gets_ten_errors_and_ten_warnings_and_one_notice(make_run: MakeRun) -> None:
    results: Sides = {f"c{number:03}": ((True,), (False,)) for number in range(30)}
    results |= {f"e{number:03}": ((True,), (None,)) for number in range(13)}
    results |= {f"s{number:03}": ((True,), (True,)) for number in range(900)}
    subject = subject_of(make_run, results)
    annotations = annotations_of(subject)
    shown, rest = split_for_log(annotations)
    lines = log_commands(annotations, rest_in="the check 'evalkit'")
    names = [read_command(line)[0] for line in lines]
    assert names == ["error"] * 10 + ["warning"] * 10 + ["notice"]
    assert len(shown) + len(rest) == len(annotations) == 44
    assert lines[-1] == "::notice title=evalkit::24 more are in the check 'evalkit'"


def test_what_breaks_within_the_margin_is_a_warning(make_run: MakeRun) -> None:
    results: Sides = {f"c{number:03}": ((True,), (number != 3,)) for number in range(400)}
    subject = subject_of(make_run, results)
    assert subject.green
    (only,) = annotations_of(subject)
    assert (only.level, only.line) == ("warning", 4)


def test_a_green_run_without_regressions_annotates_nothing(make_run: MakeRun) -> None:
    results: Sides = {f"c{number:03}": ((True,), (True,)) for number in range(120)}
    assert annotations_of(subject_of(make_run, results)) == ()


def test_a_case_that_breaks_an_invariant_comes_before_regressions(
    make_run: MakeRun, regressed: Sides
) -> None:
    broken = part("invariant", Outcome.FAIL, name="invariant:policy", cases=("case-099",))
    subject = with_verdict(subject_of(make_run, regressed), verdict_of(Outcome.FAIL, broken))
    second = annotations_of(subject)[1]
    assert (second.path, second.line) == (GOLDEN, 99)
    assert second.message == "case case-099 breaks it"


def last(kind: str, **more: Any) -> LastRun:
    values = {"at": "2026-11-24T19:33:01+00:00", "command": (), "exit_code": 2, "kind": kind}
    return LastRun(**(values | more))


def test_problems_of_files_are_annotated_where_they_are() -> None:
    problems = ("evalkit.yaml:3:7: suites.x: unknown key; expected y", "there is no golden set")
    subject = Subject(last=last("config", problems=problems), project="bot")
    found = annotations_of(subject)
    assert [(each.level, each.path, each.line) for each in found] == [
        ("failure", None, 1),
        ("failure", "bot/evalkit.yaml", 3),
        ("failure", None, 1),
    ]
    assert found[1].message == "suites.x: unknown key; expected y"


def test_what_is_not_measured_is_no_error() -> None:
    (only,) = annotations_of(Subject(last=last("not_measured", message="no recordings")))
    assert only.level == "warning"
    assert only.message == (
        "recorded and scripted replies cannot measure what changed here: no recordings"
    )


hostile = st.sampled_from([*HOSTILE, "::error::x", "##[add-mask]x", "a,b:c%0A::stop-commands::t"])
texts = hostile | st.text(alphabet=":#[]%\r\n,=ab \u2028\u0085\x1b", max_size=30)


@given(texts, texts, texts)
def test_nothing_in_an_annotation_is_a_command_of_its_own(
    title: str, message: str, path: str
) -> None:
    line = log_command(Annotation(level="failure", title=title, message=message, path=path))
    assert len(line.splitlines()) == 1
    name, properties, _ = read_command(line)
    assert name == "error"
    assert set(properties) == {"file", "line", "title"}


@given(texts)
def test_no_line_of_ours_is_a_command(text: str) -> None:
    line = log_line(text)
    assert len(line.splitlines()) <= 1
    assert not line.lstrip().startswith("::")
    assert "##[" not in line


def test_model_text_is_in_no_line_for_the_log(make_run: MakeRun) -> None:
    results: Sides = {f"c{number:03}": ((True,), (False,)) for number in range(20)}
    secret = "::add-mask::s3cret"
    subject = subject_of(
        make_run,
        results,
        outputs=dict.fromkeys(results, ("fine", secret)),
        cases={
            case: Case(id=case, input={"q": secret}, expected={"output": "fine"})
            for case in results
        },
    )
    annotations = annotations_of(subject)
    assert not any("s3cret" in line for line in log_commands(annotations, rest_in="there"))


def test_the_api_gets_what_broke_in_the_scorers_words(make_run: MakeRun, regressed: Sides) -> None:
    found = check_annotation(annotations_of(subject_of(make_run, regressed))[1])
    assert found == {
        "path": GOLDEN,
        "start_line": 1,
        "end_line": 1,
        "annotation_level": "failure",
        "message": "passed, now fails; broke exact",
        "title": "evalkit: routing: case-001",
        "raw_details": 'exact: expected "payment", found "wish"',
    }


@pytest.mark.parametrize("text", ["x" * 5_000, "\n" * 300, "😀" * 5_000])
def test_an_annotation_fits_whatever_is_in_it(text: str) -> None:
    annotation = Annotation(level="failure", title=text, message=text, path="a", details=text)
    found = check_annotation(annotation)
    assert len(found["title"]) <= 255
    assert len(found["message"].encode()) < 65_536
    assert len(found["raw_details"].encode()) < 65_536


def test_a_verdict_without_a_baseline_annotates_what_fails(make_run: MakeRun) -> None:
    results: Sides = {f"c{number:03}": ((), (number > 80,)) for number in range(120)}
    run, passes = make_run(results, has_baseline=False)
    subject = Subject(run=run, comparison=compare_run(run, passes))
    assert isinstance(subject.verdict, Verdict)
    assert len(annotations_of(subject)) == 82
