"""What has to be known before a verdict is believed stands first, above all what is weaker."""

from typing import Any

from msgspec.structs import replace

from evalkit.records.run import Flake, StoredRun
from evalkit.records.verdict import Look, Outcome, PartVerdict, Quarantined, Waiver
from evalkit.report.comparison import compare_run
from evalkit.report.html import report_html
from tests.unit.report.html_page import HtmlPage

WAIVER = Waiver(
    id="w-1",
    suite="routing",
    part="drop",
    reason="the old prompt is withdrawn",
    accepted_by="ana",
    on="2026-11-01",
    until="2026-12-31",
)


def part(kind: Any, message: str, **more: Any) -> PartVerdict:
    values: dict[str, Any] = {
        "name": kind,
        "kind": kind,
        "outcome": Outcome.INCONCLUSIVE,
        "best": Outcome.INCONCLUSIVE,
        "worst": Outcome.INCONCLUSIVE,
        "required": True,
        "held": True,
        "message": message,
    }
    return PartVerdict(**(values | more))


def with_suite(run: StoredRun, **changes: Any) -> StoredRun:
    """The run with its suite's verdict changed."""
    verdict = run.record.verdict
    assert verdict is not None
    suite = verdict.suites[0].revised(**changes)
    record = replace(run.record, verdict=replace(verdict, suites=(suite,)))
    return replace(run, record=record)


def page_of(run: StoredRun, passes: Any) -> HtmlPage:
    return HtmlPage(report_html(run, compare_run(run, passes)))


def test_a_run_with_nothing_to_say_has_no_notices(make_run: Any) -> None:
    run, passes = make_run({f"c{n}": ((True,), (True,)) for n in range(100)})
    assert "Before you rely on it" not in page_of(run, passes).text


def test_what_loosened_the_gate_stands_before_every_other_notice(
    make_run: Any, regressed: Any
) -> None:
    run, passes = make_run(regressed, record={"warnings": ("the price is old",)})
    parts = run.record.verdict.suites[0].parts
    guard = part("guard", "the margin was 2 pp.", what_would_settle="--accept-gate-change")
    page = page_of(with_suite(run, parts=(*parts, guard)), passes)
    text = page.text
    assert (
        text.index("The gate itself changed")
        < text.index("the margin was 2 pp.")
        < text.index("To settle it: --accept-gate-change")
        < text.index("the price is old")
        < text.index("What the gate asked")
    )


def test_a_guard_comes_first_among_the_requirements(make_run: Any, regressed: Any) -> None:
    run, passes = make_run(regressed)
    parts = run.record.verdict.suites[0].parts
    page = page_of(with_suite(run, parts=(*parts, part("guard", "the margin was 2 pp."))), passes)
    asked = page.text[page.text.index("What the gate asked") :]
    assert asked.index("the margin was 2 pp.") < asked.index("drop the pass rate fell")


def test_an_accepted_change_of_the_gate_stays_listed(make_run: Any, regressed: Any) -> None:
    run, passes = make_run(regressed)
    accepted = part("guard", "the margin was 2 pp.", outcome=Outcome.PASS)
    page = page_of(with_suite(run, parts=(accepted,)), passes)
    assert "The gate itself changed, and that was accepted the margin was 2 pp." in page.text


def test_a_waived_requirement_keeps_its_outcome_and_says_who_accepted_it(
    make_run: Any, regressed: Any
) -> None:
    run, passes = make_run(regressed, snapshot={"waivers": (WAIVER,), "today": "2026-11-24"})
    parts = tuple(each.revised(waiver=WAIVER) for each in run.record.verdict.suites[0].parts)
    page = page_of(with_suite(run, parts=parts), passes)
    assert "1 requirement waived" in page.text
    assert "accepted by ana on 2026-11-01 until 2026-12-31: the old prompt is" in page.text
    assert "w-1, applied" in page.text
    assert "FAIL accepted drop The pass rate went from" in page.text
    assert "all cases waived" in page.text


def test_an_expired_waiver_is_shown_as_one(make_run: Any, regressed: Any) -> None:
    run, passes = make_run(regressed, snapshot={"waivers": (WAIVER,), "today": "2027-01-01"})
    held = part("waiver", "Waiver w-1 expired on 2026-12-31.")
    parts = run.record.verdict.suites[0].parts
    page = page_of(with_suite(run, parts=(*parts, held)), passes)
    assert "w-1, expired" in page.text
    assert "Waiver w-1 expired on 2026-12-31." in page.text
    assert "requirement waived" not in page.text


def test_a_waiver_holds_on_its_last_day(make_run: Any, regressed: Any) -> None:
    run, passes = make_run(regressed, snapshot={"waivers": (WAIVER,), "today": "2026-12-31"})
    assert "w-1, not needed, or not covering" in page_of(run, passes).text


def test_cases_that_do_not_count_are_named_with_their_end(make_run: Any, regressed: Any) -> None:
    run, passes = make_run(regressed)
    left_out = Quarantined(case="case-002", until="2026-12-01", reason="the clock")
    page = page_of(with_suite(run, quarantined=(left_out,)), passes)
    assert "1 case in quarantine, counted in invariants only" in page.text
    assert "case-002 until 2026-12-01: the clock" in page.text
    flags = {row[1]: row[11] for row in page.data("case-index")["cases"]}
    assert flags["case-002"] == ["quarantined"]
    assert flags["case-001"] == []


def test_flaky_cases_are_named_with_their_record(make_run: Any, regressed: Any) -> None:
    flake = Flake(case="case-003", runs=9, passes=5)
    run, passes = make_run(regressed, snapshot={"flaky": (flake,)})
    page = page_of(run, passes)
    assert "case-003 passed 5 of 9 runs of an unchanged baseline" in page.text
    flags = {row[1]: row[11] for row in page.data("case-index")["cases"]}
    assert flags["case-003"] == ["flaky"]


def test_the_looks_of_an_escalating_gate_are_listed(make_run: Any, regressed: Any) -> None:
    run, passes = make_run(regressed)
    looks = (
        Look(trials=1, alpha=0.01, outcome=Outcome.INCONCLUSIVE),
        Look(trials=2, alpha=0.015, outcome=Outcome.FAIL),
    )
    page = page_of(with_suite(run, looks=looks), passes)
    assert "Looks taken, the last of which decides" in page.text
    assert "1 1 1 % INCONCLUSIVE 2 2 1.5 % FAIL" in page.text


def test_a_warning_that_run_and_suite_both_give_is_given_once(
    make_run: Any, regressed: Any
) -> None:
    run, passes = make_run(regressed, record={"warnings": ("rule simple is loud",)})
    page = page_of(with_suite(run, warnings=("rule simple is loud", "another")), passes)
    assert page.text.count("rule simple is loud") == 1
    assert "2 warnings" in page.text


def test_a_long_list_of_warnings_is_cut_and_counted(make_run: Any, regressed: Any) -> None:
    warnings = tuple(f"warning {number}" for number in range(80))
    run, passes = make_run(regressed, record={"warnings": warnings})
    text = page_of(run, passes).text
    assert "80 warnings" in text
    assert "30 more are in run.json" in text
