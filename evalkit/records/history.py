"""What the history of runs holds, and what is asked of it.

The bundles are the truth: every row here can be made again from them. Rates are fractions, times
ISO 8601 in UTC.
"""

from typing import Any

import msgspec

from evalkit.records.run import RunState
from evalkit.records.verdict import Outcome


class ArmEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One variant of one suite in one run.

    `content` digests all that the results depend on; `assets` are the digests by asset, so that a
    change between two runs can be named. `metrics` are the figures of the arm by metric name
    (`pass_rate`, `cost_usd_per_resolved`, ...), None where one was not measured. `slices` are the
    pass rates by tag.
    """

    suite: str
    variant: str
    content: str
    source: str
    prompt: str
    models: dict[str, str]
    assets: dict[str, str]
    cases: int
    trials: int
    metrics: dict[str, float | None]
    slices: dict[str, float] = {}
    outcome: Outcome | None = None


class CaseTally(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a case passed, over the distinct measurements of one arm in one run."""

    case: str
    passes: int
    runs: int


class RunEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One finished run. `path` is its bundle, relative to the project where it lies in it.

    `main` tells that it ran on the default branch with nothing uncommitted: only such runs feed the
    bank. `gates` is False for a run of selected cases. `tags` are the commit's when it was
    recorded.
    """

    id: str
    path: str
    started_at: str
    finished_at: str
    state: RunState
    exit_code: int
    outcome: Outcome | None
    gates: bool
    sha: str | None = None
    branch: str | None = None
    dirty: bool = False
    main: bool = False
    tags: tuple[str, ...] = ()
    evalkit: str = ""
    billed_usd: float = 0.0
    arms: tuple[ArmEntry, ...] = ()

    def arm(self, suite: str, variant: str) -> ArmEntry | None:
        """That variant of that suite, if the run had it."""
        return next((a for a in self.arms if (a.suite, a.variant) == (suite, variant)), None)


class TrendPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run of one series: a suite's metric, of the whole suite or of a slice.

    `changed` names what differs from the point before it: assets, models, the golden set.
    """

    run: str
    at: str
    sha: str | None
    branch: str | None
    value: float | None
    outcome: Outcome | None
    changed: tuple[str, ...] = ()


class Trend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A series, oldest point first. `slice` is None for the whole suite."""

    suite: str
    metric: str
    slice: str | None
    points: tuple[TrendPoint, ...]


class HistoryView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `evalkit history` shows. Schema history: `evalkit.history/1` is the first."""

    trends: tuple[Trend, ...]
    runs: int
    flaky: dict[str, tuple[dict[str, Any], ...]] = {}
    schema: str = "evalkit.history/1"
