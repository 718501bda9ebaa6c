"""The main job: plan, execute, score, decide, write the bundle."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from evalkit.config.model import Config
from evalkit.control.budget import Ledger
from evalkit.errors import Refused
from evalkit.execute.runner import ExecutionEnd, execute
from evalkit.execute.stopping import StopSignal
from evalkit.gate.verdict import EXIT_FAIL, EXIT_INCOMPLETE, EXIT_INCONCLUSIVE
from evalkit.ports import EventSink, History
from evalkit.records.attempt import Attempt, Place
from evalkit.records.event import Event, RunNoted, RunStopping
from evalkit.records.plan import PlannedAttempt
from evalkit.records.run import RunRecord, RunState, StoredRun
from evalkit.records.score import Score
from evalkit.records.verdict import Verdict
from evalkit.store.bundle import Bundle
from evalkit.store.runs import RunStore
from evalkit.workflows.deciding import SuiteScoring, decide
from evalkit.workflows.failing import failure_modes
from evalkit.workflows.history.keeping import open_synced, record_run
from evalkit.workflows.runs.caching import open_cache
from evalkit.workflows.runs.escalating import Escalated, escalate
from evalkit.workflows.runs.plan_checks import check_plan
from evalkit.workflows.runs.pooling import pool_attempts
from evalkit.workflows.runs.preparing import PreparedRun, prepare_run
from evalkit.workflows.runs.reporting import write_reports
from evalkit.workflows.runs.run_record import check_unchanged, started_record, suite_record
from evalkit.workflows.setup.aging import max_age
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.wiring import Wiring

EXIT_INTERRUPTED = 130


def run_suites(
    request: RunRequest,
    *,
    wiring: Wiring,
    on_event: EventSink | None = None,
    command: Sequence[str] = (),
) -> StoredRun:
    """Run the suites and write the bundle. The record's `exit_code` says how it came out.

    Raises ConfigError, UsageError, Refused (nothing was run) and StoreError.
    """
    return asyncio.run(_run(request, wiring, on_event or _ignore, tuple(command), resumed=None))


def resume_run(
    name: str,
    *,
    wiring: Callable[[RunRequest], Wiring],
    root: Path,
    on_event: EventSink | None = None,
) -> StoredRun:
    """Go on with a run that was stopped: attempts without a result are made, the rest is kept.

    Raises Refused where nothing is left to make, and for a project that changed since.
    """
    bundle = RunStore(root).open(name)
    record = bundle.read_record()
    if record.state == "complete" and all(each.has_result for each in bundle.attempts()):
        raise Refused(f"run {record.id} is complete, there is nothing to resume")
    request = msgspec.convert(record.request, RunRequest)
    return asyncio.run(
        _run(request, wiring(request), on_event or _ignore, record.command, resumed=bundle)
    )


@dataclass(slots=True)
class _Results:
    """What is known of the run so far, by place."""

    scorings: dict[str, SuiteScoring]
    attempts: dict[Place, Attempt] = field(default_factory=dict)
    scores: dict[Place, tuple[Score, ...]] = field(default_factory=dict)
    passes: dict[Place, bool | None] = field(default_factory=dict)

    def take(self, attempt: Attempt) -> bool | None:
        """Score an attempt and keep both. Returns whether it passed."""
        scoring = self.scorings[attempt.suite]
        scores = scoring.scores(attempt)
        passed = scoring.passed(scores, attempt)
        self.attempts[attempt.place] = attempt
        self.scores[attempt.place] = scores
        self.passes[attempt.place] = passed
        return passed

    def known(self) -> tuple[list[Attempt], list[Score]]:
        """Every attempt so far, and every score."""
        return list(self.attempts.values()), [s for each in self.scores.values() for s in each]


async def _run(
    request: RunRequest,
    wiring: Wiring,
    emit: EventSink,
    command: tuple[str, ...],
    resumed: Bundle | None,
) -> StoredRun:
    store = RunStore(wiring.root)
    before = None if resumed is None else resumed.read_record()
    run_id = store.new_id(wiring.clock.now()) if before is None else before.id
    try:
        with open_cache(wiring.root, request) as cache, open_synced(wiring.root) as history:
            prepared = await prepare_run(
                request,
                wiring=wiring,
                store=store,
                cache=cache,
                ledger=lambda config: _ledger(config, resumed),
                history=history,
                seed=int.from_bytes(run_id.encode()[-4:], "big"),
                emit=emit,
            )
            check_plan(prepared)
            record = started_record(prepared, request, wiring, run_id, command, before)
            if before is not None:
                check_unchanged(before, record)
            bundle = store.create(record) if resumed is None else resumed
            return await _execute(prepared, record, bundle, wiring, history, emit)
    finally:
        await wiring.close()


async def _execute(
    prepared: PreparedRun,
    record: RunRecord,
    bundle: Bundle,
    wiring: Wiring,
    history: History,
    emit: EventSink,
) -> StoredRun:
    started = wiring.clock.monotonic()
    results = _Results({each.suite: SuiteScoring(each) for each in prepared.snapshots})
    # the journal holds the run's lock, so it is opened before anything is read or written
    with bundle.journal() as journal:
        bundle.write_record(record)
        for snapshot in prepared.snapshots:
            bundle.write_snapshot(snapshot)
        for attempt in bundle.attempts():
            if attempt.has_result:
                results.take(attempt)
        lent = {a.measurement_id for a in results.attempts.values() if a.pooled_from}
        pooled = [
            attempt
            for attempt in _pooled(prepared, record, history, wiring)
            if attempt.measurement_id not in lent
        ]
        for attempt in (*_from_stored(prepared), *pooled):
            if attempt.place not in results.attempts:
                journal.append(attempt)
                results.take(attempt)
        stop = StopSignal()

        async def make(attempts: Sequence[PlannedAttempt]) -> ExecutionEnd:
            return await execute(
                attempts,
                prepared.make,
                done=set(results.attempts),
                journal=journal,
                emit=emit,
                concurrency=record.concurrency,
                stop=stop,
                score=results.take,
                max_usd=record.budget_usd,
            )

        with _signals(stop, emit):
            first = await make(prepared.plan.attempts)
            ended = Escalated(prepared.snapshots, first)
            if record.gates:
                ended = await escalate(
                    prepared, first, results=results.known, execute=make, emit=emit
                )
        duration = record.duration_s + wiring.clock.monotonic() - started
        stored = _finish(prepared, record, bundle, results, ended, wiring, duration)
    trouble = record_run(wiring.root, stored, history)
    if trouble is not None:
        emit(RunNoted(message=trouble))
    return stored


def _pooled(
    prepared: PreparedRun, record: RunRecord, history: History, wiring: Wiring
) -> list[Attempt]:
    """What earlier runs measured of the same content, where this run measures it itself."""
    if not record.gates:
        return []
    pooled: list[Attempt] = []
    for setup, snapshot in zip(prepared.setups, prepared.snapshots, strict=True):
        age = max_age(setup, setup.candidate)
        pooled += pool_attempts(
            setup,
            history=history,
            store=RunStore(wiring.root),
            run_id=record.id,
            arms=prepared.live_arms[setup.name],
            cases=[case.id for case in snapshot.cases],
            not_before=None if age is None else wiring.clock.now() - age,
        )
    return pooled


def _finish(
    prepared: PreparedRun,
    record: RunRecord,
    bundle: Bundle,
    results: _Results,
    ended: Escalated,
    wiring: Wiring,
    duration_s: float,
) -> StoredRun:
    end, snapshots = ended.end, ended.snapshots
    known = results.known()
    attempts, scores = tuple(known[0]), tuple(known[1])
    modes = failure_modes(snapshots, attempts, scores)
    verdict = None
    if record.gates and end.reason != "interrupted":
        verdict = decide(snapshots, attempts, scores)
    finished = msgspec.structs.replace(
        record,
        state=_state(verdict, end),
        finished_at=wiring.clock.now().isoformat(),
        duration_s=duration_s,
        suites=tuple(
            suite_record(
                setup, snapshot, attempts, results.passes, modes, note=ended.notes.get(setup.name)
            )
            for setup, snapshot in zip(prepared.setups, snapshots, strict=True)
        ),
        verdict=verdict,
        exit_code=exit_code(verdict, end),
        stopped=_stopped(end),
        why=_why(verdict, end, record),
        billed_usd=bundle.spent()[0],
    )
    stored = StoredRun(
        path=str(bundle.path),
        record=finished,
        snapshots=snapshots,
        attempts=attempts,
        scores=scores,
    )
    for snapshot in snapshots:
        bundle.write_snapshot(snapshot)
    bundle.write_scores(scores)
    write_reports(bundle, stored, results.passes)
    # last, so that a run is complete only when everything else of it is there
    bundle.write_record(finished)
    return stored


def exit_code(verdict: Verdict | None, end: ExecutionEnd) -> int:
    """The first that applies: interrupted, failed, incomplete, inconclusive, passed.

    A run that never gates has nothing to say about the product: inconclusive.
    """
    if end.reason == "interrupted":
        return EXIT_INTERRUPTED
    if verdict is not None and verdict.exit_code == EXIT_FAIL:
        return verdict.exit_code
    if end.reason is not None:
        return EXIT_INCOMPLETE
    return EXIT_INCONCLUSIVE if verdict is None else verdict.exit_code


def _state(verdict: Verdict | None, end: ExecutionEnd) -> RunState:
    """A run with more errors than its gate allows is as incomplete as one that stopped early."""
    if end.reason == "interrupted":
        return "interrupted"
    errors = verdict is not None and verdict.exit_code == EXIT_INCOMPLETE
    return "incomplete" if end.reason is not None or errors else "complete"


def _stopped(end: ExecutionEnd) -> str | None:
    words = {"budget": "budget exhausted", "providers": "a provider is down"}
    if end.reason is None:
        return None
    return f"{words[end.reason]}: {end.message}" if end.reason in words else end.message


def _why(verdict: Verdict | None, end: ExecutionEnd, record: RunRecord) -> tuple[str, ...]:
    stopped = _stopped(end)
    reasons = [] if stopped is None else [stopped]
    if verdict is not None:
        reasons += verdict.reasons
    elif not record.gates:
        reasons.append("Only selected cases ran, which is no gate: nothing was decided.")
    return tuple(reasons)


def _from_stored(prepared: PreparedRun) -> list[Attempt]:
    """The attempts of bundles that stand for a baseline or an anchor, as this run's.

    To this run they are replays: another run paid for them, and replays never gate a latency.
    """
    return [
        msgspec.structs.replace(
            attempt,
            variant=arm,
            origin="cache" if attempt.origin == "live" else attempt.origin,
            billed_usd=0.0,
        )
        for setup in prepared.setups
        for arm, run in setup.replayed.items()
        for attempt in run.attempts
        if attempt.suite == setup.name and attempt.variant == "candidate"
        if (setup.name, attempt.case) in prepared.cases
    ]


def _ledger(config: Config, resumed: Bundle | None) -> Ledger:
    """The run's budget, with what its earlier part spent already."""
    if resumed is None:
        return Ledger(config.budgets)
    usd, tokens = resumed.spent()
    return Ledger(config.budgets, spent_usd=usd, spent_tokens=tokens)


@contextmanager
def _signals(stop: StopSignal, emit: EventSink) -> Iterator[None]:
    """Pass SIGINT and SIGTERM to the stop signal while a run executes, where the loop allows it."""
    loop = asyncio.get_running_loop()
    installed = []

    def ask() -> None:
        emit(RunStopping(again=stop.draining))
        stop.request()

    for each in (signal.SIGINT, signal.SIGTERM):
        # not in another thread, and not on every platform: there the default stays
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(each, ask)
            installed.append(each)
    try:
        yield
    finally:
        for each in installed:
            loop.remove_signal_handler(each)


def _ignore(event: Event) -> None:
    pass
