"""Cases as numbers: one difference a case, with unknown attempts counted one way or the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from evalkit.gate.cases import CaseResult, TrialResult, attempts_of
from evalkit.records.verdict import PairedCounts


class Bound(Enum):
    """How attempts without a result are counted.

    WORST: the candidate's as failures, the baseline's as passes. BEST: the reverse. Whatever
    those attempts would have shown lies between the two.
    """

    WORST = "worst"
    BEST = "best"


@dataclass(frozen=True, slots=True)
class PairedSample:
    """Pass rates of every case in both arms, at one bound; all exact.

    `groups` is None when no case shares one. `one_run` says that each arm ran every case once.
    """

    baseline: tuple[Fraction, ...]
    candidate: tuple[Fraction, ...]
    groups: tuple[tuple[str, str], ...] | None
    one_run: bool
    trials_baseline: int
    trials_candidate: int

    @property
    def cases(self) -> int:
        """How many pairs there are."""
        return len(self.baseline)

    @property
    def differences(self) -> tuple[Fraction, ...]:
        """D_i = mean pass (baseline) - mean pass (candidate), one a case."""
        return tuple(base - cand for base, cand in zip(self.baseline, self.candidate, strict=True))

    def counts(self) -> PairedCounts:
        """The paired table; fractional where a case ran more than once."""
        pairs = list(zip(self.baseline, self.candidate, strict=True))
        both_pass = sum((min(pair) for pair in pairs), Fraction(0))
        b = sum((max(base - cand, Fraction(0)) for base, cand in pairs), Fraction(0))
        c = sum((max(cand - base, Fraction(0)) for base, cand in pairs), Fraction(0))
        return PairedCounts(
            cases=self.cases,
            groups=self.cases if self.groups is None else len(set(self.groups)),
            b=float(b),
            c=float(c),
            both_pass=float(both_pass),
            both_fail=float(self.cases - both_pass - b - c),
            trials_baseline=self.trials_baseline,
            trials_candidate=self.trials_candidate,
        )


def build_sample(cases: Sequence[CaseResult], bound: Bound) -> PairedSample:
    """Both arms of `cases` at one bound."""
    worst = bound is Bound.WORST
    baselines = [attempts_of(case.baseline) for case in cases]
    candidates = [attempts_of(case.candidate) for case in cases]
    groups = cluster_keys(cases)
    return PairedSample(
        baseline=tuple(pass_rate(arm, unknown=worst) for arm in baselines),
        candidate=tuple(pass_rate(arm, unknown=not worst) for arm in candidates),
        groups=groups,
        one_run=all(len(arm) == 1 for arm in (*baselines, *candidates)),
        trials_baseline=sum(len(arm) for arm in baselines),
        trials_candidate=sum(len(arm) for arm in candidates),
    )


def pass_rate(arm: Sequence[TrialResult], *, unknown: bool) -> Fraction:
    """The share of an arm's attempts that passed, the unknown ones counted as `unknown`."""
    passes = sum(unknown if trial.passed is None else trial.passed for trial in arm)
    return Fraction(passes, len(arm))


def cluster_keys(cases: Sequence[CaseResult]) -> tuple[tuple[str, str], ...] | None:
    """The group of each case, its own where it has none; None when all are distinct."""
    # the kind keeps a group's name apart from a case's id
    keys = tuple(
        ("case", case.case) if case.group is None else ("group", case.group) for case in cases
    )
    return keys if len(set(keys)) < len(keys) else None
