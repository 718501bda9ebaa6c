"""The end of a run: verdict, exit code, and a bundle that is complete."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from evalkit.execute.workers import ExecutionEnd
from evalkit.gate.exit_codes import EXIT_FAIL, EXIT_INCOMPLETE, EXIT_INCONCLUSIVE, EXIT_PASS
from evalkit.records.run import CallFailures, RunRecord, RunState, StoredRun
from evalkit.records.verdict import Verdict
from evalkit.report.sharding import merge_words
from evalkit.store.bundle import Bundle
from evalkit.store.calls import RunCalls
from evalkit.store.keeping import Keeping
from evalkit.workflows.deciding import decide_table, table_of
from evalkit.workflows.judged.totals import judging_totals
from evalkit.workflows.replay.unrecorded import unrecorded_calls
from evalkit.workflows.runs.escalating import Escalated
from evalkit.workflows.runs.other_models import other_models
from evalkit.workflows.runs.preparing import PreparedRun
from evalkit.workflows.runs.reporting import write_reports
from evalkit.workflows.runs.results import RunResults
from evalkit.workflows.runs.run_record import suite_record

EXIT_INTERRUPTED = 130


def finish_run(
    prepared: PreparedRun,
    record: RunRecord,
    bundle: Bundle,
    results: RunResults,
    ended: Escalated,
    *,
    calls: RunCalls,
    keeping: Keeping,
    failures: tuple[CallFailures, ...] = (),
    now: datetime,
    duration_s: float,
    before_last: Callable[[StoredRun], None],
) -> StoredRun:
    """Decide, and write all that a bundle holds beside its journal. Returns what was written.

    `calls` are those of the run, still open; what `keeping` has begun is kept before the run counts
    as complete. `before_last` does what has to be done of a run that is complete: one that is
    killed in it is not complete yet, and does it again when it is resumed.
    """
    end, snapshots = ended.end, ended.snapshots
    attempts, scores = results.attempts, results.write_scores(keeping)
    judgments = results.all_judgments()
    table = results.table_of(snapshots, scores)
    verdict = None
    if record.gates and end.reason != "interrupted":
        verdict = decide_table(snapshots, table)
    sums = results.sums(table)
    finished = msgspec.structs.replace(
        record,
        state=_state(verdict, end),
        finished_at=now.isoformat(),
        duration_s=duration_s,
        suites=tuple(
            suite_record(
                setup,
                snapshot,
                sums,
                note=ended.notes.get(setup.name),
                judging=judging_totals(snapshot, judgments),
            )
            for setup, snapshot in zip(prepared.setups, snapshots, strict=True)
        ),
        verdict=verdict,
        exit_code=_exit_code(verdict, end, record),
        stopped=_stopped(end),
        why=_why(verdict, end, record),
        # the ledger knows more: calls whose process was killed, or that were cut off
        billed_usd=max(bundle.spent(attempts, calls)[0], prepared.ledger.spent_usd),
        failures=failures,
        warnings=(
            *record.warnings,
            *results.retrieval.warnings(),
            *other_models(snapshots, attempts),
            *(unrecorded_calls(attempts) if record.replay else ()),
        ),
    )
    stored = StoredRun(
        path=str(bundle.path),
        record=finished,
        snapshots=snapshots,
        attempts=attempts,
        scores=scores,
        judgments=judgments,
    )
    for snapshot, written in zip(snapshots, prepared.snapshots, strict=True):
        if snapshot is not written:  # more trials of its suite were made
            bundle.write_snapshot(snapshot, keeping)
    stored.keep(table_of, table)
    write_reports(bundle, stored, keeping)
    keeping.wait()
    results.keep_scores()
    before_last(stored)
    # last, so that a run is complete only when everything else of it is there
    bundle.write_record(finished)
    return stored


def _exit_code(verdict: Verdict | None, end: ExecutionEnd, record: RunRecord) -> int:
    """The first that applies: interrupted, failed, incomplete, inconclusive, passed.

    A run that never gates has nothing to say about the product: inconclusive. A shard that made its
    part has done what it was asked for.
    """
    if end.reason == "interrupted":
        return EXIT_INTERRUPTED
    if verdict is not None and verdict.exit_code == EXIT_FAIL:
        return verdict.exit_code
    if end.reason is not None:
        return EXIT_INCOMPLETE
    if verdict is None:
        return EXIT_INCONCLUSIVE if record.shard is None else EXIT_PASS
    return verdict.exit_code


def _state(verdict: Verdict | None, end: ExecutionEnd) -> RunState:
    """A run with more errors than its gate allows is as incomplete as one that stopped early, also
    where another suite failed."""
    if end.reason == "interrupted":
        return "interrupted"
    errors = verdict is not None and verdict.incomplete
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
    elif record.shard is not None:
        reasons.append(merge_words(record.shard))
    elif not record.gates:
        reasons.append(
            "A drill is no gate: providers were broken on purpose, and nothing was decided."
            if record.drill
            else "Only selected cases ran, which is no gate: nothing was decided."
        )
    return tuple(reasons)
