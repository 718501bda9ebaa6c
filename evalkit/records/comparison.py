"""Two sides of a suite held next to each other, case by case: what `evalkit diff` shows.

Within a run the sides are its baseline and its candidate; between two runs they are the candidates.
Rates are fractions. Nothing here decides: the verdict is the gate's, repeated.

Schema history: `evalkit.diff/1` is the first.
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from evalkit.records.attempt import AttemptState, FailureMode
from evalkit.records.call import Origin, ToolCall
from evalkit.records.run import JudgingTotals
from evalkit.records.score import ScoreState
from evalkit.records.verdict import SuiteVerdict, Verdict

ChangeKind = Literal["regression", "error", "fix", "flip", "failing", "same"]
KINDS: tuple[ChangeKind, ...] = ("regression", "error", "fix", "flip", "failing", "same")
"""Worst first."""


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scorer that did not pass a side, in its own words.

    `fresh` tells that the scorer passed the other side (or had no other side to look at), so that
    it is what broke, or what was repaired. `apart` marks a judge: it decides no case, and what it
    requires is a part of the verdict of its own.
    """

    scorer: str
    kind: str
    gate: bool
    state: ScoreState
    fresh: bool
    message: str = ""
    expected: Any = None
    found: Any = None
    apart: bool = False


class Side(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one side did on a case.

    `passed` has one entry a trial, None for a trial without a result. Everything else is of the one
    trial that shows the change best (`trial`); `state` is None when that trial has no attempt.
    """

    passed: tuple[bool | None, ...]
    trial: int
    state: AttemptState | None = None
    output: str | None = None
    parsed: Any = None
    tool_calls: tuple[ToolCall, ...] = ()
    error: str | None = None
    failure_mode: FailureMode | None = None
    rule: str | None = None
    model: str = ""
    origin: Origin | None = None
    tokens: int = 0
    cost_usd: float | None = None
    latency_s: float | None = None

    @property
    def passes(self) -> int:
        """Trials that passed."""
        return sum(result is True for result in self.passed)

    @property
    def unknown(self) -> int:
        """Trials without a result."""
        return sum(result is None for result in self.passed)


class CaseChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One case on both sides.

    regression: passes less often than before, whatever the trials without a result would have
    shown. fix: more often. error: a side has a trial without a result, and it could matter. flip:
    equally often, and not the same in every trial. failing and same: no change. `place` is the
    case's `file:line`. `findings` are the failing side's: after, and before for a fix.
    """

    suite: str
    case: str
    kind: ChangeKind
    input: dict[str, Any]
    expected: dict[str, Any]
    after: Side
    before: Side | None = None
    findings: tuple[Finding, ...] = ()
    tags: tuple[str, ...] = ()
    place: str | None = None


class SliceRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cases that carry `tag`. Counts are fractional where cases have several trials.

    Rates are over the attempts that have a result, None where none has; `unknown` are the cases
    with an attempt that has none, on either side. `before_known` and `after_known` count those
    attempts, the `_planned` ones all that were to be made. `b` counts what passes only before, `c`
    only after, over the cases with a result on both sides. Where nothing is unknown all of it is
    what the gate decides on; else the gate also counts what is unknown, for and against.
    """

    tag: str
    cases: int
    unknown: int
    before_rate: float | None
    after_rate: float | None
    b: float
    c: float
    before_known: int = 0
    before_planned: int = 0
    after_known: int = 0
    after_planned: int = 0

    @property
    def whole(self) -> bool:
        """Whether every planned attempt has a result, so that the sides are over the same."""
        return self.before_known == self.before_planned and self.after_known == self.after_planned


class ScorerRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scorer over the attempts it applied to; errors of the scorer are not passes.

    `b` and `c` count cases with a score on both sides, like `SliceRow`. A judge's rates are its
    own, uncorrected: `judge` says who judged, `apart` that it decides a part of its own, and
    `newly_failing` names cases that it passed more often before, the largest loss first.
    """

    scorer: str
    kind: str
    gate: bool
    before_applied: int
    after_applied: int
    before_rate: float | None
    after_rate: float | None
    b: float
    c: float
    errors: int
    judge: str = ""
    apart: bool = False
    newly_failing: tuple[str, ...] = ()


class Amounts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sums over the attempts of a side on the compared cases, errors included.

    `measured` are the attempts that did not end in an infrastructure error: averages are over
    them, as an error would make a side look cheap. `cost_usd` is the list price, None when an
    attempt that used tokens has none; `billed_usd` is what was spent. `passed` counts attempts.
    Latencies are of live calls, in seconds: the median and the 95th percentile (nearest rank);
    None when nothing was measured live.
    """

    attempts: int
    measured: int
    passed: int
    unknown: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    billed_usd: float
    latency_p50_s: float | None = None
    latency_p95_s: float | None = None

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.input_tokens + self.output_tokens

    @property
    def tokens_per_attempt(self) -> float | None:
        """Tokens of a measured attempt, on average; comparable where the sides ran other trials."""
        return self.tokens / self.measured if self.measured else None

    @property
    def cost_usd_per_attempt(self) -> float | None:
        """USD of a measured attempt, on average."""
        if self.cost_usd is None or not self.measured:
            return None
        return self.cost_usd / self.measured

    @property
    def cost_usd_per_pass(self) -> float | None:
        """USD for one attempt that passed; None when none did."""
        if self.cost_usd is None or not self.passed:
            return None
        return self.cost_usd / self.passed


class SideSummary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One side of a suite: where it came from and what it took. `origins` counts attempts.

    `failure_modes` counts the attempts that failed or have no result by their code, the most
    frequent first.
    """

    label: str
    source: str
    prompt: str
    models: dict[str, str]
    amounts: Amounts
    origins: dict[str, int] = {}
    fallbacks: int = 0
    failure_modes: dict[str, int] = {}


@runtime_checkable
class KindedChanges(Protocol):
    """Changes that are described when they are looked at, and know their kinds before that."""

    def of_kind(self, *kinds: ChangeKind) -> Sequence[CaseChange]:
        """The changes of these kinds, in order."""


class SuiteComparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One suite. `overall` covers every compared case, `slices` one tag each.

    `before` is None for a suite that has no baseline. `changes` come worst first: regressions,
    errors, fixes, flips, then what fails as before (or, without a baseline, what fails). `counts`
    is over all compared cases, by kind, `same` included. `judging` is what the judges of the run
    took, apart from the sides' own amounts; None without one, and between two runs.
    """

    suite: str
    golden: str
    cases: int
    after: SideSummary
    overall: SliceRow
    slices: tuple[SliceRow, ...]
    scorers: tuple[ScorerRow, ...]
    changes: Sequence[CaseChange]
    counts: dict[str, int]
    before: SideSummary | None = None
    verdict: SuiteVerdict | None = None
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    owner: str | None = None
    judging: JudgingTotals | None = None

    def of_kind(self, *kinds: ChangeKind) -> Sequence[CaseChange]:
        """The changes of these kinds, in order."""
        if isinstance(self.changes, KindedChanges):
            return self.changes.of_kind(*kinds)
        return [change for change in self.changes if change.kind in kinds]


class Comparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything two sides have in common and do not. `verdict` is None where none was made.

    `only_before` and `only_after` name the suites of one side. `notes` say what makes the sides
    hard to compare.
    """

    before: str
    after: str
    suites: tuple[SuiteComparison, ...]
    schema: Literal["evalkit.diff/1"] = "evalkit.diff/1"
    verdict: Verdict | None = None
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """The verdict's; 3 where nothing was decided, which is no pass."""
        return 3 if self.verdict is None else self.verdict.exit_code
