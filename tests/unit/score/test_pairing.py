"""Pairing expected and found: never fewer pairs than there can be, never crossing in order."""

from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.score.pairing import pair_in_any_order, pair_in_order, precision_recall_f1

# what is expected is a set of letters that will do; what is found is one letter
WANTED = st.lists(st.frozensets(st.sampled_from("abc"), max_size=3), max_size=5)
FOUND = st.lists(st.sampled_from("abcd"), max_size=5)


def fits(wanted: frozenset[str], letter: str) -> bool:
    return letter in wanted


def most_pairs(wanted: list[frozenset[str]], found: list[str], *, in_order: bool) -> int:
    """The oracle: every choice of as many of one side, in every order of the other."""
    for size in range(min(len(wanted), len(found)), 0, -1):
        for some in combinations(wanted, size):
            choices = combinations(found, size) if in_order else permutations(found, size)
            if any(all(map(fits, some, chosen)) for chosen in choices):
                return size
    return 0


@given(WANTED, FOUND)
def test_a_pairing_in_any_order_has_as_many_pairs_as_there_can_be(
    wanted: list[frozenset[str]], found: list[str]
) -> None:
    pairs = pair_in_any_order(wanted, found, fits)
    assert all(fits(wanted[i], found[j]) for i, j in pairs.items())
    assert len(set(pairs.values())) == len(pairs) == most_pairs(wanted, found, in_order=False)


@given(WANTED, FOUND)
def test_a_pairing_in_order_has_as_many_pairs_as_there_can_be_without_crossing(
    wanted: list[frozenset[str]], found: list[str]
) -> None:
    pairs = pair_in_order(wanted, found, fits)
    assert all(fits(wanted[i], found[j]) for i, j in pairs.items())
    places = [pairs[i] for i in sorted(pairs)]
    assert places == sorted(set(places))
    assert len(pairs) == most_pairs(wanted, found, in_order=True)


@pytest.mark.parametrize(
    ("pairs", "expected", "found", "precision", "recall", "f1"),
    [
        (0, 0, 0, 1.0, 1.0, 1.0),
        (0, 2, 0, 1.0, 0.0, 0.0),
        (0, 0, 2, 0.0, 1.0, 0.0),
        (2, 4, 2, 1.0, 0.5, 2 / 3),
        (3, 4, 6, 0.5, 0.75, 0.6),
    ],
)
def test_measures_of_a_pairing(
    pairs: int, expected: int, found: int, precision: float, recall: float, f1: float
) -> None:
    measures = precision_recall_f1(pairs, expected, found)
    assert measures == pytest.approx({"precision": precision, "recall": recall, "f1": f1})
