"""The data of the cases: complete, in order, clipped where it is long, safe in a script element."""

import json
from typing import Any

from evalkit.records.call import Decision
from evalkit.records.case import Case
from evalkit.report.comparison import compare_run
from evalkit.report.html import report_html
from evalkit.report.html.case_data import CHUNK, script_text
from evalkit.report.html.shown_text import MOST_TEXT, Room, value_text
from tests.unit.report.html_page import HtmlPage
from tests.unit.report.test_html_document import page_of


def kinds_of(page: HtmlPage) -> list[str]:
    index = page.data("case-index")
    return [index["kinds"][row[2]][0] for row in index["cases"]]


def test_every_case_is_there_and_what_broke_comes_first(make_run: Any, regressed: Any) -> None:
    page = page_of(make_run, regressed)
    kinds = kinds_of(page)
    assert kinds == ["regression"] * 14 + ["fix"] * 2 + ["failing"] * 8 + ["same"] * 96
    assert {row[1] for row in page.data("case-index")["cases"]} == set(regressed)
    assert len(page.details()) == 120


def test_details_come_in_chunks_in_the_order_of_the_index(make_run: Any, regressed: Any) -> None:
    page = page_of(make_run, regressed)
    rows = page.data("case-index")["cases"]
    assert len(page.data("cases-0")) == CHUNK
    assert len(page.data("cases-2")) == 120 - 2 * CHUNK
    for number, detail in enumerate(page.details()):
        place = f"goldensets/routing/v1/cases.jsonl:{int(rows[number][1][-3:])}"
        assert detail["place"] == place


def test_what_passed_on_both_sides_is_shown_as_passed(make_run: Any, regressed: Any) -> None:
    detail = page_of(make_run, regressed).details()[-1]
    assert [side["attempts"][0]["passed"] for side in detail["sides"]] == [True, True]
    assert detail["fresh"] == []


def test_a_side_shows_the_trial_that_tells_and_keeps_all(make_run: Any) -> None:
    page = page_of(make_run, {"a": ((True, True), (True, False)), "b": ((True,) * 2, (True,) * 2)})
    detail = page.details()[0]
    candidate = detail["sides"][1]
    assert candidate["shown"] == 2
    assert [attempt["passed"] for attempt in candidate["attempts"]] == [True, False]
    assert detail["fresh"] == ["exact"]


def test_attempts_that_other_runs_lent_are_marked_and_count(make_run: Any) -> None:
    lent = {"pooled_from": "20261101T000000Z-aaaa", "measurement_id": "m"}
    page = page_of(
        make_run,
        {"a": ((True, False), (False,)), "b": ((True, True), (True,))},
        attempts={("routing", "baseline", case, 2): lent for case in "ab"},
        snapshot={"trials": 1, "baseline_trials": 1},
    )
    for detail, second in zip(page.details(), (False, True), strict=True):
        attempts = detail["sides"][0]["attempts"]
        assert [attempt["pooled"] for attempt in attempts] == ["", "20261101T000000Z-aaaa"]
        assert [attempt["passed"] for attempt in attempts] == [True, second]


def test_a_lent_attempt_that_is_a_replay_of_an_own_one_does_not_count(make_run: Any) -> None:
    page = page_of(
        make_run,
        {"a": ((True, True), (False,))},
        attempts={
            ("routing", "baseline", "a", 1): {"measurement_id": "m"},
            ("routing", "baseline", "a", 2): {"measurement_id": "m", "pooled_from": "earlier"},
        },
        snapshot={"trials": 1, "baseline_trials": 1},
    )
    attempts = page.details()[0]["sides"][0]["attempts"]
    assert [attempt["passed"] for attempt in attempts] == [True, ""]


def test_an_attempt_that_was_never_made_is_no_attempt(make_run: Any) -> None:
    missing = frozenset({("routing", "candidate", "a", 1)})
    page = page_of(
        make_run,
        {"a": ((True,), (None,))},
        missing=missing,
        state="incomplete",
        exit_code=4,
    )
    assert [len(side["attempts"]) for side in page.details()[0]["sides"]] == [1, 0]


def test_the_trace_is_the_stored_one_with_times_from_its_start(
    make_run: Any, regressed: Any
) -> None:
    run, passes = make_run(regressed)
    decisions = tuple(
        Decision(act="route", outcome="allowed", rule="r", message=message, at=at)
        for message, at in (
            ("first", "2026-11-24T19:33:02.100+00:00"),
            ("second", "2026-11-24T19:33:03.350+00:00"),
            ("third", "no time"),
        )
    )
    traces = {("routing", "candidate", "case-001", 1): decisions}
    page = HtmlPage(report_html(run, compare_run(run, passes), traces=traces))
    before, after = (side["attempts"][0] for side in page.details()[0]["sides"])
    assert [entry[3:5] for entry in after["trace"]] == [
        ["first", "+0 ms"],
        ["second", "+1,250 ms"],
        ["third", ""],
    ]
    assert after["traced"] is True
    assert before["traced"] is False


def test_filters_can_ask_for_slices_scorers_and_failure_modes(make_run: Any) -> None:
    page = page_of(
        make_run,
        {"a": ((True,), (False,)), "b": ((True,), (None,)), "c": ((True,), (True,))},
        cases={"a": Case(id="a", input={"q": "one"}, tags=("vip", "late"))},
    )
    index = page.data("case-index")
    rows = {row[1]: row for row in index["cases"]}
    assert [index["tags"][number] for number in rows["a"][5]] == ["vip", "late"]
    assert [index["scorers"][number] for number in rows["a"][6]] == ["exact"]
    assert index["modes"][rows["b"][7]] == "timeout"
    assert rows["c"][5:8] == [[], [], -1]
    assert rows["a"][4] == "one"


def test_a_very_long_output_is_clipped_and_says_how_long_it_was(make_run: Any) -> None:
    long = "word " * 200_000
    run, passes = make_run({"a": ((True,), (False,))}, outputs={"a": (long + "old", long + "new")})
    document = report_html(run, compare_run(run, passes))
    assert len(document) < 600_000
    before, after = (
        side["attempts"][0]["output"] for side in HtmlPage(document).details()[0]["sides"]
    )
    assert before[0] == after[0] == long[:MOST_TEXT]
    assert before[1] == 1_000_003
    assert before[2] != after[2]  # so that the page can tell that they differ further on


def test_when_a_page_is_full_what_passed_is_clipped_shorter() -> None:
    room = Room(left=30_000)
    assert room.shown("a" * 15_000) == "a" * 15_000
    assert room.shown("b" * 18_000) == "b" * 18_000
    clipped = room.shown("c" * 15_000)
    assert clipped[0] == "c" * 800
    assert clipped[1] == 15_000
    assert room.shown("short") == "short"


def test_structures_are_indented_where_a_line_does_not_hold_them() -> None:
    assert value_text({"a": [1, 1.0, True]}) == '{"a": [1, 1.0, true]}'
    assert value_text({"a": "x" * 80}).splitlines()[0] == "{"
    assert value_text("plain") == "plain"
    assert value_text(None) == "null"


def test_json_output_is_indented_on_both_sides(make_run: Any) -> None:
    parsed = {"intent": "cancel", "priority": "p1"}
    page = page_of(
        make_run,
        {"a": ((True,), (False,))},
        attempts={
            ("routing", "candidate", "a", 1): {"output": json.dumps(parsed), "parsed": parsed}
        },
    )
    output = page.details()[0]["sides"][1]["attempts"][0]["output"]
    assert output == '{\n  "intent": "cancel",\n  "priority": "p1"\n}'


def test_data_cannot_end_its_element() -> None:
    text = script_text(["</script>", "<!--", "\u2028"])
    assert "<" not in text
    assert json.loads(text) == ["</script>", "<!--", "\u2028"]
