"""report.html: the judge beside what the gate asked, in the plot, and on every case."""

from typing import Any

import pytest
from msgspec.structs import replace

from evalkit.records.verdict import Outcome
from evalkit.report.comparison import compare_run
from evalkit.report.html import report_html
from evalkit.report.html.attempt_data import attempt_data
from evalkit.report.html.plot import interval_plots
from evalkit.report.html.plot_rows import panels_of
from evalkit.report.html.shown_text import Room
from tests.unit.report.conftest import MakeRun
from tests.unit.report.html_page import HtmlPage
from tests.unit.report.judged_run import (
    Verdicts,
    arm,
    blocked_part,
    call,
    floor_part,
    judge_part,
    judged,
    judged_run,
    judgment,
    opinion,
    score,
    setting,
    suite_verdict,
)

SAID: Verdicts = {
    "a b/c": (True, False),
    "pass": (True, True),
    "unsure": (True, "abstained"),
    "lost": (True, "error"),
}
PLACE = ("routing", "candidate", "a", 1)


def page_of(make_run: MakeRun, *parts: Any, said: Verdicts = SAID, **more: Any) -> HtmlPage:
    run, passes = judged_run(make_run, said, *parts, **more)
    return HtmlPage(report_html(run, compare_run(run, passes)))


def test_the_judge_stands_below_the_requirements(make_run: MakeRun) -> None:
    text = page_of(make_run, judge_part()).text
    start = text.index("The judge judge tone@v1 by gpt-4.1 through route judge; fit: it passes")
    assert text.index("corrected for its errors, the pass rate fell 23 pp;") < start
    for words in (
        "saw 80.0 % → 60.0 % pass, of 100 outputs on each side",
        "corrected 85.0 % → 62.0 %; drop 23 pp; 90 % interval of the drop 12 pp to 34 pp",
        "judging 6 judgments, 2 shared, 4 asked; 2,000 tokens, $0.0200",
    ):
        assert text.index(words) > start
    assert "Spent $0.0300 of $5.00 allowed, $0.0200 of it on judges" in text


def test_what_it_newly_fails_is_a_link_to_the_case(make_run: MakeRun) -> None:
    page = page_of(make_run, judge_part())
    links = [each["href"] for each in page.all("a") if str(each.get("href")).startswith("#case=")]
    assert links == ["#case=routing%2Fa%20b%2Fc"]


def test_several_judges_are_told_apart(make_run: MakeRun) -> None:
    other = judge_part(name="judge kindness")
    assert "Judges judge tone@v1 by" in page_of(make_run, judge_part(), other).text


def test_without_a_judge_there_is_no_such_section(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((True,), (False,))})
    page = HtmlPage(report_html(run, compare_run(run, passes)))
    assert not [each for each in page.all("div") if each.get("class") == "judges"]
    assert "judges" not in page.text


def test_a_judge_that_cannot_decide_has_its_reasons_at_its_requirement(make_run: MakeRun) -> None:
    text = page_of(make_run, blocked_part()).text
    assert "judge tone Nobody has measured how often the judge of tone@v1 is wrong." in text
    assert "To settle it: Measure it: evalkit judge calibrate tone@v1." in text
    assert "gpt-4.1 through route judge; not calibrated" in text


def test_a_corrected_drop_is_a_row_of_the_plot() -> None:
    drops, _, floors = panels_of([judge_part(), floor_part(), blocked_part()])
    assert [(row.label, row.value) for row in drops.rows] == [
        ("judge tone", "23 pp (12 pp to 34 pp), margin 5 pp")
    ]
    assert [(row.label, row.value) for row in floors.rows] == [
        ("judge tone floor", "62.0 % (52.0 % to 72.0 %), floor 90.0 %")
    ]


def test_the_plot_says_what_is_held_against_a_floor() -> None:
    counted = replace(floor_part(), name="floor", kind="floor", judged=None)
    for parts, words in (
        ((floor_part(),), "hatched past it. The whole bar decides."),
        ((counted,), "hatched past it. The rate itself decides."),
        (
            (counted, floor_part()),
            "hatched past it. The rate itself decides; of a judge the whole bar.",
        ),
    ):
        plot = interval_plots(suite_verdict(*parts))
        assert plot is not None and f"{words}</p>" in plot


def test_the_rate_of_a_judge_that_cannot_decide_is_not_drawn_against_a_floor() -> None:
    part = blocked_part(
        name="judge tone floor", kind="judge_floor", margin=None, floor=0.9, candidate_rate=0.6
    )
    assert panels_of([part])[2].rows == []


def test_the_list_can_be_filtered_by_what_a_judge_fails(make_run: MakeRun) -> None:
    index = page_of(make_run, judge_part()).data("case-index")
    assert index["scorers"] == ["tone (judge)"]
    assert {row[1]: row[6] for row in index["cases"]} == {
        "a b/c": [0],
        "pass": [],
        "unsure": [],
        "lost": [],
    }


@pytest.mark.parametrize(
    ("case", "word"),
    [("a b/c", "fail"), ("pass", "pass"), ("unsure", "no verdict"), ("lost", "error")],
)
def test_a_case_says_what_its_judge_said(make_run: MakeRun, case: str, word: str) -> None:
    page = page_of(make_run, judge_part())
    index = [row[1] for row in page.data("case-index")["cases"]]
    detail = page.details()[index.index(case)]
    name, found, role, message, lines = detail["sides"][1]["attempts"][0]["scores"][-1]
    assert (name, found, role, message) == ("tone", word, " (decides apart)", "")
    assert ["reason: It blames the customer.", True] in lines


def test_a_judge_that_requires_nothing_is_advisory_on_a_case(make_run: MakeRun) -> None:
    page = page_of(make_run, judges=[setting(gate=False)])
    scores = page.details()[0]["sides"][1]["attempts"][0]["scores"]
    assert [row[2] for row in scores] == ["", " (advisory)"]


def test_a_judges_words_count_to_what_a_page_holds(make_run: MakeRun) -> None:
    run, _ = make_run({"a": ((True,), (True,))})
    said = judgment(PLACE, opinion(False, call(passed=False, reason="r" * 900)))

    def lines(room: Room) -> list[tuple[str, bool]]:
        data = attempt_data(
            run.attempts[1],
            passed=True,
            scores=[score(PLACE, False)],
            judgments=[said],
            decisions=(),
            traced=False,
            room=room,
        )
        found: list[tuple[str, bool]] = data["scores"][0][4]
        return found

    roomy = Room(left=100_000)
    assert len(dict(lines(roomy))) == 3
    assert roomy.left < 100_000 - 900
    assert max(len(words) for words, _ in lines(Room(left=0))) < 200


def test_no_word_of_a_judge_is_markup(make_run: MakeRun) -> None:
    hostile = "</script><script>window.obeyed = 1</script><img src=x onerror=alert(1)>\x1b[31m"
    run, passes = judged_run(
        make_run,
        {hostile: (True, False)},
        judge_part(judged=judged(asked=hostile, candidate=arm(60))),
    )
    said = tuple(
        replace(each, opinion=opinion(False, call(passed=False, reason=hostile, evidence=hostile)))
        for each in run.judgments
    )
    page = HtmlPage(report_html(replace(run, judgments=said), compare_run(run, passes)))
    assert not page.all("img")
    assert "<img src=x onerror=alert(1)>\\x1b[31m" in page.text
    lines = page.details()[0]["sides"][1]["attempts"][0]["scores"][-1][4]
    assert any("\\x1b[31m" in words for words, _ in lines)


def test_a_passing_judge_is_shown_as_well(make_run: MakeRun) -> None:
    text = page_of(make_run, judge_part(Outcome.PASS)).text
    assert "and a drop of 5 pp is ruled out" in text
    assert "The judge judge tone@v1" in text
