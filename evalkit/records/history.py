"""What the history of runs holds, and what is asked of it.

The bundles are the truth: every row here can be made again from them. Rates are fractions, times
ISO 8601 in UTC.
"""

from typing import Any

import msgspec

from evalkit.records.run import Flake, RunState
from evalkit.records.verdict import Outcome


class ArmEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One variant of one suite in one run.

    `content` digests all that the results depend on, empty in runs of an older evalkit. `assets`
    are the digests by asset, so that a change between two runs can be named; the golden set, the
    scorers and the gate are among them as `golden:NAME@vN`, `scorers` and `gate`. `metrics` are the
    figures of the arm by metric name (`pass_rate`, `cost_usd_per_resolved`, ...), None where one
    was not measured. `slices` are the pass rates by tag.
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
    """How often a case passed, over distinct measurements: of one arm in one run, or of a content.

    `measured` tells of every measurement of a run, by its id, whether it passed: a replay in a
    later run has an id that is known, and counts no second time. A history's answers leave it out.
    """

    case: str
    passes: int
    runs: int
    measured: dict[str, bool] = {}


class RunEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One finished run. `path` is its bundle, relative to the project where it lies in it.

    `main` tells that it ran on the default branch with nothing uncommitted: only such runs feed the
    bank. `gates` is False for a run of selected cases. `tags` are the commit's when it was
    recorded. `changes` are the candidate's (`--set`), so that it is not what its commit holds.
    `stamp` tells one state of the bundle from another.
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
    changes: dict[str, Any] = {}
    stamp: str = ""
    arms: tuple[ArmEntry, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it is complete and gates: only such runs are compared, pooled and counted."""
        return self.state == "complete" and self.gates

    @property
    def at_commit(self) -> bool:
        """Whether its candidate is what its commit holds: nothing uncommitted, nothing `--set`."""
        return self.sha is not None and not self.dirty and not self.changes

    def counts(self, arm: ArmEntry) -> bool:
        """Whether an arm's measurements tell how often an unchanged baseline passes.

        A candidate's do where it was the default branch itself; else a change that is tried until
        it passes would make its own failures look like flakes.
        """
        trusted = arm.variant != "candidate" or (self.main and self.at_commit)
        return self.whole and bool(arm.content) and trusted

    def arm(self, suite: str, variant: str) -> ArmEntry | None:
        """That variant of that suite, if the run had it."""
        return next((a for a in self.arms if (a.suite, a.variant) == (suite, variant)), None)


class TrendPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run of one series: a suite's metric, of the whole suite or of a slice.

    `changed` names what differs from the point before it: the commit, assets, models, the golden
    set, scorers, the gate. `dirty` tells of uncommitted changes or a `--set`.
    """

    run: str
    at: str
    sha: str | None
    branch: str | None
    value: float | None
    outcome: Outcome | None
    changed: tuple[str, ...] = ()
    dirty: bool = False


class Trend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A series, oldest point first. `slice` is None for the whole suite."""

    suite: str
    metric: str
    slice: str | None
    points: tuple[TrendPoint, ...]


class FlakyCases(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What history knows of a suite's flaky cases, in the content that is its baseline now.

    `cases` counts the golden set, `enough` those of it with five measurements or more; `most` is
    the largest number of measurements of any. `flaky` has the least steady first. `quarantined` are
    in evalkit.yaml already, and `room` more may be. `content` is None where no run of it is stored.
    """

    suite: str
    content: str | None
    cases: int
    enough: int
    most: int
    flaky: tuple[Flake, ...]
    quarantined: tuple[str, ...]
    room: int


class HistoryView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `evalkit history` shows. Schema history: `evalkit.history/1` is the first."""

    trends: tuple[Trend, ...]
    runs: int
    flaky: dict[str, tuple[dict[str, Any], ...]] = {}
    schema: str = "evalkit.history/1"
