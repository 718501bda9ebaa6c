"""A judge's part where CI systems show it: JUnit, comments, notes and annotations."""

from typing import Any
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from evalkit.records.verdict import Outcome, PartVerdict
from evalkit.report.comparison import compare_run
from evalkit.report.github.annotations import MOST_BY_JUDGES, annotations_of, log_command
from evalkit.report.github.comment import stamp_of
from evalkit.report.github.document import document
from evalkit.report.github.subject import Subject
from evalkit.report.gitlab import code_quality_json, note_body
from evalkit.report.junit import junit_xml
from evalkit.report.plain import outcome_json
from tests.unit.report.conftest import MakeRun
from tests.unit.report.judged_run import (
    Verdicts,
    blocked_part,
    floor_part,
    judge_part,
    judged_run,
)

SAID: Verdicts = {"a": (True, False), "b": (True, True), "c": (True, "abstained")}


def subject_of(make_run: MakeRun, *parts: PartVerdict, said: Verdicts = SAID) -> Subject:
    run, passes = judged_run(make_run, said, *parts)
    return Subject(run=run, comparison=compare_run(run, passes))


@pytest.mark.parametrize(
    ("part", "tag", "message"),
    [
        (judge_part(), "failure", "FAIL"),
        (judge_part(Outcome.PASS), None, None),
        (judge_part(Outcome.FAIL, required=False), "skipped", "FAIL (advisory)"),
        (blocked_part(), "error", "INCONCLUSIVE"),
        (floor_part(), "failure", "FAIL"),
    ],
)
def test_junit_names_the_judges_part(
    make_run: MakeRun, part: PartVerdict, tag: str | None, message: str | None
) -> None:
    root = ElementTree.fromstring(junit_xml(*judged_run(make_run, SAID, part)))
    test = next(each for each in root.iter("testcase") if each.get("name") == part.name)
    assert test.get("classname") == "routing.gate"
    (result,) = list(test) or [None]
    assert (None if result is None else result.tag) == tag
    if result is not None:
        assert (result.get("message"), result.text) == (message, part.message)


def test_junit_tells_who_judged_and_what_it_took(make_run: MakeRun) -> None:
    root = ElementTree.fromstring(junit_xml(*judged_run(make_run, SAID, judge_part())))
    values = {each.get("name"): each.get("value") for each in root.iter("property")}
    assert values["judge.tone"] == "tone@v1, gpt-4.1 through route judge, fit"
    assert values["judging.judgments"] == "6"
    assert values["judging.billed_usd"] == "0.02"


def test_no_word_of_a_judge_is_in_junit(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, SAID, judge_part())
    assert "blames the customer" not in junit_xml(run, passes)


def test_a_case_that_a_judge_fails_is_no_failed_case_in_junit(make_run: MakeRun) -> None:
    root = ElementTree.fromstring(junit_xml(*judged_run(make_run, SAID, judge_part())))
    cases = [each for each in root.iter("testcase") if each.get("classname") == "routing"]
    assert len(cases) == 3
    assert all(len(each) == 0 for each in cases)


def test_the_comment_has_the_judge_below_what_it_decided(make_run: MakeRun) -> None:
    page = document(subject_of(make_run, judge_part()), limit=60_000)
    assert page.splitlines()[2] == (
        "**routing: by the judge `tone@v1` and corrected for its errors, the pass rate fell 23 pp; "
        "less than 5 pp is allowed.** Exit code 1."
    )
    for line in (
        "- **FAIL** `judge tone`: corrected for its errors, the pass rate fell 23 pp; less than "
        "5 pp is allowed",
        "- saw: 80.0 % → 60.0 % pass, of 100 outputs on each side",
        "- now fails: a",
        "- judging: 6 judgments, 2 shared, 4 asked; 2,000 tokens, \\$0.0200",
    ):
        assert f"\n{line}\n" in page
    assert "\\$0.0300 spent, \\$0.0200 of it on judges." in page


def test_the_comment_says_how_an_open_judge_is_settled(make_run: MakeRun) -> None:
    page = document(subject_of(make_run, blocked_part()), limit=60_000)
    assert "`judge tone`: Nobody has measured how often the judge of" in page
    assert "  - to settle it: Measure it: evalkit judge calibrate `tone@v1.`" in page


def test_a_merge_requests_note_has_the_same(make_run: MakeRun) -> None:
    subject = subject_of(make_run, judge_part())
    note = note_body(subject, stamp_of(subject, key="ci"))
    assert "\n- saw: 80.0 % → 60.0 % pass, of 100 outputs on each side\n" in note


def test_what_a_failing_judge_newly_fails_is_annotated_on_its_line(make_run: MakeRun) -> None:
    found = annotations_of(subject_of(make_run, judge_part()))
    assert [(each.level, each.title, each.message, each.line) for each in found[1:]] == [
        (
            "warning",
            "evalkit: routing: judge tone: a",
            "judge tone passes it less often than before",
            1,
        )
    ]
    assert "blames" not in "".join(map(log_command, found))


@pytest.mark.parametrize(
    "part",
    [
        judge_part(Outcome.PASS),
        judge_part(Outcome.INCONCLUSIVE),
        judge_part(required=False),
        blocked_part(),
    ],
)
def test_a_judge_that_fails_nothing_annotates_no_case(make_run: MakeRun, part: Any) -> None:
    assert all(each.path is None for each in annotations_of(subject_of(make_run, part)))


def test_a_judge_annotates_a_few_cases_at_most(make_run: MakeRun) -> None:
    said: Verdicts = {f"c{number:02}": (True, False) for number in range(40)}
    found = annotations_of(subject_of(make_run, judge_part(), said=said))
    assert sum(each.path is not None for each in found) == MOST_BY_JUDGES


def test_code_quality_and_the_outcome_hold_a_judges_failure(make_run: MakeRun) -> None:
    subject = subject_of(make_run, judge_part())
    assert '"severity": "minor"' in code_quality_json(subject)
    outcome = outcome_json(subject)
    assert '"outcome": "fail"' in outcome
    assert "by the judge tone@v1" in outcome


def test_a_rubrics_name_cannot_break_junit(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, SAID, judge_part())
    (snapshot,) = run.snapshots
    (judge,) = snapshot.judges
    hostile = replace(judge, asked="a \x00 judge <b>")
    run = replace(run, snapshots=(replace(snapshot, judges=(hostile,)),))
    root = ElementTree.fromstring(junit_xml(run, passes))
    values = {each.get("name"): each.get("value") for each in root.iter("property")}
    assert values["judge.tone"] == "tone@v1, a \ufffd judge <b>, fit"
