"""Stored runs: found by name, compared, re-scored, re-decided. No model is called here."""

from contextlib import suppress
from pathlib import Path

import msgspec

from evalkit.errors import Refused, StoreError, UsageError
from evalkit.records.case_view import CaseView
from evalkit.records.comparison import Comparison
from evalkit.records.run import StoredRun
from evalkit.report.case_view import build_case_view
from evalkit.report.comparison import compare_runs
from evalkit.store.bundle import Bundle
from evalkit.store.runs import RunStore
from evalkit.workflows.compare import decide_between
from evalkit.workflows.deciding import ResultTable, decide_table, score_attempts, table_of
from evalkit.workflows.runs.reporting import compared, write_reports


def load_run(root: Path, name: str) -> StoredRun:
    """A run by id, unique prefix, path, or `latest`. Raises UsageError for an unknown one.

    A run that is under way or was killed has no scores yet: what it journalled is scored here.
    """
    run = RunStore(root).open(name).load_whole()
    if run.record.state == "running" and not run.scores:
        scores = tuple(score_attempts(run.snapshots, run.attempts, run.judgments))
        return msgspec.structs.replace(run, scores=scores)
    return run


def view_case(run: StoredRun, case: str) -> CaseView:
    """Everything that is known of one case: attempts, decisions, scores, cost.

    Raises UsageError for a case that the run does not have.
    """
    traces = Bundle(Path(run.path)).traces(case=case)
    return build_case_view(run, case, traces=traces, passes=run.once(table_of).outcomes.passes)


def compare_arms(run: StoredRun) -> Comparison:
    """Baseline against candidate of one run."""
    return run.once(compared)


def compare_stored(a: StoredRun, b: StoredRun) -> Comparison:
    """The candidate of one run against the candidate of another."""
    shared = {each.suite for each in a.record.suites} & {each.suite for each in b.record.suites}
    if not shared:
        raise UsageError(
            f"runs {a.record.id} and {b.record.id} have no suite in common, so there is nothing to "
            "compare"
        )
    verdict = None
    if {a.record.state, b.record.state} == {"complete"}:
        with suppress(Refused):  # not measured alike: the comparison's notes say so
            verdict = decide_between(a, b)
    known_a, known_b = a.once(table_of).outcomes, b.once(table_of).outcomes
    return compare_runs(
        a,
        known_a.passes,
        b,
        known_b.passes,
        verdict=verdict,
        modes_a=known_a.modes,
        modes_b=known_b.modes,
    )


def rescore_run(root: Path, name: str) -> StoredRun:
    """Score the stored attempts again with the bundle's own scorers, decide again, and write both.

    Raises Refused for a run that has not finished, StoreError for one that lost attempts.
    """
    bundle = RunStore(root).open(name)
    run = bundle.load_whole(scored=False)
    if run.record.state != "complete":
        raise Refused(f"run {run.record.id} is {run.record.state}; {run.record.how_to_complete}")
    known = sum(totals.attempts for suite in run.record.suites for totals in suite.totals)
    held = sum(attempt.pooled_from is None for attempt in run.attempts)
    if held != known:
        raise StoreError(
            f"{bundle.path} holds {held} attempts and its record tells of {known}; "
            "nothing was changed, restore the bundle from where it came"
        )
    with bundle.journal():  # for its lock
        attempts = bundle.attempts()
        bundle.write_scores(score_attempts(run.snapshots, attempts, run.judgments))
        scores = bundle.read_scores(attempts)
        scored = msgspec.structs.replace(run, attempts=attempts, scores=scores)
        table = table_of(scored)
        decided = _decided(scored, table)
        decided.keep(table_of, table)
        write_reports(bundle, decided)
        bundle.write_record(decided.record)
    return decided


def decide_again(run: StoredRun) -> StoredRun:
    """The run with the verdict that its stored scores give under its stored gate.

    A run that selected cases stays without a verdict, one that did not finish keeps its exit code.
    """
    return _decided(run, run.once(table_of))


def _decided(run: StoredRun, table: ResultTable) -> StoredRun:
    if not run.record.gates or run.record.state in ("running", "interrupted"):
        return run
    verdict = decide_table(run.snapshots, table)
    whole = run.record.state == "complete"
    code = verdict.exit_code if whole or verdict.exit_code == 1 else run.record.exit_code
    record = msgspec.structs.replace(
        run.record, verdict=verdict, exit_code=code, why=tuple(verdict.reasons)
    )
    return msgspec.structs.replace(run, record=record)
