"""Cases that ask nearly the same: what makes a golden set larger without telling more.

Two inputs are alike by the runs of three words that they share, as a share of all runs of both
(Jaccard's index). What a system message says is no part of it, since all cases have it in common.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from evalkit.records.case import Case

NEAR = 0.8
_RUN = 3
_WORDS = re.compile(r"\w+")

Runs = frozenset[tuple[str, ...]]


def runs_of(case: Case) -> Runs:
    """The runs of words of what a case asks; shorter texts are one run."""
    said = (turn.get("says", "") for turn in case.conversation)
    words = [
        word
        for text in (*_texts(case.input), *said)
        for word in _WORDS.findall(str(text).casefold())
    ]
    if len(words) < _RUN:
        return frozenset([tuple(words)])
    return frozenset(tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("role") == "system":
            return
        for key in sorted(value):
            yield from _texts(value[key])
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif value is not None:
        yield str(value)


def likeness(one: Runs, other: Runs) -> float:
    """How alike two inputs are, from 0 (nothing in common) to 1 (the same runs)."""
    return len(one & other) / (len(one | other) or 1)


def nearest(case: Case, cases: Iterable[Case]) -> tuple[str, float] | None:
    """The id of the case that is most like it, and how much; None without any."""
    mine = runs_of(case)
    found = [(likeness(mine, runs_of(each)), each.id) for each in cases]
    if not found:
        return None
    most, id_ = max(found, key=lambda each: each[0])
    return id_, most


def near_pairs(cases: Sequence[Case]) -> list[tuple[str, str, float]]:
    """Every case that asks nearly what an earlier one of another group asks, behind the id of the
    first such one, without comparing each with each.

    Of two sets of runs that are near, the rarest fifth of either meets the rarest fifth of the
    other, so only cases that meet there are compared.
    """
    all_runs = [runs_of(case) for case in cases]
    often = Counter(run for runs in all_runs for run in runs)
    at: dict[tuple[str, ...], list[int]] = {}
    stands: set[tuple[Runs, str | None]] = set()
    pairs = []
    for place, (case, runs) in enumerate(zip(cases, all_runs, strict=True)):
        kept = len(runs) - math.ceil(NEAR * len(runs)) + 1
        rare = sorted(runs, key=lambda run: (often[run], run))[:kept]
        for other in sorted({other for run in rare for other in at.get(run, ())}):
            if case.group is not None and case.group == cases[other].group:
                continue
            alike = likeness(runs, all_runs[other])
            if alike >= NEAR:
                pairs.append((cases[other].id, case.id, alike))
                break
        if (runs, case.group) not in stands:  # what is equal to another is found by that one
            stands.add((runs, case.group))
            for run in rare:
                at.setdefault(run, []).append(place)
    return pairs
