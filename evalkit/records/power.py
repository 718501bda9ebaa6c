"""What a suite could tell: the forecast that `evalkit plan --power` prints.

Drops, margins, rates and chances are fractions. Cases are independent ones: cases of one group
count once. Schema history: `evalkit.power/1` is the first.
"""

from typing import Literal

import msgspec

# whose case count a row has: the suite's own, or the one needed for that
RowReason = Literal["now", "to_pass", "to_detect"]


class PowerRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One size of the suite: so many cases, each tried `trials` times by the candidate.

    `baseline_trials` are the baseline's runs of a case, banked ones included. `flips` is the spread
    that is left after averaging over them. `detectable_drop` is the smallest true drop that FAILs
    with the power asked for, None where no drop can. `pass_chance` is that of PASS when nothing
    changed, `fail_chance` that of FAIL at the drop that was asked about. `attempts` are those of
    one look in both arms, without banked ones; `cost_usd` their price, where somebody put it in.
    """

    reason: RowReason
    cases: int
    trials: int
    baseline_trials: int
    flips: float
    detectable_drop: float | None
    pass_chance: float
    fail_chance: float | None
    attempts: int
    cost_usd: float | None = None

    def priced(self, cost_usd: float | None) -> "PowerRow":
        """The row with what its attempts would cost."""
        return msgspec.structs.replace(self, cost_usd=cost_usd)


class SuitePower(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a suite of `cases` independent cases can tell, and what it would take to tell more.

    `noise` is how often two identical runs of a case differ, `churn` the share of cases that differ
    between versions for good, without a drop. `minimum_cases` is the fewest that can pass at all.
    `drop` is the drop asked about, `power` the chance with which it should be seen.
    """

    suite: str
    cases: int
    margin: float
    alpha: float
    power: float
    noise: float
    churn: float
    minimum_cases: int
    rows: tuple[PowerRow, ...]
    drop: float | None = None
    noise_source: str = ""
    schema: Literal["evalkit.power/1"] = "evalkit.power/1"


class PowerForecast(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `evalkit plan --power --json` prints: the forecast of every suite that compares."""

    schema: Literal["evalkit.power/1"] = "evalkit.power/1"
    suites: tuple[SuitePower, ...]
