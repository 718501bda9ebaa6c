"""Attempts that earlier runs of the same content lend to a run: nothing measured is thrown away.

A commit that is tried again until it is green is pooled with its failures, and a baseline that did
not change is known from every run that measured it on the default branch (the bank). A replay is
never a new trial: measurements count once, whatever run they stand in.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime

import msgspec

from evalkit.errors import StoreError
from evalkit.ports import History
from evalkit.records.attempt import Attempt, VariantName
from evalkit.records.history import RunEntry
from evalkit.records.run import StoredRun
from evalkit.store.runs import RunStore
from evalkit.workflows.setup.content import arm_contents
from evalkit.workflows.setup.pricing import models_of, priced_again
from evalkit.workflows.setup.variants import SuiteSetup

# trials of other runs stand above any that a run makes itself
FIRST_POOLED_TRIAL = 1001
# the newest runs; more would hardly narrow an interval and cost as much to read
MOST_RUNS = 20
_MEASURED = ("live", "cache")
_log = logging.getLogger("evalkit")


def pool_attempts(
    setup: SuiteSetup,
    *,
    history: History,
    store: RunStore,
    run_id: str,
    arms: Collection[VariantName],
    has_case: Callable[[str], bool],
    not_before: datetime | None = None,
) -> tuple[Attempt, ...]:
    """What earlier runs measured of this suite's arms, as trials from `FIRST_POOLED_TRIAL` on.

    Only attempts that a model answered, for `arms` that one answers now, for cases that this run
    has, and not before `not_before`. The baseline and the anchor take the runs of the default
    branch and earlier tries of the same pair; the candidate takes every earlier run of its content.
    Arms that a stored run stands for take none: they were named as they are.
    """
    contents = arm_contents(setup)
    runs: dict[str, StoredRun] = {}
    pooled: list[Attempt] = []
    for arm in (variant.name for variant in setup.variants if variant.name in arms):
        entries = [
            entry
            for entry in history.of_content(setup.name, contents[arm])
            if entry.id != run_id and _lends(entry, setup.name, arm, contents)
        ]
        seen: set[str] = set()
        trials: dict[str, int] = {}
        for entry in entries[-MOST_RUNS:]:
            run = runs.get(entry.id) or _load(store, entry)
            if run is None:
                continue
            runs[entry.id] = run
            asked = models_of(run, setup.name)
            for attempt in _measured(run, entry, setup.name, contents[arm]):
                if not has_case(attempt.case) or attempt.measurement_id in seen:
                    continue
                if not_before is not None and _measured_at(attempt) < not_before:
                    continue
                seen.add(attempt.measurement_id or "")
                trial = trials.get(attempt.case, FIRST_POOLED_TRIAL)
                trials[attempt.case] = trial + 1
                lent = priced_again(attempt, setup.candidate.config, asked)
                pooled.append(_lent(lent, arm, trial, entry.id))
    return tuple(pooled)


def _lends(
    entry: RunEntry, suite: str, arm: VariantName, contents: Mapping[VariantName, str]
) -> bool:
    """Whether a run may add to an arm."""
    if arm == "candidate" or entry.main:
        return True
    before, candidate = entry.arm(suite, arm), entry.arm(suite, "candidate")
    return (
        before is not None
        and candidate is not None
        and before.content == contents[arm]
        and candidate.content == contents["candidate"]
    )


def _load(store: RunStore, entry: RunEntry) -> StoredRun | None:
    """The bundle, if it is still there and whole: history outlives what it was made of."""
    if not store.holds(entry.id):
        return None
    try:
        return store.open(entry.id).load_whole()
    except StoreError as error:
        _log.warning("run %s lends nothing: %s", entry.id, error)
        return None


def _measured(run: StoredRun, entry: RunEntry, suite: str, content: str) -> Iterator[Attempt]:
    """What the run measured itself of that content, in any of its arms."""
    arms = {a.variant for a in entry.arms if a.suite == suite and a.content == content}
    for attempt in run.attempts:
        if (
            attempt.suite == suite
            and attempt.variant in arms
            and attempt.has_result
            and attempt.origin in _MEASURED
            and attempt.measurement_id
            and attempt.pooled_from is None
        ):
            yield attempt


def _lent(attempt: Attempt, arm: VariantName, trial: int, run: str) -> Attempt:
    return msgspec.structs.replace(
        attempt, variant=arm, trial=trial, origin="cache", billed_usd=0.0, pooled_from=run
    )


def _measured_at(attempt: Attempt) -> datetime:
    return datetime.fromisoformat(attempt.measured_at or attempt.at)
