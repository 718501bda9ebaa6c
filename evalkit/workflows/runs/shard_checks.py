"""What proves that shards are one whole run: everything else is refused, by name."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from evalkit._version import __version__
from evalkit.errors import Refused
from evalkit.records.attempt import Attempt, Place
from evalkit.records.digest import digest_of
from evalkit.records.run import SuiteRecord, SuiteSnapshot
from evalkit.workflows.runs.plan_identity import (
    ASKED,
    asked_part,
    digest_parts,
    stored_trials,
    suite_parts,
)
from evalkit.workflows.runs.shard_files import ShardFile, refuse_unfinished
from evalkit.workflows.runs.sharding import differing_parts

_SHOWN = 3
# names become names of files
_SUITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")


def check_plans(shards: Sequence[ShardFile]) -> None:
    """Raise Refused unless the shards are every part of one plan, each once, and each finished.

    Which cases and attempts they hold is looked at by `joining`."""
    first = shards[0]
    for each in shards:
        _check_version(each)
        _check_unchanged(each)
        if each.plan.digest != first.plan.digest:
            parts = _some(differing_parts(first.plan, each.plan))
            raise Refused(
                f"{first} and {each} are not of one run; what differs: {parts}. Make all shards "
                "from one commit, with one command but for the I of --shard I/N"
            )
    _check_complete_set(shards)
    for each in shards:
        refuse_unfinished(each.record, str(each))


def _check_version(shard: ShardFile) -> None:
    if shard.record.evalkit != __version__:
        raise Refused(
            f"{shard} was made by evalkit {shard.record.evalkit}, and this is {__version__}; merge "
            "with the version that made the shards"
        )


def _check_unchanged(shard: ShardFile) -> None:
    """The digest is that of its parts, they are those of the bundle, and suites have names that
    can be names of files."""
    names = {suite.suite for suite in shard.record.suites}
    found = {snapshot.suite for snapshot in shard.snapshots}
    if (
        digest_parts(shard.plan.parts) != shard.plan.digest
        or names != found
        or not names <= set(shard.plan.suites)
        or not all(_SUITE.fullmatch(name) for name in shard.plan.suites)
    ):
        raise Refused(f"{shard.bundle.path} cannot be merged, it is damaged: its plan was changed")
    held: dict[str, Any] = {ASKED: asked_part(shard.record.request)}
    for suite, snapshot in zip(shard.record.suites, shard.snapshots, strict=True):
        held |= suite_parts(suite, snapshot)
    for name, value in held.items():
        if digest_of(value) != shard.plan.parts.get(name):
            raise Refused(
                f"{shard.bundle.path} cannot be merged, it is damaged: {name} is not what was "
                "planned"
            )


def _check_complete_set(shards: Sequence[ShardFile]) -> None:
    by_index: defaultdict[int, list[ShardFile]] = defaultdict(list)
    for each in shards:
        by_index[each.shard.index].append(each)
    of = shards[0].shard.of
    for index, same in sorted(by_index.items()):
        if not 1 <= index <= of or {each.shard.of for each in same} != {of}:
            raise Refused(f"{same[0]} is not one of {of} shards; its run.json was changed")
        if len(same) > 1:
            runs = " and ".join(each.record.id for each in same)
            raise Refused(
                f"shard {index} of {of} is there more than once (runs {runs}); name the one that "
                "counts"
            )
    missing = [str(index) for index in range(1, of + 1) if index not in by_index]
    if missing:
        are = "shard" if len(missing) == 1 else "shards"
        raise Refused(
            f"{are} {_some(missing)} of {of} {'is' if len(missing) == 1 else 'are'} missing; a "
            f"verdict needs all of them: evalkit run --shard {missing[0]}/{of}"
        )


def check_places(shard: ShardFile) -> Iterator[tuple[int, Attempt]]:
    """The attempts at cases of a shard, each with the number of its line.

    Raises Refused in the end unless each that the shard should have made is there, and no other.
    """
    measured = {
        suite.suite: _Measured(suite, snapshot)
        for suite, snapshot in zip(shard.record.suites, shard.snapshots, strict=True)
    }
    strange = _Places()
    found = 0
    for number, attempt in shard.attempts.numbered():
        suite = measured.get(attempt.suite)
        there = suite is not None and suite.snapshot.cases.has(attempt.case)
        if there:
            yield number, attempt
        own = attempt.pooled_from is None and not _is_stored(suite, attempt.variant)
        if own and there and suite is not None and suite.planned(attempt):
            found += 1
        elif own or not there:
            strange.add(attempt.place)
    if found < sum(suite.attempts for suite in measured.values()):
        lacking = _lacking(shard, measured.values())
        raise Refused(
            f"{shard} lacks {_count(lacking.count)} that it should have made: {lacking}; "
            "its bundle is not whole"
        )
    for judgment in shard.judgments if not strange.count else ():
        if shard.attempts.line_of(judgment.place) is None:
            strange.add(judgment.place)
    if strange.count:
        raise Refused(
            f"{shard} holds {_count(strange.count)} that its plan does not have: {strange}; "
            "its bundle was changed"
        )


class _Measured:
    """What a shard should have made of a suite: `arms` at each case, in trials from 1."""

    def __init__(self, record: SuiteRecord, snapshot: SuiteSnapshot) -> None:
        self.snapshot = snapshot
        self.arms = frozenset(
            each.variant
            for each in record.variants
            if stored_trials(snapshot, each.variant) is None
        )
        self.attempts = len(self.arms) * len(snapshot.cases) * snapshot.trials

    def planned(self, attempt: Attempt) -> bool:
        return attempt.variant in self.arms and 1 <= attempt.trial <= self.snapshot.trials

    def places(self) -> Iterator[Place]:
        for variant in self.arms:
            for case in self.snapshot.cases.ids():
                for trial in range(1, self.snapshot.trials + 1):
                    yield self.snapshot.suite, variant, case, trial


class _Places:
    """How many places, and the first few of them, as a refusal names them."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[Place] = []

    def add(self, place: Place) -> None:
        self.count += 1
        self._first = sorted([*self._first, place])[:_SHOWN]

    def __str__(self) -> str:
        named = [f"{suite} {variant} {case} trial {n}" for suite, variant, case, n in self._first]
        return _listed(named, self.count - len(named))


def _lacking(shard: ShardFile, suites: Iterable[_Measured]) -> _Places:
    lacking = _Places()
    for suite in suites:
        for place in suite.places():
            attempt = shard.attempts.at(place)
            if attempt is None or attempt.pooled_from is not None:
                lacking.add(place)
    return lacking


def _is_stored(suite: _Measured | None, variant: str) -> bool:
    return suite is not None and stored_trials(suite.snapshot, variant) is not None


def _count(attempts: int) -> str:
    return "1 attempt" if attempts == 1 else f"{attempts:,} attempts"


def _some(names: Sequence[str]) -> str:
    return _listed(names[:_SHOWN], len(names) - _SHOWN)


def _listed(names: Sequence[str], more: int) -> str:
    return ", ".join(names) + (f" and {more:,} more" if more > 0 else "")
