"""A quarantine holds few cases, and ones that there are."""

from typing import Any

import pytest

from evalkit.sources.quarantine import most_quarantined

ENTRY = "{until: 2026-12-31, reason: flaky}"


def quarantined(sample: Any, *cases: str, share: str = "") -> None:
    """Put cases of the sample's suite into quarantine."""
    entries = ", ".join(f"{case}: {ENTRY}" for case in cases)
    sample.change(
        "evalkit.yaml",
        "    route: desk\n",
        f"    route: desk\n    quarantine: {{{share}cases: {{{entries}}}}}\n",
    )


def many(count: int) -> list[dict[str, Any]]:
    """So many cases."""
    return [
        {
            "id": f"d-{number}",
            "input": {"letter": "x"},
            "expected": {"queue": "lost"},
            "tags": ["urgent"],
        }
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("share", "cases", "most"),
    [
        (0.02, 19, 0),
        (0.02, 20, 1),
        (0.02, 99, 1),
        (0.02, 100, 2),
        (0.02, 149, 2),
        (0.07, 100, 7),  # as a float it comes to 7.000000000000001
        (0.29, 100, 29),  # and this to 28.999999999999996
        (0.2, 5, 1),
        (0.2, 4, 0),
    ],
)
def test_the_cap_is_the_share_as_it_is_written_and_one_of_twenty(
    share: float, cases: int, most: int
) -> None:
    assert most_quarantined(share, cases) == most


@pytest.mark.parametrize("keep_cases", [True, False])
def test_a_case_that_there_is_may_be_left_out(sample: Any, keep_cases: bool) -> None:
    sample.write_cases(many(20))
    quarantined(sample, "d-7")
    suite = sample.load(keep_cases=keep_cases).suites["desk"].suite
    assert list(suite.quarantine.cases) == ["d-7"]


def test_a_case_that_there_is_not_is_refused_with_the_one_that_was_meant(sample: Any) -> None:
    sample.write_cases(many(20))
    quarantined(sample, "d7")
    problem = sample.problem()
    assert (problem.file, problem.key) == ("evalkit.yaml", "suites.desk.quarantine.cases.d7")
    assert "no such case in desk@v1" in problem.message
    assert problem.suggestion == "did you mean 'd-7'?"
    assert problem.line and problem.column


def test_more_than_the_cap_are_refused_by_check_and_by_run_alike(sample: Any) -> None:
    sample.write_cases(many(100))
    quarantined(sample, "d-1", "d-2", "d-3")
    for options in ({"keep_cases": False}, {"suites": ["desk"]}):
        problem = sample.problem(**options)
        assert "3 of 100 cases" in problem.message and "allows 2" in problem.message


def test_a_larger_share_allows_more(sample: Any) -> None:
    sample.write_cases(many(100))
    quarantined(sample, "d-1", "d-2", "d-3", share="max_share: 0.03, ")
    assert sample.load()


def test_a_small_set_leaves_nothing_out(sample: Any) -> None:
    quarantined(sample, "d-1")
    assert "allows 0" in sample.problem().message
