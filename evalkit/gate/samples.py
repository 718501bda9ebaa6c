"""Cases as numbers: one difference a case, with unknown attempts counted one way or the other.

Rates are integers over one denominator, so that sums and comparisons at a boundary are exact.
"""

import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from fractions import Fraction
from operator import attrgetter
from typing import Literal

import msgspec

from evalkit.gate.cases import CaseResult, TrialResult
from evalkit.records.verdict import PairedCounts

Read = Callable[[TrialResult], bool | None]
_PASSED: Read = attrgetter("passed")
# a million cases are numbers in arrays, which take 4 bytes where a list takes 8 and more
_COUNT = "i"


class Bound(Enum):
    """How attempts without a result are counted.

    WORST: the candidate's as failures, the baseline's as passes. BEST: the reverse. Whatever
    those attempts would have shown lies between the two.
    """

    WORST = "worst"
    BEST = "best"


class ArmTally(msgspec.Struct, frozen=True):
    """One arm, an entry a case: attempts that passed, that have no result, and all of them."""

    passes: Sequence[int]
    unknown: Sequence[int]
    runs: Sequence[int]

    def select(self, rows: Sequence[int]) -> "ArmTally":
        """The cases at these positions."""
        return ArmTally(
            array(_COUNT, [self.passes[i] for i in rows]),
            array(_COUNT, [self.unknown[i] for i in rows]),
            array(_COUNT, [self.runs[i] for i in rows]),
        )

    def inverted(self) -> "ArmTally":
        """The same arm where not passing is what is asked for."""
        known = zip(self.runs, self.unknown, self.passes, strict=True)
        return ArmTally(array(_COUNT, [n - u - p for n, u, p in known]), self.unknown, self.runs)

    def rates(self, scale: int, *, unknown: bool) -> Sequence[int]:
        """Each case's pass rate times `scale`, a multiple of every `runs`."""
        passes = self.passing(unknown=unknown)
        if self.runs.count(scale) == len(self.runs):
            return passes
        return [p * (scale // n) for p, n in zip(passes, self.runs, strict=True)]

    def passing(self, *, unknown: bool) -> Sequence[int]:
        """Attempts that passed, those without a result counted as `unknown`."""
        if not unknown:
            return self.passes
        counted = zip(self.passes, self.unknown, strict=True)
        return array(_COUNT, [p + u for p, u in counted])

    def total(self, *, unknown: bool) -> Fraction:
        """The sum of the pass rates of the cases."""
        scale = math.lcm(*set(self.runs))
        return Fraction(sum(self.rates(scale, unknown=unknown)), scale)


class PairedSample(msgspec.Struct, frozen=True):
    """Pass rates of every case in both arms, at one bound, times `scale`.

    `differences` are mean pass (baseline) - mean pass (candidate), times `scale` as well. `groups`
    is None when no case shares one. `one_run` says that each arm ran every case once.
    """

    baseline: Sequence[int]
    candidate: Sequence[int]
    differences: Sequence[int]
    scale: int
    groups: Sequence[int] | None
    one_run: bool
    trials_baseline: int
    trials_candidate: int

    @property
    def cases(self) -> int:
        """How many pairs there are."""
        return len(self.baseline)

    @property
    def drop(self) -> Fraction:
        """The mean of the differences, exact; 0 of no cases."""
        return Fraction(sum(self.differences), self.scale * max(1, self.cases))

    @property
    def baseline_rate(self) -> float | None:
        """The mean pass rate of the baseline."""
        return sum(self.baseline) / (self.scale * self.cases) if self.cases else None

    @property
    def candidate_rate(self) -> float | None:
        """The mean pass rate of the candidate."""
        return sum(self.candidate) / (self.scale * self.cases) if self.cases else None

    def counts(self) -> PairedCounts:
        """The paired table; fractional where a case ran more than once."""
        b = sum([d for d in self.differences if d > 0])
        c = b - sum(self.differences)
        both_pass = sum(self.baseline) - b
        both_fail = self.cases * self.scale - both_pass - b - c
        return PairedCounts(
            cases=self.cases,
            groups=self.cases if self.groups is None else _distinct(self.groups),
            b=b / self.scale,
            c=c / self.scale,
            both_pass=both_pass / self.scale,
            both_fail=both_fail / self.scale,
            trials_baseline=self.trials_baseline,
            trials_candidate=self.trials_candidate,
        )


class PairedTally(msgspec.Struct, frozen=True):
    """Two arms over the same cases; `groups` numbers the group of each, None without any shared."""

    baseline: ArmTally
    candidate: ArmTally
    groups: Sequence[int] | None

    def select(self, rows: Sequence[int]) -> "PairedTally":
        """The cases at these positions."""
        groups = None if self.groups is None else array(_COUNT, [self.groups[i] for i in rows])
        return PairedTally(self.baseline.select(rows), self.candidate.select(rows), _shared(groups))

    @property
    def unknown(self) -> int:
        """Attempts without a result, of both arms."""
        return sum(self.baseline.unknown) + sum(self.candidate.unknown)

    def sample(self, bound: Bound) -> PairedSample:
        """Both arms at one bound."""
        worst = bound is Bound.WORST
        scale = math.lcm(*set(self.baseline.runs), *set(self.candidate.runs))
        baseline = self.baseline.rates(scale, unknown=worst)
        candidate = self.candidate.rates(scale, unknown=not worst)
        return PairedSample(
            baseline=baseline,
            candidate=candidate,
            differences=[b - c for b, c in zip(baseline, candidate, strict=True)],
            scale=scale,
            groups=self.groups,
            one_run=scale == 1,
            trials_baseline=sum(self.baseline.runs),
            trials_candidate=sum(self.candidate.runs),
        )


def tally_arm(arms: Iterable[Sequence[TrialResult]], read: Read = _PASSED) -> ArmTally:
    """Count what `read` says of the attempts of each case; a case without any has one unknown."""
    passes, unknown, runs = array(_COUNT), array(_COUNT), array(_COUNT)
    for arm in arms:
        values = [read(trial) for trial in arm] or [None]
        passes.append(values.count(True))
        unknown.append(values.count(None))
        runs.append(len(values))
    return ArmTally(passes, unknown, runs)


def tally_pairs(
    cases: Sequence[CaseResult],
    against: Literal["baseline", "anchor"] = "baseline",
    read: Read = _PASSED,
) -> PairedTally:
    """The candidate of `cases` and what it is held against."""
    fixed = (case.baseline if against == "baseline" else case.anchor for case in cases)
    return PairedTally(
        tally_arm(fixed, read),
        tally_arm((case.candidate for case in cases), read),
        cluster_keys(cases),
    )


def build_sample(cases: Sequence[CaseResult], bound: Bound) -> PairedSample:
    """Both arms of `cases` at one bound."""
    return tally_pairs(cases).sample(bound)


def cluster_keys(cases: Sequence[CaseResult]) -> Sequence[int] | None:
    """The number of each case's group, its own where it has none; None when all are distinct."""
    numbers: dict[str, int] = {}
    keys = array(_COUNT)
    grouped = 0
    for i, case in enumerate(cases):
        # a case on its own has a number that no group has
        if case.group is None:
            keys.append(-1 - i)
        else:
            keys.append(numbers.setdefault(case.group, len(numbers)))
            grouped += 1
    return None if len(numbers) == grouped else keys


def _shared(groups: Sequence[int] | None) -> Sequence[int] | None:
    return None if groups is None or _distinct(groups) == len(groups) else groups


def _distinct(groups: Sequence[int]) -> int:
    """How many groups there are; a case on its own is one."""
    shared = {group for group in groups if group >= 0}
    return len(shared) + sum(group < 0 for group in groups)
