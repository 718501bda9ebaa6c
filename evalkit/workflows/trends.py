"""What `evalkit history` shows: trends of the stored runs, and the flaky cases of a baseline."""

from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from evalkit.config.suites import Quarantine
from evalkit.errors import ConfigError, UsageError
from evalkit.gate.readings import AMOUNTS, RATES
from evalkit.ports import History
from evalkit.records.history import FlakyCases, HistoryView, RunEntry, Trend
from evalkit.sources.assets import read_config
from evalkit.sources.quarantine import most_quarantined
from evalkit.sources.tree import WorkingTree
from evalkit.store.folder import PRIVATE
from evalkit.store.history import FLAKE_RUNS
from evalkit.workflows.history.keeping import Note, open_synced

PASS_RATE = "pass_rate"
METRICS = (PASS_RATE, *RATES, *AMOUNTS)
EVERY = "all"
_ALL = 1_000_000


def view_history(
    root: Path,
    *,
    note: Note,
    suite: str | None = None,
    metrics: Sequence[str] = (),
    slices: bool = False,
    tags: Sequence[str] = (),
    branch: str | None = None,
    limit: int = 20,
) -> HistoryView:
    """The trends over the last `limit` runs, of these metrics (default: the pass rate).

    `slices` adds the pass rate of every slice, `tags` asks for those slices alone. Raises
    UsageError for a metric, slice or suite that does not exist, StoreError as the history does.
    """
    wanted = _metrics(metrics, slices=slices or bool(tags))
    if not (root / PRIVATE).is_dir():
        _check_suite(root, suite, ())
        return HistoryView(trends=(), runs=0)
    with open_synced(root, note=note) as history:
        if suite is not None:
            seen = [trend.suite for trend in history.trends(limit=1)]
            _check_suite(root, suite, seen)
        trends = [
            trend
            for metric in wanted
            for trend in history.trends(
                suite=suite,
                metric=metric,
                slices=(slices or bool(tags)) and metric == PASS_RATE,
                branch=branch,
                limit=limit,
            )
        ]
        runs = len(history.runs(suite=suite, branch=branch, limit=_ALL))
    # by suite, each with its metrics in the order that was asked for
    ordered = sorted(_only(trends, tags), key=lambda trend: trend.suite)
    return HistoryView(trends=tuple(ordered), runs=runs)


def _metrics(asked: Sequence[str], *, slices: bool) -> Sequence[str]:
    wanted = list(dict.fromkeys(asked)) or [PASS_RATE]
    if EVERY in wanted:
        return METRICS
    for name in wanted:
        if name not in METRICS:
            close = get_close_matches(name, METRICS, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            known = ", ".join((*METRICS, EVERY))
            raise UsageError(f"there is no metric {name!r}; {hint}there is {known}")
    if slices and PASS_RATE not in wanted:
        raise UsageError(f"slices have a {PASS_RATE} only; add --metric {PASS_RATE}")
    return wanted


def _only(trends: Sequence[Trend], tags: Sequence[str]) -> Sequence[Trend]:
    """The slices of these tags; everything without tags."""
    if not tags:
        return trends
    known = sorted({trend.slice for trend in trends if trend.slice is not None})
    for tag in tags:
        if known and tag not in known:
            raise UsageError(f"no run has a slice {tag!r}; there is {', '.join(known)}")
    return [trend for trend in trends if trend.slice in tags or trend.metric != PASS_RATE]


def _check_suite(root: Path, suite: str | None, seen: Sequence[str]) -> None:
    """A suite that never ran is no mistake where the project has it."""
    if suite is None or suite in seen:
        return
    known = sorted({*seen, *_configured(root)})
    if suite not in known:
        words = f"the project has {', '.join(known)}" if known else "the project has none"
        raise UsageError(f"there is no suite {suite!r}; {words}")


def _configured(root: Path) -> dict[str, Quarantine]:
    """The suites of evalkit.yaml with their quarantines, as far as it can be read."""
    with suppress(ConfigError, FileNotFoundError):
        config = read_config(WorkingTree(root))
        return {name: suite.quarantine for name, suite in config.suites.items()}
    return {}


def flaky_cases(root: Path, suite: str, *, note: Note) -> FlakyCases:
    """The flaky cases of what the suite's baseline is now.

    That is the default branch as it was last run, or what the newest run was compared with. Raises
    UsageError for a suite that does not exist, StoreError as the history does.
    """
    quarantine = _configured(root).get(suite, Quarantine())
    unknown = FlakyCases(
        suite=suite,
        content=None,
        cases=0,
        enough=0,
        most=0,
        flaky=(),
        quarantined=tuple(quarantine.cases),
        room=0,
    )
    if not (root / PRIVATE).is_dir():
        _check_suite(root, suite, ())
        return unknown
    with open_synced(root, note=note) as history:
        _check_suite(root, suite, [trend.suite for trend in history.trends(limit=1)])
        arm = _baseline_arm(history, suite)
        if arm is None:
            return unknown
        content, cases = arm
        tallies = history.tallies(suite, content)
        flakes = history.flakes(suite, content)
    unsteady = sorted(flakes, key=lambda flake: (-_variance(flake.passes, flake.runs), flake.case))
    return msgspec.structs.replace(
        unknown,
        content=content,
        cases=cases,
        enough=sum(tally.runs >= FLAKE_RUNS for tally in tallies),
        most=max((tally.runs for tally in tallies), default=0),
        flaky=tuple(unsteady),
        room=max(0, most_quarantined(quarantine.max_share, cases) - len(quarantine.cases)),
    )


def _variance(passes: int, runs: int) -> float:
    share = passes / runs
    return share * (1 - share)


def _baseline_arm(history: History, suite: str) -> tuple[str, int] | None:
    """The content that a change would be compared with, and how many cases it has."""
    for run in history.runs(suite=suite, limit=_ALL):
        for name in _trusted(run):
            arm = run.arm(suite, name)
            if arm is not None and arm.content:
                return arm.content, arm.cases
    return None


def _trusted(run: RunEntry) -> tuple[str, ...]:
    return ("candidate", "baseline") if run.main and not run.changes else ("baseline",)


def flaky_view(found: FlakyCases) -> HistoryView:
    """The flaky cases as `--json` has them."""
    rows: tuple[dict[str, Any], ...] = tuple(
        {
            "case": flake.case,
            "passes": flake.passes,
            "runs": flake.runs,
            "quarantined": flake.case in found.quarantined,
        }
        for flake in found.flaky
    )
    return HistoryView(trends=(), runs=0, flaky={found.suite: rows})
