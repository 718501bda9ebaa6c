"""The cases and attempts of shards as the one run that they are, in its order.

Of a case is held where its text stands, of an attempt which line of which shard it is: what shards
made stays in their files.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from heapq import merge

import msgspec

from evalkit.errors import Refused
from evalkit.records.attempt import Attempt
from evalkit.records.cases import Cases, CasesBuilder
from evalkit.records.outcomes import Rows
from evalkit.records.run import SuiteSnapshot
from evalkit.spool import SpooledTexts
from evalkit.workflows.runs.plan_identity import cases_part, digest_cases
from evalkit.workflows.runs.shard_checks import check_places, check_plans
from evalkit.workflows.runs.shard_files import ShardFile

# in the order in which the arms of one case follow each other
_VARIANTS = ("anchor", "baseline", "candidate")


class Joined:
    """Shards that were proven to be one whole run. `snapshots` are its suites, `made` how many
    attempts each shard made by itself, in the order of the shards."""

    def __init__(self, shards: Sequence[ShardFile]) -> None:
        """Reads every attempt once. Raises Refused, by name, for what is not one whole run."""
        check_plans(shards)
        self.shards = tuple(shards)
        self.snapshots = _join_snapshots(shards)
        self._suites = {each.suite: number for number, each in enumerate(self.snapshots)}
        # by suite and trial, at the position of the case and the variant: which line
        self._lines: dict[tuple[int, int], Rows] = {}
        # the number that the first line of each shard has among those of all
        self._firsts = array("Q")
        made = []
        lines = 0
        for shard in shards:
            self._firsts.append(lines)
            own = 0
            for number, attempt in check_places(shard):
                own += attempt.pooled_from is None
                self._take(lines + number, attempt)
            made.append(own)
            lines += shard.attempts.lines
        self.made = tuple(made)

    def _take(self, number: int, attempt: Attempt) -> None:
        suite = self._suites[attempt.suite]
        cases = self.snapshots[suite].cases
        position = cases.position(attempt.case)
        assert position is not None  # it is one of its shard's, whose cases are all here
        key = suite, attempt.trial
        if key not in self._lines:
            self._lines[key] = Rows(len(_VARIANTS) * len(cases))
        at = len(_VARIANTS) * position + _VARIANTS.index(attempt.variant)
        self._lines[key].put(at, number)

    def attempts(self) -> Iterator[tuple[ShardFile, Attempt]]:
        """Every attempt with its shard, by suite, trial, case and variant: as one machine that
        makes one at a time would have made them."""
        for _, lines in sorted(self._lines.items()):
            for number in lines:
                at = bisect_right(self._firsts, number) - 1
                shard = self.shards[at]
                yield shard, shard.attempts.of_line(number - self._firsts[at])

    def release(self) -> None:
        """Hold on to the suites only: what the shards made was written elsewhere."""
        self.shards = ()
        self._lines.clear()


def _join_snapshots(shards: Sequence[ShardFile]) -> tuple[SuiteSnapshot, ...]:
    """The suites in the order of the run, with their cases in that of the golden set."""
    merged = []
    for suite, planned in shards[0].plan.suites.items():
        found = [(each, each.snapshot(suite)) for each in shards]
        parts = [(each, snapshot) for each, snapshot in found if snapshot is not None]
        cases = _join_cases([(each, snapshot.cases) for each, snapshot in parts], suite)
        if digest_cases(cases.ids()) != shards[0].plan.parts.get(cases_part(suite)):
            raise Refused(
                f"suite {suite}: the shards hold {len(cases):,} cases, which are not the "
                f"{planned:,} that were planned; a bundle lost some, or was changed"
            )
        snapshots = [snapshot for _, snapshot in parts]
        merged.append(
            msgspec.structs.replace(
                snapshots[0],
                cases=cases,
                flaky=tuple(each for part in snapshots for each in part.flaky),
                # what was accepted until a day is held against the last day that was measured on
                today=max(part.today for part in snapshots),
            )
        )
    return tuple(merged)


def _join_cases(parts: Sequence[tuple[ShardFile, Cases]], suite: str) -> Cases:
    """The cases of all shards, each once."""
    building = CasesBuilder(SpooledTexts())
    streams = [_in_order(number, cases) for number, (_, cases) in enumerate(parts)]
    for line, id_, number, at in merge(*streams):
        if building.add_new(id_, parts[number][1].text(at), line=line) is not None:
            holding = [str(shard) for shard, cases in parts if cases.has(id_)]
            raise Refused(
                f"case {id_} of suite {suite} is in {holding[0]} and in {holding[-1]}; a run has "
                "every case once"
            )
    return building.result()


def _in_order(number: int, cases: Cases) -> Iterator[tuple[int, str, int, int]]:
    """The line, id, shard and position of every case in the order of the golden set, in which a
    shard holds them already."""

    def place(at: int) -> tuple[int, str]:
        return cases.line_at(at) or 0, cases.id_at(at)

    order: Sequence[int] = range(len(cases))
    if any((cases.line_at(at) or 0) >= (cases.line_at(at + 1) or 0) for at in order[:-1]):
        order = sorted(order, key=place)
    for at in order:
        yield *place(at), number, at
