"""The main job: plan, execute, score, decide, write the bundle."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from evalkit.errors import StoreError
from evalkit.execute.event_loop import run_calls
from evalkit.execute.runner import execute
from evalkit.execute.stopping import StopSignal
from evalkit.execute.workers import ExecutionEnd
from evalkit.ports import EventSink, History
from evalkit.records.event import Event, RunNoted
from evalkit.records.plan import PlannedAttempt
from evalkit.records.run import RunRecord, StoredRun, SuiteSnapshot
from evalkit.store.bundle import Bundle
from evalkit.store.calls import RunCalls
from evalkit.store.journal import ATTEMPTS
from evalkit.store.keeping import Keeping
from evalkit.store.runs import RunStore
from evalkit.workflows.guards.private_state import refuse_tracked_state
from evalkit.workflows.history.keeping import open_synced, record_run
from evalkit.workflows.interrupting import passing_signals
from evalkit.workflows.runs.borrowing import borrow_attempts
from evalkit.workflows.runs.caching import open_cache
from evalkit.workflows.runs.call_failures import FailureCount
from evalkit.workflows.runs.collecting import rare_collections
from evalkit.workflows.runs.engines.choosing import (
    CONFIGURED,
    EngineChoice,
    EngineInUse,
    opened_engine,
)
from evalkit.workflows.runs.loading_ahead import load_ahead
from evalkit.workflows.runs.plan_checks import check_plan
from evalkit.workflows.runs.preparing import PreparedRun, prepare_run
from evalkit.workflows.runs.results import RunResults
from evalkit.workflows.runs.resuming import (
    check_resumable,
    check_untouched,
    is_whole,
    left_words,
)
from evalkit.workflows.runs.run_record import check_judges, check_unchanged, started_record
from evalkit.workflows.runs.stalling import StallWatch
from evalkit.workflows.scoring import SuiteScoring
from evalkit.workflows.setup.commit import read_commit
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.traces.exporting import TracedJournal, exporting
from evalkit.workflows.wiring import Wiring

if TYPE_CHECKING:
    from evalkit.control.telemetry.otlp import OtlpExporter

# by then the first calls have left
_SENT_S = 0.02


def run_suites(
    request: RunRequest,
    *,
    wiring: Wiring,
    on_event: EventSink | None = None,
    command: Sequence[str] = (),
    engine: EngineChoice = CONFIGURED,
) -> StoredRun:
    """Run the suites and write the bundle. The record's `exit_code` says how it came out.

    `engine` is what makes the attempts, by default the one that is configured. Raises ConfigError,
    UsageError, Refused (nothing was run), EngineError and StoreError.
    """
    return run_calls(
        _run(request, wiring, on_event or _ignore, tuple(command), engine, resumed=None)
    )


def resume_run(
    name: str,
    *,
    wiring: Callable[[RunRequest], Wiring],
    root: Path,
    on_event: EventSink | None = None,
    engine: EngineChoice = CONFIGURED,
) -> StoredRun:
    """Go on with a run that was stopped: attempts without a result are made, the rest is kept.

    Raises Refused where nothing is left to make, and for a project that changed since.
    """
    store = RunStore(root)
    bundle = store.open(name)
    record = check_resumable(store, bundle)
    request = msgspec.convert(record.request, RunRequest)
    return run_calls(
        _run(request, wiring(request), on_event or _ignore, record.command, engine, resumed=bundle)
    )


async def _run(
    request: RunRequest,
    wiring: Wiring,
    on_event: EventSink,
    command: tuple[str, ...],
    choice: EngineChoice,
    resumed: Bundle | None,
) -> StoredRun:
    choice.check()
    refuse_tracked_state(wiring.root)
    store = RunStore(wiring.root)
    before = None if resumed is None else resumed.read_record()
    watch = StallWatch(on_event, clock=wiring.clock, flights=wiring.flights)
    emit = FailureCount(watch, () if before is None else before.failures)
    calls = RunCalls()
    run_id = store.new_id(wiring.clock.now()) if before is None else before.id
    spent = (0.0, 0) if resumed is None else resumed.spent()
    if before is not None and before.prices is not None:
        wiring.prices.pin(before.prices.at)
    try:
        with (
            open_cache(
                wiring.root, request, note=lambda text: emit(RunNoted(message=text))
            ) as cache,
            open_synced(wiring.root) as history,
        ):
            # git looks at the whole working tree meanwhile, which takes as long as that is large
            commit = asyncio.get_running_loop().run_in_executor(
                None, read_commit, wiring.root, wiring.environ
            )
            prepared = await prepare_run(
                request,
                wiring=wiring,
                store=store,
                cache=cache,
                ledger=lambda config: wiring.ledger(config, run=run_id, spent=spent),
                history=history,
                seed=int.from_bytes(run_id.encode()[-4:], "big"),
                emit=emit,
                calls=calls,
            )
            check_plan(prepared)
            git = await commit
            plan = None
            if request.shard is not None:
                from evalkit.workflows.runs.sharding import take_shard

                costs = request.shard_costs
                prepared, plan = take_shard(
                    prepared,
                    request,
                    request.shard,
                    git,
                    measured=None if costs is None else store.open(costs).attempts(),
                )
            record = started_record(prepared, request, wiring, run_id, command, git, before, plan)
            if before is not None:
                from evalkit.workflows.runs.sharding import check_same_plan

                check_same_plan(before, plan)
                check_unchanged(before, record)
                check_judges(_started_with(resumed), prepared.snapshots)
            async with opened_engine(
                choice, prepared, request, wiring=wiring, cache=cache, calls=calls, emit=emit
            ) as engine:
                with (
                    exporting(
                        prepared.config.telemetry,
                        note=lambda text: emit(RunNoted(message=text)),
                        environ=wiring.environ,
                    ) as exporter,
                    rare_collections(),
                ):
                    return await _execute(
                        prepared,
                        engine,
                        record,
                        store.create(record) if resumed is None else resumed,
                        wiring,
                        history,
                        emit,
                        calls=calls,
                        before=before,
                        exporter=exporter,
                        watch=watch,
                    )
    finally:
        await wiring.close()


async def _execute(
    prepared: PreparedRun,
    engine: EngineInUse,
    record: RunRecord,
    bundle: Bundle,
    wiring: Wiring,
    history: History,
    emit: FailureCount,
    *,
    calls: RunCalls,
    before: RunRecord | None,
    exporter: "OtlpExporter | None",
    watch: StallWatch,
) -> StoredRun:
    started = wiring.clock.monotonic()
    scorings = {each.suite: SuiteScoring(each) for each in prepared.snapshots}
    # the journal holds the run's lock, so it is opened before anything is read or written
    with (
        bundle.journal(calls) as journal,
        closing(calls),
        bundle.score_spool() as spool,
        Keeping() as keeping,
    ):
        if before is not None:
            check_untouched(before, bundle)
            prepared.ledger.go_on()
        for note in left_words(bundle.open_calls(calls)):
            emit(RunNoted(message=note))
        if before is not None:  # a new one was created with it
            bundle.write_record(record)
        for snapshot in prepared.snapshots:
            bundle.write_snapshot(snapshot, keeping)
        results = RunResults(scorings, bundle, spool)
        for attempt in bundle.known(ATTEMPTS, results.attempts, record, prepared.snapshots):
            if attempt.has_result:
                results.take(attempt)
        lent = {a.measurement_id for a in results.attempts if a.has_result and a.pooled_from}
        for attempt in borrow_attempts(prepared, record, history=history, wiring=wiring):
            counted = attempt.pooled_from and attempt.measurement_id in lent
            if attempt.place not in results and not counted:
                journal.append(attempt)
                results.take(attempt)
        _take_judgments(prepared, results, bundle)
        stop = StopSignal()
        told = journal if exporter is None else TracedJournal(journal, exporter, record.id)

        async def make(attempts: Sequence[PlannedAttempt]) -> ExecutionEnd:
            _ = results.attempts  # what was made until now is done
            made = await execute(
                attempts,
                engine.make,
                done=results,
                journal=told,
                emit=emit,
                concurrency=engine.concurrency,
                stop=stop,
                score=results.take,
                max_usd=record.budget_usd,
                watch_outages=not record.drill,
            )
            if made.reason is not None:
                return made
            judged = await prepared.judges.judge(
                prepared.snapshots,
                results,
                journal=journal,
                emit=emit,
                concurrency=record.concurrency,
                stop=stop,
            )
            return made if judged.reason is None else judged

        def tell_others(stored: StoredRun) -> None:
            from evalkit.workflows.auditing import audit_run
            from evalkit.workflows.judges.queueing import queue_spot_checks

            for trouble in (
                audit_run(wiring.root, stored, clock=wiring.clock),
                queue_spot_checks(wiring.root, stored),
            ):
                if trouble is not None:
                    emit(RunNoted(message=trouble))

        if any(prepared.live_arms.values()):  # a replay waits for nobody
            asyncio.get_running_loop().call_later(_SENT_S, load_ahead)
        with passing_signals(stop, emit):
            async with watch.running(timeout_s=prepared.config.run.timeout_s):
                first = await make(prepared.plan.attempts)
                # what decides and reports is loaded when the calls were made, not before the first
                from evalkit.workflows.runs.escalating import Escalated, escalate
                from evalkit.workflows.runs.finishing import finish_run

                ended = Escalated(prepared.snapshots, first)
                if record.gates:
                    ended = await escalate(
                        prepared, first, results=results, execute=make, emit=emit
                    )
        # a run that counts as complete is not gone on with, so no hold of it may be left
        prepared.ledger.settle()
        keeping.wait()
        keeping.begin(journal.sync)
        stored = finish_run(
            prepared,
            record,
            bundle,
            results,
            ended,
            calls=calls,
            keeping=keeping,
            failures=emit.failures,
            now=wiring.clock.now(),
            duration_s=record.duration_s + wiring.clock.monotonic() - started,
            before_last=tell_others,
        )
        if is_whole(stored.record, stored.attempts, stored.judgments):
            calls.remove()
    trouble = record_run(wiring.root, stored, history)
    if trouble is not None:
        emit(RunNoted(message=trouble))
    return stored


def _started_with(resumed: Bundle | None) -> tuple[SuiteSnapshot, ...]:
    """The snapshots of a run that is resumed; none if it was killed before they were written."""
    try:
        return () if resumed is None else resumed.snapshots()
    except StoreError:
        return ()


def _take_judgments(prepared: PreparedRun, results: RunResults, bundle: Bundle) -> None:
    """What judges said before, of this run that is resumed and of arms that are stored runs."""
    for judgment in bundle.judgments():
        known = prepared.judges.opened.get((judgment.suite, judgment.scorer))
        same = known is not None and known.digest == judgment.judge
        if same and judgment.place in results:
            results.take_judgment(judgment)
    prepared.judges.remember(bundle.judgments())
    for setup in prepared.setups:
        for stored in setup.replayed.values():
            prepared.judges.remember(stored.judgments)


def _ignore(event: Event) -> None:
    pass
