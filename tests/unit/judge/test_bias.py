"""What moves a judge: counts, shifts and differences, and what their intervals promise."""

import math
from itertools import product

import pytest

from evalkit.judge.bias import (
    Counted,
    Shift,
    count_any,
    count_flips,
    count_splits,
    order_effect,
    self_preference,
)
from evalkit.judge.items import JudgedItem
from evalkit.statistics.proportions import wilson


def shift(
    *, both: int = 0, to_pass: int = 0, to_fail: int = 0, neither: int = 0, lost: int = 0
) -> Shift:
    cells = (
        (both, (True, True)),
        (to_pass, (False, True)),
        (to_fail, (True, False)),
        (neither, (False, False)),
        (lost, (False, None)),
    )
    return Shift([pair for number, pair in cells for _ in range(number)])


def items(arm: str | None, *, passes: tuple[int, int], fails: tuple[int, int]) -> list[JudgedItem]:
    """(judged pass, judged fail) among labelled passes, and among labelled fails."""
    cells = ((True, True, passes[0]), (True, False, passes[1]))
    cells += ((False, True, fails[0]), (False, False, fails[1]))
    return [
        JudgedItem(truth=truth, verdict=verdict, arm=arm)
        for truth, verdict, number in cells
        for _ in range(number)
    ]


def test_a_share_has_wilsons_interval() -> None:
    share = Counted(n=40, moved=3).share
    assert share is not None
    assert (share.value, share.n) == (0.075, 40.0)
    assert (share.lower, share.upper) == wilson(3, 40, 0.025)


def test_nothing_asked_is_no_share() -> None:
    assert Counted(n=0, moved=0).share is None


def test_a_verdict_that_is_missing_once_is_a_flip_and_one_answer_says_nothing() -> None:
    flips = count_flips([[True, True], [True, None, True], [False, True], [None, None], [False]])
    assert flips == Counted(n=4, moved=2)


def test_a_panel_splits_only_among_members_with_a_verdict() -> None:
    splits = count_splits([[True, False, None], [True, True, False], [True, None], [False, False]])
    assert splits == Counted(n=3, moved=2)


def test_an_output_that_several_attempts_move_counts_once() -> None:
    assert count_any([[True, True, False], [False, False], []]) == Counted(n=2, moved=1)


def test_an_order_that_ends_in_a_tie_is_inconsistent_and_favours_no_place() -> None:
    pairs = [(True, True), (True, False), (True, False), (False, True), (None, True), (None, None)]
    effect = order_effect(pairs)
    assert effect.inconsistent == Counted(n=6, moved=4)
    assert (effect.to_first, effect.to_second) == (2, 1)
    assert effect.p == 1.0


def test_a_place_that_wins_every_time_shows_in_p() -> None:
    assert order_effect([(True, False)] * 8).p == pytest.approx(2 * 0.5**8)


def test_moves_are_counted_of_those_that_could_make_them() -> None:
    found = shift(both=5, to_pass=4, to_fail=1, neither=8, lost=2)
    assert found.to_pass == Counted(n=14, moved=4)
    assert found.to_fail == Counted(n=6, moved=1)
    assert (found.n, found.lost) == (20, 2)
    assert found.p == pytest.approx(2 * (5 + 1) / 32)


def test_a_shift_is_over_the_outputs_with_a_verdict_both_times() -> None:
    share = shift(both=5, to_pass=4, to_fail=1, neither=8, lost=2).share
    assert share is not None
    assert (share.value, share.n) == (3 / 18, 18.0)
    assert share.lower < 3 / 18 < share.upper
    assert Shift([(None, True), (True, None)]).share is None


def test_a_judge_that_is_merely_unsteady_shows_no_shift() -> None:
    found = shift(both=10, to_pass=7, to_fail=7, neither=10)
    assert found.p == 1.0
    share = found.share
    assert share is not None
    assert share.lower < 0 < share.upper
    assert share.upper == pytest.approx(-share.lower)


def test_nothing_moved_has_a_width_all_the_same() -> None:
    share = shift(both=20, neither=20).share
    assert share is not None
    assert share.value == 0
    assert -0.2 < share.lower < 0 < share.upper < 0.2


@pytest.mark.parametrize(
    "rates", [(0.4, 0.1, 0.05, 0.45), (0.7, 0.0, 0.2, 0.1), (0.2, 0.3, 0.3, 0.2)]
)
def test_the_interval_of_a_shift_covers_it(rates: tuple[float, float, float, float]) -> None:
    """Exact: the probability of every table of 24 outputs, added up where the interval holds."""
    n, truth = 24, rates[1] - rates[2]
    covered = 0.0
    for both, gained, lost in product(range(n + 1), repeat=3):
        neither = n - both - gained - lost
        if neither < 0:
            continue
        cells = (both, gained, lost, neither)
        ways = math.factorial(n) / math.prod(math.factorial(cell) for cell in cells)
        chance = ways * math.prod(rate**cell for rate, cell in zip(rates, cells, strict=True))
        share = shift(both=both, to_pass=gained, to_fail=lost, neither=neither).share
        if chance and share is not None and share.lower - 1e-12 <= truth <= share.upper + 1e-12:
            covered += chance
    assert 0.935 <= covered <= 0.99


def test_a_judge_that_passes_its_own_models_fails_favours_it() -> None:
    mine = items("own", passes=(20, 0), fails=(14, 6))
    theirs = items("other", passes=(19, 1), fails=(2, 18))
    found = self_preference([*mine, *theirs], {"own"})
    assert found is not None
    assert found.favours_own
    assert found.kinder is not None
    assert found.kinder.value == pytest.approx((0.05 + 0.6) / 2)
    assert 0 < found.kinder.lower < found.kinder.value < found.kinder.upper <= 1
    assert found.youden == pytest.approx((1.0 - 0.7) - (0.95 - 0.1))
    assert (found.own.value, found.others.value) == (34 / 40, 21 / 40)


def test_a_model_whose_outputs_are_better_is_not_favoured() -> None:
    mine = items("own", passes=(36, 0), fails=(0, 4))
    theirs = items("other", passes=(4, 0), fails=(0, 36))
    found = self_preference([*mine, *theirs], {"own"})
    assert found is not None
    assert found.own.value - found.others.value == pytest.approx(0.8)
    assert not found.favours_own
    assert found.p == 1.0


def test_a_judge_that_is_harder_on_its_own_model_does_not_favour_it() -> None:
    mine = items("own", passes=(5, 15), fails=(0, 20))
    theirs = items("other", passes=(20, 0), fails=(0, 20))
    found = self_preference([*mine, *theirs], {"own"})
    assert found is not None
    assert found.p is not None
    assert found.p < 0.001
    assert not found.favours_own


def test_preference_needs_outputs_of_both_kinds_and_labels_of_both_kinds() -> None:
    mine = items("own", passes=(5, 0), fails=(0, 5))
    assert self_preference(mine, {"own"}) is None
    assert self_preference([*mine, *items(None, passes=(5, 0), fails=(0, 5))], {"own"}) is None
    found = self_preference([*mine, *items("other", passes=(5, 0), fails=(0, 0))], {"own"})
    assert found is not None
    assert (found.kinder, found.youden, found.p) == (None, None, None)
