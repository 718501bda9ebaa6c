"""Attempts that others measured, as a run's own: of stored arms, and pooled from earlier runs."""

import msgspec

from evalkit.ports import History
from evalkit.records.attempt import Attempt
from evalkit.records.run import RunRecord
from evalkit.store.runs import RunStore
from evalkit.workflows.runs.pooling import pool_attempts
from evalkit.workflows.runs.preparing import PreparedRun
from evalkit.workflows.setup.aging import max_age
from evalkit.workflows.setup.pricing import models_of, priced_again
from evalkit.workflows.wiring import Wiring


def borrow_attempts(
    prepared: PreparedRun, record: RunRecord, *, history: History, wiring: Wiring
) -> list[Attempt]:
    """What stored arms measured, and what earlier runs lend to the arms of a run that gates, or of
    one that is a shard of it."""
    borrowed = _of_stored_arms(prepared)
    if record.gates or record.shard is not None:
        borrowed += _pooled(prepared, record.id, history, wiring)
    return borrowed


def _of_stored_arms(prepared: PreparedRun) -> list[Attempt]:
    """The attempts of bundles that stand for a baseline or an anchor, as this run's.

    To this run they are replays: another run paid for them, and replays never gate a latency.
    """
    return [
        msgspec.structs.replace(
            priced_again(attempt, setup.candidate.config, asked),
            variant=arm,
            origin="cache" if attempt.origin == "live" else attempt.origin,
            billed_usd=0.0,
        )
        for setup in prepared.setups
        for arm, run in setup.replayed.items()
        for asked in [models_of(run, setup.name)]
        for attempt in run.attempts
        if attempt.suite == setup.name and attempt.variant == "candidate"
        if prepared.cases[setup.name].has(attempt.case)
    ]


def _pooled(prepared: PreparedRun, run_id: str, history: History, wiring: Wiring) -> list[Attempt]:
    """What earlier runs measured of the same content, where this run measures it itself."""
    pooled: list[Attempt] = []
    for setup, snapshot in zip(prepared.setups, prepared.snapshots, strict=True):
        if setup.assets.suite.target.http is not None:
            continue  # what answers at an address may be another application by now
        age = max_age(setup)
        pooled += pool_attempts(
            setup,
            history=history,
            store=RunStore(wiring.root),
            run_id=run_id,
            arms=prepared.live_arms[setup.name],
            has_case=snapshot.cases.has,
            not_before=None if age is None else wiring.clock.now() - age,
        )
    return pooled
