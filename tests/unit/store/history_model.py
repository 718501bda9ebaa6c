"""A history in plain dictionaries: slow, and easy to see through. What the real one is held to."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby

from evalkit.records.history import CaseTally, RunEntry, Trend
from evalkit.records.run import Flake
from evalkit.records.verdict import Outcome
from evalkit.store.history_trends import suite_trends

Tallies = Mapping[tuple[str, str], Sequence[CaseTally]]


class ModelHistory:
    """Implements ports.History by looking at everything each time."""

    def __init__(self) -> None:
        self._runs: dict[str, tuple[RunEntry, Tallies]] = {}

    def record(self, run: RunEntry, tallies: Tallies) -> None:
        self._runs.pop(run.id, None)
        self._runs[run.id] = (run, tallies)

    def runs(
        self,
        *,
        branch: str | None = None,
        sha: str | None = None,
        tag: str | None = None,
        passed: bool = False,
        main: bool = False,
        suite: str | None = None,
        limit: int = 100,
    ) -> tuple[RunEntry, ...]:
        found = [
            run
            for run in reversed(self._whole())
            if branch in (None, run.branch)
            and (sha is None or (run.sha or "").startswith(sha.lower()))
            and (tag is None or tag in run.tags)
            and (not passed or (run.exit_code, run.outcome) == (0, Outcome.PASS))
            and (not main or run.main)
            and (suite is None or any(arm.suite == suite for arm in run.arms))
        ]
        return tuple(found[:limit])

    def of_content(self, suite: str, content: str) -> tuple[RunEntry, ...]:
        return tuple(
            run
            for run in self._whole()
            if content and any((a.suite, a.content) == (suite, content) for a in run.arms)
        )

    def flakes(self, suite: str, content: str) -> tuple[Flake, ...]:
        return tuple(
            Flake(case=each.case, runs=each.runs, passes=each.passes)
            for each in self.tallies(suite, content)
            if each.runs >= 5 and 0 < each.passes < each.runs
        )

    def tallies(self, suite: str, content: str) -> tuple[CaseTally, ...]:
        seen: defaultdict[str, dict[str, bool]] = defaultdict(dict)
        for run, tallies in self._runs.values():  # in the order of recording: the last one counts
            for arm in run.arms:
                if (arm.suite, arm.content) == (suite, content) and run.counts(arm):
                    for tally in tallies.get((suite, arm.variant), ()):
                        seen[tally.case].update(tally.measured)
        return tuple(
            CaseTally(case=case, passes=sum(seen[case].values()), runs=len(seen[case]))
            for case in sorted(seen)
            if seen[case]
        )

    def trends(
        self,
        *,
        suite: str | None = None,
        metric: str = "pass_rate",
        slices: bool = False,
        branch: str | None = None,
        limit: int = 50,
    ) -> tuple[Trend, ...]:
        pairs = sorted(
            (
                (run, arm)
                for run in self._whole()
                for arm in run.arms
                if arm.variant == "candidate"
                and suite in (None, arm.suite)
                and branch in (None, run.branch)
            ),
            key=lambda pair: pair[1].suite,
        )
        return tuple(
            trend
            for name, mine in groupby(pairs, key=lambda pair: pair[1].suite)
            for trend in suite_trends(
                name, list(mine)[-limit - 1 :], metric, slices=slices, limit=limit
            )
        )

    def known(self) -> frozenset[str]:
        return frozenset(self._runs)

    def stamps(self) -> Mapping[str, str]:
        return {name: run.stamp for name, (run, _) in self._runs.items()}

    def forget(self, runs: Sequence[str]) -> None:
        for run in runs:
            self._runs.pop(run, None)

    def close(self) -> None:
        """There is nothing to close."""

    def _whole(self) -> list[RunEntry]:
        """Oldest first."""
        runs = [run for run, _ in self._runs.values() if run.whole]
        return sorted(runs, key=lambda run: (run.started_at, run.id))
