"""Coefficients of agreement, held against published examples and other libraries."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa as other_kappa

from evalkit.judge.agreement import (
    agreement_of,
    cohens_kappa,
    gwets_ac1,
    judge_agreement,
    krippendorffs_alpha,
    labeller_agreement,
    tabulate,
)
from evalkit.judge.items import JudgedItem
from evalkit.records.calibration import Agreement

Rated = list[tuple[bool, bool, float]]
many = settings(max_examples=100, deadline=None, derandomize=True)


def _rated(both_pass: int, first_only: int, second_only: int, both_fail: int) -> Rated:
    return (
        [(True, True, 1.0)] * both_pass
        + [(True, False, 1.0)] * first_only
        + [(False, True, 1.0)] * second_only
        + [(False, False, 1.0)] * both_fail
    )


def _agreement(rated: Rated, disputed: int = 0) -> Agreement:
    table = tabulate(rated, disputed=disputed)
    assert table is not None
    return agreement_of(table)


@pytest.mark.parametrize(("pass_rate", "kappa"), [(0.5, 0.70), (0.98, 0.21)])
def test_kappa_of_one_and_the_same_judge_moves_with_the_pass_rate(
    pass_rate: float, kappa: float
) -> None:
    passes, fails = round(10_000 * pass_rate), round(10_000 * (1 - pass_rate))
    tpr, fpr = 0.9, 0.2
    hits, false_alarms = round(tpr * passes), round(fpr * fails)
    found = _agreement(_rated(hits, passes - hits, false_alarms, fails - false_alarms))
    assert found.kappa == pytest.approx(kappa, abs=0.005)


def test_kappa_of_a_worked_example() -> None:
    # 20 and 15 of 50 agreed on: raw .7, by chance .5
    found = _agreement(_rated(20, 5, 10, 15))
    assert found.raw == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)


def test_ac1_holds_where_kappa_breaks_down() -> None:
    # Gwet (2002): 118, 5, 2 and 0 of 125 give kappa -.02 and AC1 .94
    found = _agreement(_rated(118, 5, 2, 0))
    assert found.kappa == pytest.approx(-0.0234, abs=5e-5)
    assert found.ac1 == pytest.approx(0.9408, abs=5e-5)


def test_alpha_of_krippendorffs_own_example() -> None:
    first = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    second = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    rated = [(bool(a), bool(b), 1.0) for a, b in zip(first, second, strict=True)]
    assert _agreement(rated).alpha == pytest.approx(0.095, abs=5e-4)


@pytest.mark.parametrize("cells", [(20, 5, 10, 15), (88, 10, 3, 9), (4, 1, 1, 4), (400, 30, 1, 9)])
def test_kappa_and_its_interval_are_those_of_statsmodels(cells: tuple[int, int, int, int]) -> None:
    both_pass, first_only, second_only, both_fail = cells
    found = _agreement(_rated(*cells))
    theirs = other_kappa([[both_pass, first_only], [second_only, both_fail]])
    assert found.kappa == pytest.approx(theirs.kappa)
    assert found.kappa_interval is not None
    half = 1.959964 * math.sqrt(theirs.var_kappa)
    assert found.kappa_interval[0] == pytest.approx(max(-1.0, theirs.kappa - half), abs=1e-6)
    assert found.kappa_interval[1] == pytest.approx(min(1.0, theirs.kappa + half), abs=1e-6)


@pytest.mark.parametrize("cells", [(200, 50, 100, 150), (480, 15, 12, 13)])
def test_the_interval_of_ac1_has_the_width_that_the_jackknife_gives(
    cells: tuple[int, int, int, int],
) -> None:
    def value(counts: tuple[int, ...]) -> float:
        table = tabulate(_rated(*counts))
        assert table is not None
        return gwets_ac1(table)[0]

    n = sum(cells)
    without = [(value((*cells[:i], cells[i] - 1, *cells[i + 1 :])), cells[i]) for i in range(4)]
    mean = sum(each * times for each, times in without) / n
    jackknife = (n - 1) / n * sum(times * (each - mean) ** 2 for each, times in without)
    interval = _agreement(_rated(*cells)).ac1_interval
    assert interval is not None
    half = (interval[1] - interval[0]) / 2
    assert half == pytest.approx(1.965 * math.sqrt(jackknife), rel=0.01)


@pytest.mark.parametrize("cells", [(30, 0, 0, 0), (0, 0, 0, 7), (1, 0, 0, 0)])
def test_raters_of_one_class_have_an_ac1_but_no_kappa_and_no_alpha(
    cells: tuple[int, int, int, int],
) -> None:
    found = _agreement(_rated(*cells))
    assert (found.raw, found.ac1) == (1.0, 1.0)
    assert found.kappa is None and found.kappa_interval is None and found.alpha is None


def test_full_agreement_proves_no_interval_of_no_width() -> None:
    found = _agreement(_rated(12, 0, 0, 8))
    assert (found.kappa, found.ac1, found.alpha) == (1.0, 1.0, 1.0)
    assert found.kappa_interval is None and found.ac1_interval is None


def test_items_without_a_verdict_take_no_part() -> None:
    items = [
        JudgedItem(truth=True, verdict=True),
        JudgedItem(truth=True, verdict=None),
        JudgedItem(truth=False, verdict=True),
    ]
    found = judge_agreement(items)
    assert found is not None
    assert (found.n, found.raw) == (2, 0.5)
    assert judge_agreement(items[1:2]) is None


def test_disputed_items_lower_the_ceiling() -> None:
    items = [
        JudgedItem(truth=truth, first=truth, second=truth)
        for truth in (True, False)
        for _ in "1234"
    ]
    items.append(JudgedItem(truth=True, first=True))
    agreed, found = labeller_agreement(items), labeller_agreement(items, disputed=2)
    assert agreed is not None and found is not None
    assert (agreed.n, agreed.raw) == (8, 1.0)
    assert (found.n, found.raw) == (10, 0.8)
    assert found.kappa == pytest.approx(0.6)  # 4 and 4 agreed on, one differing either way


def test_only_disputed_items_are_a_ceiling_of_nothing() -> None:
    found = labeller_agreement([], disputed=3)
    assert found is not None
    assert (found.n, found.raw, found.kappa) == (3, 0.0, -1.0)
    assert labeller_agreement([]) is None


def test_a_weight_counts_like_as_many_items() -> None:
    weighted = tabulate([(True, True, 3.0), (True, False, 1.0), (False, False, 2.0)])
    plain = tabulate(_rated(3, 1, 0, 2))
    assert weighted is not None and plain is not None
    assert cohens_kappa(weighted) is not None
    assert cohens_kappa(weighted)[0] == pytest.approx(cohens_kappa(plain)[0])  # type: ignore[index]
    assert gwets_ac1(weighted)[0] == pytest.approx(gwets_ac1(plain)[0])
    # fewer items than their weights say, so the interval rests on fewer
    assert weighted.n == 3
    assert weighted.effective == pytest.approx(36 / 14)


CELLS = st.tuples(*[st.integers(0, 60)] * 4).filter(lambda cells: sum(cells) > 0)


@many
@given(CELLS)
def test_coefficients_stay_within_their_range_and_in_their_interval(
    cells: tuple[int, int, int, int],
) -> None:
    found = _agreement(_rated(*cells))
    for value, interval in (
        (found.kappa, found.kappa_interval),
        (found.ac1, found.ac1_interval),
        (found.alpha, None),
    ):
        assert value is None or -1 - 1e-9 <= value <= 1
        if interval is not None and value is not None:
            assert -1 <= interval[0] <= value <= interval[1] <= 1


@many
@given(CELLS, st.sampled_from([cohens_kappa, gwets_ac1, krippendorffs_alpha]))
def test_agreement_is_the_same_with_raters_or_classes_swapped(
    cells: tuple[int, int, int, int], coefficient: Callable[..., object]
) -> None:
    a, b, c, d = cells
    tables = [tabulate(_rated(*order)) for order in ((a, b, c, d), (a, c, b, d), (d, b, c, a))]
    values = [coefficient(table) for table in tables]
    plain = [value[0] if isinstance(value, tuple) else value for value in values]
    assert plain[1:] == [pytest.approx(plain[0])] * 2
