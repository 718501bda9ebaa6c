"""Which cases a suite may leave out: ones that it has, and few of them."""

from collections.abc import Collection, Iterator
from fractions import Fraction

from evalkit.config.problems import Locator, Path, suggest
from evalkit.config.suites import Suite
from evalkit.errors import Problem
from evalkit.records.asset import GoldenSet

# From this many cases on one may be left out, whatever the share comes to: a twentieth at most.
ONE_FROM = 20


def most_quarantined(max_share: float, cases: int) -> int:
    """How many of `cases` may be in quarantine: the whole part of the share, and one of 20 or more.

    The share counts as it is written: 0.07 of 100 cases are 7.
    """
    share = int(Fraction(str(max_share)) * cases)
    return max(share, 1 if cases >= ONE_FROM else 0)


def quarantine_problems(
    locator: Locator, name: str, suite: Suite, golden: GoldenSet, ids: Collection[str]
) -> Iterator[Problem]:
    """Cases that the golden set lacks, and more of them than the cap allows.

    `ids` are the set's. An entry whose end has passed still takes its place: it is to be removed.
    """
    path: Path = ("suites", name, "quarantine")
    held = suite.quarantine.cases
    for case in held:
        if case not in ids:
            yield locator.problem(
                (*path, "cases", case),
                f"there is no such case in {golden.reference}",
                at_key=True,
                expected=f"the id of a case in {golden.path}",
                suggestion=suggest(case, ids),
            )
    most = most_quarantined(suite.quarantine.max_share, golden.count)
    if len(held) > most:
        yield locator.problem(
            (*path, "cases"),
            f"{len(held)} of {golden.count} cases are in quarantine, and max_share "
            f"{suite.quarantine.max_share:g} allows {most}",
            at_key=True,
            expected=f"at most {most}",
            suggestion="a suite with many flaky cases needs steadier cases, or more trials",
        )
