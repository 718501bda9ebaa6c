"""From which score on a graded judge passes."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.judge.errors import error_rates
from evalkit.judge.items import JudgedItem, with_threshold
from evalkit.judge.threshold import best_threshold

many = settings(max_examples=150, deadline=None, derandomize=True)


def _items(scores: dict[float, str], weight: float = 1.0) -> list[JudgedItem]:
    """By score, a letter a label: p or f."""
    return [
        JudgedItem(truth=letter == "p", score=score, weight=weight, part="tuning")
        for score, letters in scores.items()
        for letter in letters
    ]


def test_the_threshold_lies_halfway_between_the_scores_that_it_parts() -> None:
    items = _items({1: "fff", 2: "ff", 3: "fp", 4: "ppp", 5: "pp"})
    assert best_threshold(items, 1, 5) == 2.5  # J .83; from 3.5 on .83 of the other kind
    items = _items({1: "fff", 2: "ff", 3: "ffp", 4: "ppp", 5: "pp"})
    assert best_threshold(items, 1, 5) == 3.5


def test_of_equal_thresholds_the_one_in_the_widest_gap_is_taken() -> None:
    # above 1 and above 2 have the same J; 2 and 5 lie further apart
    assert best_threshold(_items({1: "ff", 2: "pf", 5: "pp"}), 1, 5) == 3.5
    assert best_threshold(_items({1: "ff", 4: "pf", 5: "pp"}), 1, 5) == 2.5


def test_among_equal_gaps_the_middle_of_the_scale_is_taken_then_the_lower() -> None:
    items = _items({3: "ff", 4: "pf", 5: "pp"})
    assert best_threshold(items, 1, 5) == 3.5
    assert best_threshold(items, 3, 5) == 3.5
    assert best_threshold(items, 3, 9) == 4.5


def test_heavy_labels_move_the_threshold() -> None:
    light = _items({1: "fff", 2: "p", 3: "f", 4: "ppp"})
    assert best_threshold(light, 1, 4) == 1.5
    heavy = _items({1: "fff", 2: "p", 4: "ppp"}) + _items({3: "f"}, weight=9.0)
    assert best_threshold(heavy, 1, 4) == 3.5


def test_the_test_part_and_items_without_a_score_choose_nothing() -> None:
    tuning = _items({1: "ff", 4: "pp"})
    others = [JudgedItem(truth=False, score=4.0, part="test") for _ in range(50)]
    others += [JudgedItem(truth=False, verdict=True, part="tuning") for _ in range(50)]
    assert best_threshold([*tuning, *others], 1, 4) == 2.5
    assert best_threshold(others, 1, 4) is None


@pytest.mark.parametrize("scores", [{}, {1: "ff", 3: "f"}, {2: "p"}])
def test_labels_of_one_kind_choose_nothing(scores: dict[float, str]) -> None:
    assert best_threshold(_items(scores), 1, 5) is None


def test_a_judge_that_is_worse_than_chance_gets_no_threshold_that_hides_it() -> None:
    items = _items({1: "pp", 3: "pf", 5: "ff"})
    threshold = best_threshold(items, 1, 5)
    assert threshold is not None
    rates = error_rates(with_threshold(items, threshold))
    assert rates is not None
    assert rates.youden < 0


@pytest.mark.parametrize(("score", "threshold"), [(5.0, 3.0), (4.0, 2.5), (2.0, 3.5), (1.0, 3.0)])
def test_one_score_for_all_gets_a_threshold_on_the_scale(score: float, threshold: float) -> None:
    assert best_threshold(_items({score: "pf"}), 1, 5) == threshold


def test_between_neighbouring_floats_the_upper_one_passes() -> None:
    upper = math.nextafter(2.0, 3.0)
    assert best_threshold(_items({2.0: "ff", upper: "pp"}), 1, 5) == upper


LABELS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 6), st.sampled_from([0.5, 1.0, 3.0])),
    min_size=1,
    max_size=40,
)


@many
@given(LABELS)
def test_no_threshold_between_scores_has_a_larger_j(
    labels: list[tuple[bool, int, float]],
) -> None:
    items = [
        JudgedItem(truth=truth, score=score / 2, weight=weight, part="tuning")
        for truth, score, weight in labels
    ]
    threshold = best_threshold(items, 0, 3)
    scores = sorted({item.score for item in items if item.score is not None})
    if len({item.truth for item in items}) < 2:
        assert threshold is None
        return
    assert threshold is not None and 0 < threshold <= 3

    def youden(at: float) -> float:
        rates = error_rates(with_threshold(items, at))
        assert rates is not None
        return rates.youden

    for following in scores[1:]:
        assert youden(threshold) >= youden(following) - 1e-9
