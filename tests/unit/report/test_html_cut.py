"""A page of a large run lists what tells something, and says what it does not list."""

from typing import Any

from evalkit.records.run import Flake
from evalkit.report.html.listed_case import MOST_LISTED, WHOLE
from tests.unit.report.test_html_document import page_of

PASSED, BROKE, FAILING = ((True,), (True,)), ((True,), (False,)), ((False,), (False,))


def names(page: Any) -> list[str]:
    return [row[1] for row in page.data("case-index")["cases"]]


def test_a_run_that_fits_is_whole_and_says_nothing_of_a_cut(make_run: Any) -> None:
    page = page_of(make_run, {f"c{number:04}": PASSED for number in range(WHOLE)})
    assert len(names(page)) == WHOLE
    assert page.data("case-index")["left"] == 0
    assert "This page lists" not in page.text


def test_what_broke_stays_and_passing_cases_fill_up_a_large_page(make_run: Any) -> None:
    results = {f"c{number:04}": PASSED for number in range(WHOLE + 200)}
    results |= {"c0690": BROKE, "c0695": FAILING}
    page = page_of(make_run, results, snapshot={"flaky": (Flake(case="c0699", runs=9, passes=5),)})
    assert names(page)[:3] == ["c0690", "c0695", "c0699"]
    assert len(names(page)) == len(page.details()) == WHOLE


def test_the_page_says_what_it_leaves_out_and_how_it_is_seen(make_run: Any) -> None:
    page = page_of(make_run, {f"c{number:04}": PASSED for number in range(WHOLE + 200)})
    assert page.data("case-index")["left"] == 200
    assert f"This page lists {WHOLE} of the run's 700 cases. Left out: 200 passing" in page.text
    assert "evalkit show 20261124T193301Z-3f2a CASE" in page.text


def test_so_many_failures_that_they_are_cut_are_counted_by_kind(make_run: Any) -> None:
    results = {f"c{number:05}": BROKE for number in range(MOST_LISTED + 7)}
    results |= {"passes": PASSED, "fails": FAILING}
    page = page_of(make_run, results)
    assert len(names(page)) == MOST_LISTED
    words = "Left out: 7 newly failing, 1 failing as before, 1 passing as before."
    assert words in page.text
