"""Pairing what is expected with what was found: as many pairs as there can be.

With matchers, two expected calls may both fit one found call, so taking the first that fits is not
always a best pairing.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

Expected = TypeVar("Expected")
Found = TypeVar("Found")
Pairs = dict[int, int]


def pair_in_any_order(
    expected: Sequence[Expected], found: Sequence[Found], fits: Callable[[Expected, Found], bool]
) -> Pairs:
    """A largest matching: the place of an expected item to that of the found one it pairs with.

    Augmenting paths (Kuhn 1955), one expected item after the other.
    """
    edges = [[j for j, other in enumerate(found) if fits(one, other)] for one in expected]
    taken: Pairs = {}  # found to expected

    def place(i: int, seen: set[int]) -> bool:
        for j in edges[i]:
            if j not in seen:
                seen.add(j)
                if j not in taken or place(taken[j], seen):
                    taken[j] = i
                    return True
        return False

    for i in range(len(expected)):
        place(i, set())
    return {i: j for j, i in taken.items()}


def pair_in_order(
    expected: Sequence[Expected], found: Sequence[Found], fits: Callable[[Expected, Found], bool]
) -> Pairs:
    """The same where pairs may not cross: a longest common subsequence."""
    rows, columns = len(expected), len(found)
    fit = [[fits(one, other) for other in found] for one in expected]
    longest = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            longest[i][j] = (
                longest[i + 1][j + 1] + 1
                if fit[i][j]
                else max(longest[i + 1][j], longest[i][j + 1])
            )
    pairs: Pairs = {}
    i = j = 0
    while i < rows and j < columns:
        if fit[i][j]:
            pairs[i] = j
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def precision_recall_f1(pairs: int, expected: int, found: int) -> dict[str, float]:
    """How well a pairing covers both sides, each from 0 to 1.

    Nothing found is no wrong find, and nothing expected leaves nothing to find: both are 1.
    """
    return {
        "precision": pairs / found if found else 1.0,
        "recall": pairs / expected if expected else 1.0,
        "f1": 2 * pairs / (expected + found) if expected + found else 1.0,
    }
