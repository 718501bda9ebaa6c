"""`evalkit merge`: the shards of a run as the one run that they are, decided."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from evalkit._version import __version__
from evalkit.errors import Refused, UsageError
from evalkit.gate.exit_codes import EXIT_INCOMPLETE
from evalkit.ports import Clock
from evalkit.records.judgment import Judgment
from evalkit.records.run import GitState, RunRecord, StoredRun, SuiteRecord, SuiteSnapshot
from evalkit.records.shard import MergedShard
from evalkit.records.verdict import Outcome, Verdict
from evalkit.store.bundle import Bundle
from evalkit.store.runs import RunStore
from evalkit.workflows.auditing import audit_run
from evalkit.workflows.deciding import ResultTable, decide_table, score_attempts, table_of
from evalkit.workflows.history.keeping import record_run
from evalkit.workflows.judged.totals import judging_totals
from evalkit.workflows.judges.queueing import queue_spot_checks
from evalkit.workflows.runs.arm_sums import ArmSums, sum_arms
from evalkit.workflows.runs.call_failures import sum_failures
from evalkit.workflows.runs.joining import Joined
from evalkit.workflows.runs.reporting import write_reports
from evalkit.workflows.runs.shard_files import find_shards
from evalkit.workflows.setup.commit import read_commit

_OPEN = (
    "Shards make the trials that were asked for and no more. More of them may settle it: every "
    "shard again with --trials N, or one run without --shard, which looks again by itself where "
    "its gate escalates."
)


# what is asked of one machine, and not of the run
_OF_A_SHARD = ("shard", "shard_costs")


def merge_shards(
    root: Path, names: Sequence[str], *, clock: Clock, command: Sequence[str] = ()
) -> tuple[StoredRun, tuple[str, ...]]:
    """The run that the named shards are together, stored and decided, and what went wrong after.

    Raises UsageError for a name that fits nothing, Refused for what is not one whole run, and
    StoreError where it cannot be written.
    """
    if not names:
        raise UsageError("name the shards to merge: runs, bundles, or a folder that holds them")
    joined = Joined(sorted(find_shards(root, names), key=lambda each: each.shard.index))
    store = RunStore(root)
    now = clock.now()
    started = _started(joined, store.new_id(now), now, read_commit(root), tuple(command))
    bundle = store.create(started)
    try:
        stored = _decided(bundle, started, joined, clock)
    except BaseException:
        bundle.discard()  # all of it is in the shards
        raise
    troubles = (
        audit_run(root, stored, clock=clock),
        record_run(root, stored),
        queue_spot_checks(root, stored),
    )
    return stored, tuple(trouble for trouble in troubles if trouble is not None)


def _decided(bundle: Bundle, started: RunRecord, joined: Joined, clock: Clock) -> StoredRun:
    """The merged run, written and decided."""
    snapshots = joined.snapshots
    records = [each.record for each in joined.shards]
    judgments = tuple(judgment for each in joined.shards for judgment in each.judgments)
    _write_journal(bundle, joined, judgments)
    joined.release()
    attempts = bundle.attempts()
    try:
        # scored anew: what somebody wrote into scores.jsonl does not decide
        bundle.write_scores(score_attempts(snapshots, attempts, judgments))
        scores = bundle.read_scores(attempts)
        table = ResultTable(snapshots, attempts, scores, judgments)
        verdict = decide_table(snapshots, table)
    except ValueError as error:  # scorers or a gate that no configuration can have
        raise Refused(f"the shards cannot be decided on, they are damaged: {error}") from error
    sums = sum_arms(attempts, table.outcomes)
    record = msgspec.structs.replace(
        started,
        finished_at=clock.now().isoformat(),
        state="incomplete" if verdict.incomplete else "complete",
        suites=tuple(_merge_suite(records, snapshot, sums, judgments) for snapshot in snapshots),
        verdict=verdict,
        exit_code=verdict.exit_code,
        why=_why(verdict),
    )
    for snapshot in snapshots:
        bundle.write_snapshot(snapshot)
    stored = StoredRun(
        path=str(bundle.path),
        record=record,
        snapshots=snapshots,
        attempts=attempts,
        scores=scores,
        judgments=judgments,
    )
    stored.keep(table_of, table)
    write_reports(bundle, stored)
    # last, so that a run is complete only when everything else of it is there
    bundle.write_record(record)
    return stored


def _started(
    joined: Joined,
    run_id: str,
    now: datetime,
    here: GitState,
    command: tuple[str, ...],
) -> RunRecord:
    """run.json before anything is decided; a merge that is killed stays like this.

    It is as old as the merge, so that what is published of it comes after an earlier try to merge;
    it took as long as its slowest shard.
    """
    shards = joined.shards
    first = shards[0].record
    records = [each.record for each in shards]
    billed = sum(each.spent_usd for each in shards)
    cap = shards[0].plan.budget_usd
    warnings = dict.fromkeys(text for record in records for text in record.warnings)
    if cap is not None and billed > cap:
        warnings[
            f"the shards were charged ${billed:.4g} together, which is above the run's cap of "
            f"${cap:.4g}: replies cost more than the bounds that were set aside for them"
        ] = None
    return msgspec.structs.replace(
        first,
        id=run_id,
        evalkit=__version__,
        state="running",
        started_at=now.isoformat(),
        finished_at=now.isoformat(),
        duration_s=max(record.duration_s for record in records),
        command=command,
        suites=(),
        verdict=None,
        exit_code=EXIT_INCOMPLETE,
        git=_commit(records, here),
        gates=True,
        why=("The merge did not finish.",),
        warnings=tuple(warnings),
        billed_usd=billed,
        budget_usd=cap,
        concurrency=sum(record.concurrency for record in records),
        failures=sum_failures(group for record in records for group in record.failures),
        request={key: value for key, value in first.request.items() if key not in _OF_A_SHARD},
        shard=None,
        merged=tuple(
            MergedShard(
                index=each.shard.index,
                run=each.record.id,
                attempts=made,
                billed_usd=each.spent_usd,
            )
            for each, made in zip(shards, joined.made, strict=True)
        ),
    )


def _commit(records: Sequence[RunRecord], here: GitState) -> GitState:
    """The commit of the shards. It is the default branch's only where that stands here as well: a
    bundle that came from elsewhere is believed no word of it."""
    first = records[0].git
    return msgspec.structs.replace(
        first,
        dirty=any(record.git.dirty for record in records),
        main=here.main and here.sha == first.sha and all(record.git.main for record in records),
    )


def _write_journal(bundle: Bundle, joined: Joined, judgments: Sequence[Judgment]) -> None:
    """Every line of the shards: what was made again first, so that the results come last."""
    with bundle.journal() as journal:
        for each in joined.shards:
            for attempt in each.attempts.superseded():
                journal.append(attempt)
        for shard, attempt in joined.attempts():
            trace = shard.traces.at(attempt.place)
            if trace is not None:  # an attempt's line leaves out what its trace tells
                attempt = msgspec.structs.replace(
                    attempt, decisions=trace.decisions, spans=trace.spans
                )
            journal.append(attempt)
        for judgment in judgments:
            journal.append_judgment(judgment)


def _merge_suite(
    records: Sequence[RunRecord],
    snapshot: SuiteSnapshot,
    sums: Mapping[tuple[str, str], ArmSums],
    judgments: Sequence[Judgment],
) -> SuiteRecord:
    """The suite's part of run.json, with its sums over all shards."""
    parts = [
        suite for record in records for suite in record.suites if suite.suite == snapshot.suite
    ]
    arms = {
        variant.variant: sums.get((snapshot.suite, variant.variant), ArmSums())
        for variant in parts[0].variants
    }
    return msgspec.structs.replace(
        parts[0],
        cases=len(snapshot.cases),
        variants=tuple(
            msgspec.structs.replace(
                variant,
                origins=dict(arms[variant.variant].origins),
                pooled=dict(arms[variant.variant].pooled),
            )
            for variant in parts[0].variants
        ),
        totals=tuple(arm.totals(variant) for variant, arm in arms.items()),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        judging=judging_totals(snapshot, judgments),
    )


def _why(verdict: Verdict) -> tuple[str, ...]:
    reasons = tuple(verdict.reasons)
    if any(suite.outcome is Outcome.INCONCLUSIVE for suite in verdict.suites):
        return (*reasons, _OPEN)
    return reasons
