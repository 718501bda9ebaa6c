"""What proves that shards are one whole run: everything else is refused, by name."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from evalkit._version import __version__
from evalkit.errors import Refused
from evalkit.records.attempt import Place
from evalkit.records.digest import digest_of
from evalkit.records.run import SuiteRecord, SuiteSnapshot
from evalkit.workflows.runs.plan_identity import (
    ASKED,
    asked_part,
    cases_part,
    digest_cases,
    digest_parts,
    stored_trials,
    suite_parts,
)
from evalkit.workflows.runs.shard_files import ShardFile, refuse_unfinished
from evalkit.workflows.runs.sharding import differing_parts

_SHOWN = 3
# names become names of files
_SUITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")


def check_whole(shards: Sequence[ShardFile]) -> None:
    """Raise Refused unless the shards are every part of one plan, each once, each whole, with every
    attempt that the plan asks for, once."""
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
    _check_cases(shards)
    for each in shards:
        _check_places(each)


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
    found = {snapshot.suite for snapshot in shard.run.snapshots}
    if (
        digest_parts(shard.plan.parts) != shard.plan.digest
        or names != found
        or not names <= set(shard.plan.suites)
        or not all(_SUITE.fullmatch(name) for name in shard.plan.suites)
    ):
        raise Refused(f"{shard.bundle.path} cannot be merged, it is damaged: its plan was changed")
    held: dict[str, Any] = {ASKED: asked_part(shard.record.request)}
    for suite, snapshot in zip(shard.record.suites, shard.run.snapshots, strict=True):
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


def _check_cases(shards: Sequence[ShardFile]) -> None:
    """Every case of every suite is in one shard: their list is the one that was planned."""
    held: defaultdict[str, dict[str, ShardFile]] = defaultdict(dict)
    for each in shards:
        for snapshot in each.run.snapshots:
            for case in snapshot.cases:
                other = held[snapshot.suite].setdefault(case.id, each)
                if other is not each:
                    raise Refused(
                        f"case {case.id} of suite {snapshot.suite} is in {other} and in {each}; a "
                        "run has every case once"
                    )
    plan = shards[0].plan
    for suite in {**plan.suites, **held}:
        cases, planned = held[suite], plan.suites.get(suite, 0)
        if digest_cases(cases) != plan.parts.get(cases_part(suite)):
            raise Refused(
                f"suite {suite}: the shards hold {len(cases):,} cases, which are not the "
                f"{planned:,} that were planned; a bundle lost some, or was changed"
            )


def _check_places(shard: ShardFile) -> None:
    """Each attempt that the shard should have made is there, and no other."""
    run = shard.run
    planned = {
        place
        for suite, snapshot in zip(run.record.suites, run.snapshots, strict=True)
        for place in _planned(suite, snapshot)
    }
    own = {
        attempt.place
        for attempt in run.attempts
        if attempt.pooled_from is None
        and not _is_stored(run.snapshot(attempt.suite), attempt.variant)
    }
    cases = {(each.suite, case.id) for each in run.snapshots for case in each.cases}
    lent = {a.place for a in run.attempts if (a.suite, a.case) not in cases}
    lacking, strange = sorted(planned - own), sorted((own - planned) | lent)
    if lacking:
        raise Refused(
            f"{shard} lacks {_count(len(lacking))} that it should have made: {_places(lacking)}; "
            "its bundle is not whole"
        )
    judged = {each.place for each in run.judgments} - {each.place for each in run.attempts}
    if strange or judged:
        strange = strange or sorted(judged)
        raise Refused(
            f"{shard} holds {_count(len(strange))} that its plan does not have: "
            f"{_places(strange)}; its bundle was changed"
        )


def _planned(suite: SuiteRecord, snapshot: SuiteSnapshot) -> Iterable[Place]:
    for variant in suite.variants:
        if stored_trials(snapshot, variant.variant) is None:
            for case in snapshot.cases:
                for trial in range(1, snapshot.trials + 1):
                    yield suite.suite, variant.variant, case.id, trial


def _is_stored(snapshot: SuiteSnapshot | None, variant: str) -> bool:
    return snapshot is not None and stored_trials(snapshot, variant) is not None


def _count(attempts: int) -> str:
    return "1 attempt" if attempts == 1 else f"{attempts:,} attempts"


def _places(places: Sequence[Place]) -> str:
    return _some([f"{suite} {variant} {case} trial {n}" for suite, variant, case, n in places])


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
