"""What a check says: success is a pass and nothing else."""

from typing import Any

import pytest
from msgspec.structs import replace

from evalkit.records.last_run import LastRun
from evalkit.records.verdict import Outcome
from evalkit.report.github.annotations import Annotation
from evalkit.report.github.check import (
    batches,
    check_payload,
    conclusion_of,
    state_of,
    status_payload,
)
from evalkit.report.github.stamp import Stamp, clean_key, read_stamp
from evalkit.report.github.subject import Subject
from tests.unit.report.conftest import MakeRun, Results
from tests.unit.report.test_github_document import part, subject_of, verdict_of, with_verdict

Sides = dict[str, tuple[Results, Results]]


@pytest.fixture
def passed(make_run: MakeRun) -> Subject:
    """A run that passed."""
    return subject_of(make_run, {f"c{number:03}": ((True,), (True,)) for number in range(120)})


def ended(subject: Subject, **changes: Any) -> Subject:
    """The run with its record changed."""
    assert subject.run is not None
    run = replace(subject.run, record=replace(subject.run.record, **changes))
    return Subject(run=run, comparison=subject.comparison)


@pytest.mark.parametrize(
    ("outcome", "code", "conclusion", "state"),
    [
        (Outcome.PASS, 0, "success", "success"),
        (Outcome.FAIL, 1, "failure", "failure"),
        (Outcome.INCONCLUSIVE, 3, "action_required", "failure"),
        (Outcome.INCONCLUSIVE, 1, "failure", "failure"),  # on_inconclusive: fail
        (Outcome.INCONCLUSIVE, 0, "neutral", "success"),  # on_inconclusive: warn
        (Outcome.INCOMPLETE, 4, "action_required", "failure"),
        (Outcome.FAIL, 0, "action_required", "failure"),
        (Outcome.NOT_MEASURED, 0, "action_required", "failure"),
        (Outcome.PASS, 3, "action_required", "failure"),
        (Outcome.PASS, 70, "failure", "failure"),
    ],
)
def test_a_run_concludes_as_its_exit_code_says(
    passed: Subject, outcome: Outcome, code: int, conclusion: str, state: str
) -> None:
    subject = with_verdict(passed, verdict_of(outcome, part("drop", outcome), code=code))
    assert (conclusion_of(subject), state_of(subject)) == (conclusion, state)


@pytest.mark.parametrize(
    ("changes", "conclusion"),
    [
        ({"state": "interrupted", "exit_code": 130, "verdict": None}, "cancelled"),
        ({"state": "running"}, "cancelled"),
        ({"state": "incomplete"}, "action_required"),
        ({"verdict": None, "gates": False, "exit_code": 3}, "action_required"),
        ({"verdict": None}, "action_required"),
    ],
)
def test_a_run_that_is_not_whole_is_not_green(
    passed: Subject, changes: dict[str, Any], conclusion: str
) -> None:
    subject = ended(passed, **changes)
    assert not subject.green
    assert conclusion_of(subject) == conclusion
    assert state_of(subject) != "success"


@pytest.mark.parametrize(
    ("kind", "code", "conclusion", "state"),
    [
        ("not_measured", 2, "neutral", "pending"),
        ("config", 2, "failure", "failure"),
        ("usage", 2, "failure", "failure"),
        ("refused", 2, "failure", "failure"),
        ("store", 4, "action_required", "failure"),
        ("bug", 70, "failure", "failure"),
        ("interrupted", 130, "cancelled", "error"),
        ("run", 0, "action_required", "failure"),  # its bundle is gone
    ],
)
def test_a_command_that_left_no_run_is_never_green(
    kind: Any, code: int, conclusion: str, state: str
) -> None:
    last = LastRun(at="2026-11-24T19:33:01+00:00", command=(), exit_code=code, kind=kind)
    subject = Subject(last=last)
    assert (conclusion_of(subject), state_of(subject)) == (conclusion, state)


def test_a_green_bundle_of_a_command_that_broke_off_is_not_green(passed: Subject) -> None:
    assert passed.run is not None
    last = LastRun(
        at="2026-11-24T19:33:05+00:00",
        command=(),
        exit_code=4,
        kind="store",
        run=passed.run.record.id,
    )
    subject = Subject(last=last, run=passed.run, comparison=passed.comparison)
    assert (subject.green, subject.mark) == (False, "BROKEN OFF")
    assert conclusion_of(subject) == "action_required"


def test_a_status_description_fits(passed: Subject) -> None:
    verdict = verdict_of(Outcome.FAIL, part("guard", Outcome.FAIL, message="very " * 100))
    payload = status_payload(with_verdict(passed, verdict), context="evalkit", target_url=None)
    assert len(payload["description"]) <= 140
    assert payload["description"].endswith(" …")


def annotations(number: int) -> list[Annotation]:
    return [
        Annotation(level="failure", title="t", message="m", path="a", line=line + 1)
        for line in range(number)
    ]


@pytest.mark.parametrize(
    ("number", "sizes"), [(0, [0]), (1, [1]), (50, [50]), (51, [50, 1]), (900, [50] * 10)]
)
def test_annotations_come_fifty_at_a_time(number: int, sizes: list[int]) -> None:
    without_place = Annotation(level="failure", title="t", message="m")
    found = list(batches([without_place, *annotations(number)]))
    assert [len(each) for each in found] == sizes


def test_a_check_names_its_run(passed: Subject) -> None:
    stamp = Stamp(key="root", run="r1", at="2026-11-24T19:33:01+00:00")
    payload = check_payload(
        passed,
        name="evalkit",
        head_sha="ab" * 20,
        external_id=stamp.marker,
        summary="All.",
        details_url=None,
        annotations=annotations(2),
    )
    assert read_stamp(payload["external_id"]) == stamp
    assert (payload["status"], payload["conclusion"]) == ("completed", "success")
    assert payload["output"]["title"].startswith("PASS: routing: the pass rate did not move")


# --- stamps ---------------------------------------------------------------------------------------


def stamp(**changes: Any) -> Stamp:
    values: dict[str, Any] = {
        "key": "root",
        "run": "20261124T193301Z-3f2a",
        "at": "2026-11-24T19:33:01+00:00",
        "ci": 100,
        "attempt": 1,
        "suites": "aa",
    }
    return Stamp(**(values | changes))


@pytest.mark.parametrize(
    ("one", "other", "older"),
    [
        ({}, {}, False),
        ({"ci": 99}, {}, True),
        ({}, {"ci": 99}, False),
        ({}, {"attempt": 2}, True),
        # started again late, an old job keeps its number
        ({"ci": 99, "at": "2026-11-30T00:00:00+00:00"}, {}, True),
        ({}, {"at": "2026-11-24T19:33:02+00:00"}, True),
        ({"ci": None}, {"at": "2026-11-24T19:33:02+00:00"}, True),
        ({"ci": None, "at": "2026-11-24T20:33:02+01:00"}, {"ci": None}, False),
        ({"at": "nonsense"}, {}, True),
    ],
)
def test_an_older_run_is_told_from_a_newer_one(
    one: dict[str, Any], other: dict[str, Any], older: bool
) -> None:
    assert stamp(**one).is_older_than(stamp(**other)) is older


def test_a_stamp_reads_back_and_only_from_the_start() -> None:
    known = stamp(ci=None)
    assert read_stamp(known.marker + "\n## evalkit") == known
    assert read_stamp(f"> {known.marker}") is None
    assert read_stamp(f"\n{known.marker}") is None
    assert len(stamp(key="k" * 80, at="2026-11-24T19:33:01.123456+00:00").marker) < 255


@pytest.mark.parametrize(
    ("name", "key"),
    [("root", "root"), ("services/bot", "services/bot"), ("a.b_c-d", "a.b_c-d")],
)
def test_a_plain_key_stays_as_it_is(name: str, key: str) -> None:
    assert clean_key(name) == key


@pytest.mark.parametrize("name", ["a b", "--> x", "ü", "x" * 200, "a--b", ""])
def test_a_key_that_could_break_out_is_cleaned_and_stays_unique(name: str) -> None:
    key = clean_key(name)
    assert read_stamp(stamp(key=key).marker) == stamp(key=key)
    assert key != clean_key(name + "!")
    assert "--" not in key


def test_two_jobs_of_one_ci_run_collide_where_one_would_hide_the_other() -> None:
    assert stamp().collides_with(stamp(run="other", suites="bb"))
    assert stamp().collides_with(stamp(run="other", suites="none"))
    assert stamp().collides_with(stamp(run="other", exit_code=1))
    assert not stamp().collides_with(stamp(exit_code=1))
    assert not stamp().collides_with(stamp(run="other"))
    assert not stamp().collides_with(stamp(run="other", suites="bb", attempt=2))
    assert not stamp(ci=None).collides_with(stamp(run="other", suites="bb", ci=None))
