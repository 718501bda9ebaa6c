"""A history that makes itself again when its file turns out to be damaged."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from evalkit.ports import History
from evalkit.records.history import CaseTally, RunEntry, Trend
from evalkit.records.run import Flake
from evalkit.store.history_file import HistoryDamaged

T = TypeVar("T")


class HealingHistory:
    """Implements ports.History: what cannot be read is asked once more of what `heal` gives.

    Damage shows when a page is read, which may be long after the file was opened. `heal` gives a
    history that was made again, whose own damage is not healed a second time.
    """

    def __init__(self, history: History, heal: Callable[[], History]) -> None:
        """Nothing is asked yet."""
        self._history = history
        self._heal = heal

    def _asked(self, question: Callable[[History], T]) -> T:
        try:
            return question(self._history)
        except HistoryDamaged:
            self._history.close()
            self._history = self._heal()
            return question(self._history)

    def record(self, run: RunEntry, tallies: Mapping[tuple[str, str], Iterable[CaseTally]]) -> None:
        """Store a run, or replace what is stored of it."""
        self._asked(lambda history: history.record(run, tallies))

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
        """Complete runs that gate and match everything given, newest first."""
        return self._asked(
            lambda history: history.runs(
                branch=branch,
                sha=sha,
                tag=tag,
                passed=passed,
                main=main,
                suite=suite,
                limit=limit,
            )
        )

    def of_content(self, suite: str, content: str) -> tuple[RunEntry, ...]:
        """Complete runs that gate and have an arm of that suite and content, oldest first."""
        return self._asked(lambda history: history.of_content(suite, content))

    def flakes(self, suite: str, content: str) -> tuple[Flake, ...]:
        """Cases that passed some of at least five measurements of that content, and not all."""
        return self._asked(lambda history: history.flakes(suite, content))

    def tallies(self, suite: str, content: str) -> tuple[CaseTally, ...]:
        """Every case of that content with its distinct measurements."""
        return self._asked(lambda history: history.tallies(suite, content))

    def trends(
        self,
        *,
        suite: str | None = None,
        metric: str = "pass_rate",
        slices: bool = False,
        branch: str | None = None,
        limit: int = 50,
    ) -> tuple[Trend, ...]:
        """One series a suite (and slice) of the candidates' figures."""
        return self._asked(
            lambda history: history.trends(
                suite=suite, metric=metric, slices=slices, branch=branch, limit=limit
            )
        )

    def known(self) -> frozenset[str]:
        """Ids of the runs that are stored."""
        return self._asked(lambda history: history.known())

    def stamps(self) -> Mapping[str, str]:
        """The stored runs with their stamps."""
        return self._asked(lambda history: history.stamps())

    def forget(self, runs: Sequence[str]) -> None:
        """Drop runs whose bundles are gone."""
        self._asked(lambda history: history.forget(runs))

    def close(self) -> None:
        """Give the store back."""
        self._history.close()
