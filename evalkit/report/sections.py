"""The kinds of changes in the order in which every renderer shows them."""

from collections.abc import Sequence

from evalkit.records.change_list import ChangeList
from evalkit.records.comparison import CaseChange, ChangeKind, SuiteComparison

SECTIONS: tuple[tuple[ChangeKind, str, int], ...] = (
    ("regression", "Regressions", 10),
    ("error", "Without a result", 5),
    ("fix", "Fixes", 5),
    ("flip", "Flips within trials", 5),
    ("failing", "Failing as before", 0),
)
"""(kind, title, how many are shown where not all are asked for)"""

_FAILING_ALONE = 10


def was_attempted(change: CaseChange) -> bool:
    """Whether a side was asked about the case; of others there is nothing to show."""
    sides = [side for side in (change.before, change.after) if side is not None]
    return any(side.state is not None or side.unknown < len(side.passed) for side in sides)


def never_attempted(changes: Sequence[CaseChange]) -> int:
    """Of how many cases no side was asked about."""
    if isinstance(changes, ChangeList):
        return changes.never_attempted
    return sum(not was_attempted(change) for change in changes)


def never_words(changes: Sequence[CaseChange]) -> str:
    """', 371 of them never attempted', or nothing where each was."""
    never = never_attempted(changes)
    if never == len(changes):
        return ", never attempted" if changes else ""
    return f", {never:,} of them never attempted" if never else ""


def attempted_first(changes: Sequence[CaseChange]) -> Sequence[CaseChange]:
    """The same changes, those first of which there is something to show."""
    if isinstance(changes, ChangeList):
        return changes.attempted_first()
    return sorted(changes, key=was_attempted, reverse=True)


def sections_of(
    suite: SuiteComparison, *, all_cases: bool
) -> list[tuple[str, Sequence[CaseChange], int]]:
    """(title, changes, how many to show) of every kind that occurs, worst first.

    Without a baseline nothing failed before, so what fails is shown like a regression.
    """
    found = []
    for kind, title, first in SECTIONS:
        changes = suite.of_kind(kind)
        if kind == "failing" and suite.before is None:
            title, first = "Failing", _FAILING_ALONE
        if kind == "error":
            changes = attempted_first(changes)
            first = min(first, len(changes) - never_attempted(changes))
        if changes:
            found.append((title, changes, len(changes) if all_cases else min(first, len(changes))))
    return found
