"""What the gate decided, and the figures it decided on.

A `Verdict` holds one `SuiteVerdict` a suite, which holds one `PartVerdict` for each thing the suite
requires: the drop, the floor, each slice, metric and invariant. Rates and drops are fractions
(0.03 is 3 percentage points). A figure that does not exist is None; no field is ever NaN or
infinite, so that every verdict survives JSON unchanged.
"""

from enum import StrEnum
from typing import Any, Literal

import msgspec

from evalkit.records.calibration import JudgeStanding, Method, Share

PartKind = Literal[
    "drop",
    "anchor",
    "floor",
    "slice_drop",
    "slice_floor",
    "metric",
    "invariant",
    "judge",
    "judge_floor",
    "guard",
    "waiver",
]
SESSIONS_PLAYED = "sessions played"
"""The guard of a replay that could not play all that it should have been about."""
OnInconclusive = Literal["escalate", "warn", "fail"]


class Outcome(StrEnum):
    """What was decided about a part, a suite or a run."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    INCOMPLETE = "incomplete"
    NOT_MEASURED = "not_measured"


class Waiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who accepted that one part of a suite does not pass, why, until when, and how far.

    An entry of waivers.yaml. `part` is the part's name. Dates are ISO 8601 days; `until` is the
    last day on which it holds. It covers no more than what was seen when it was made: `up_to` is
    the largest drop (pp) or increase (percent, or pp for a rate), `at_least` the smallest pass rate
    of a floor, `cases` those that broke an invariant, `text` what a guard said. `line` is its
    place.
    """

    id: str
    suite: str
    part: str
    reason: str
    accepted_by: str
    on: str
    until: str
    up_to: float | None = None
    at_least: float | None = None
    cases: tuple[str, ...] = ()
    text: str | None = None
    line: int | None = None


class Quarantined(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A flaky case whose pass or failure does not count until a day (ISO 8601, inclusive)."""

    case: str
    until: str
    reason: str


class Look(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One look of an escalating gate: decided at `trials` a case with the error `alpha` an end.

    `outcome` is None for a look that is planned and was not taken.
    """

    trials: int
    alpha: float
    outcome: Outcome | None = None


class PairedCounts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The paired table: cases by how baseline and candidate did on them.

    `b` counts what only the baseline passed, `c` what only the candidate passed. With several
    trials a case contributes fractions; b + c + both_pass + both_fail is `cases` either way.
    """

    cases: int
    groups: int
    b: float
    c: float
    both_pass: float
    both_fail: float
    trials_baseline: int
    trials_candidate: int


class Estimate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A drop (positive is worse) and its interval, as fractions.

    For a metric, `drop` is the relative increase, which is what is worse there. With unknown
    attempts the point is the worst case and the interval spans both bounds.
    """

    drop: float
    lower: float
    upper: float


class JudgedArm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One arm as a judge saw it, in attempts.

    `judged` have a verdict, of which `passed` passed; the others are counted by what they are:
    `known_fails` had no answer to judge and are fails without asking. `corrected` is the pass rate
    with its 95 % interval after the judge's errors are taken out, by `method`; None for a judge
    without a calibration.
    """

    judged: int
    passed: int
    known_fails: int = 0
    abstained: int = 0
    unparseable: int = 0
    refused: int = 0
    errors: int = 0
    disagreed: int = 0
    corrected: Share | None = None
    method: Method | None = None

    @property
    def without_verdict(self) -> int:
        """Attempts that a judge had to judge and that have no verdict."""
        return self.abstained + self.unparseable + self.refused + self.errors

    def with_rate(self, corrected: Share, method: Method) -> "JudgedArm":
        """The same arm with its corrected rate."""
        return msgspec.structs.replace(self, corrected=corrected, method=method)


class Judged(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands behind a part of kind judge: the judge, its standing, and both arms.

    `asked` says in words who judged. `raw` is the drop as the judge sees it, uncorrected; the
    part's estimate is the corrected one. `equal_errors` tells whether the judge may be taken to err
    alike on both arms: same (the arms are the same content), assumed (the suite says so), verified
    (labels of both arms show no difference), paired (labels of this run on both arms correct the
    drop without that assumption), unverified, differ. `labels` counts this run's spot labels.
    """

    rubric: str
    asked: str
    standing: JudgeStanding
    baseline: JudgedArm | None
    candidate: JudgedArm
    equal_errors: Literal["same", "assumed", "verified", "paired", "unverified", "differ"]
    raw: Estimate | None = None
    labels: int = 0
    shared: int = 0


class PartVerdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing a suite requires (or watches, when `required` is false) and how it came out.

    `best` and `worst` are the outcomes with every unknown attempt counted for and against the
    candidate; they equal `outcome` where nothing is unknown. `held` marks an outcome that
    `on_inconclusive` must not turn into another exit code. `p_value` is one-sided and belongs to
    the interval, `mcnemar_p` is the exact test (None where cases repeat or cluster); with unknown
    attempts both are the larger of the two bounds. `adjusted_p` is `p_value` among several slices.
    `cases` names those that decided it, where single cases do (an invariant). `unknown` counts the
    attempts without a result that it was decided around. A part with `waiver` keeps its outcome and
    counts as passed, because somebody accepted it. `judged` stands behind a judge's part.
    """

    name: str
    kind: PartKind
    outcome: Outcome
    required: bool
    message: str
    best: Outcome
    worst: Outcome
    held: bool = False
    rule: str | None = None
    estimate: Estimate | None = None
    margin: float | None = None
    alpha: float | None = None
    counts: PairedCounts | None = None
    mcnemar_p: float | None = None
    p_value: float | None = None
    adjusted_p: float | None = None
    detectable_drop: float | None = None
    baseline_rate: float | None = None
    candidate_rate: float | None = None
    candidate_interval: tuple[float, float] | None = None
    baseline_value: float | None = None
    candidate_value: float | None = None
    floor: float | None = None
    what_would_settle: str | None = None
    owner: str | None = None
    cases: tuple[str, ...] = ()
    unknown: int = 0
    waiver: Waiver | None = None
    judged: Judged | None = None

    def revised(self, **changes: Any) -> "PartVerdict":
        """A copy with these fields changed."""
        return msgspec.structs.replace(self, **changes)


class SuiteVerdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A suite's outcome: the worst of its required parts.

    `planned` counts cases (pairs where there is a baseline), `unknown` those with at least one
    attempt that has no result. `looks` are those that were taken, the last of which decided; empty
    for a gate that looks once. `quarantined` cases were left out of everything but invariants.
    """

    suite: str
    outcome: Outcome
    parts: tuple[PartVerdict, ...]
    unknown: int
    planned: int
    on_inconclusive: OnInconclusive
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    owner: str | None = None
    looks: tuple[Look, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()

    def revised(self, **changes: Any) -> "SuiteVerdict":
        """A copy with these fields changed."""
        return msgspec.structs.replace(self, **changes)


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The outcome over all suites and the exit code it stands for (0, 1, 3 or 4)."""

    outcome: Outcome
    exit_code: int
    suites: tuple[SuiteVerdict, ...]
    reasons: tuple[str, ...]

    @property
    def incomplete(self) -> bool:
        """Whether a suite has more attempts without a result than its gate allows.

        So it may be beside a failure that was measured, which decides the exit code.
        """
        return any(
            part.outcome is Outcome.INCOMPLETE for suite in self.suites for part in suite.parts
        )
