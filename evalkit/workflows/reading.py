"""Stored runs: found by name, compared, re-scored, re-decided. No model is called here."""

from contextlib import suppress
from pathlib import Path

import msgspec

from evalkit.errors import Refused, StoreError, UsageError
from evalkit.records.case_view import CaseView
from evalkit.records.comparison import Comparison
from evalkit.records.run import StoredRun
from evalkit.report.case_view import build_case_view
from evalkit.report.comparison import compare_run, compare_runs
from evalkit.store.bundle import Bundle
from evalkit.store.runs import RunStore
from evalkit.workflows.compare import decide_between
from evalkit.workflows.deciding import decide, passes_of, score_attempts
from evalkit.workflows.failing import modes_of
from evalkit.workflows.runs.reporting import write_reports


def load_run(root: Path, name: str) -> StoredRun:
    """A run by id, unique prefix, path, or `latest`. Raises UsageError for an unknown one.

    A run that is under way or was killed has no scores yet: what it journalled is scored here.
    """
    run = RunStore(root).open(name).load_whole()
    if run.record.state == "running" and not run.scores:
        scores = score_attempts(run.snapshots, run.attempts, run.judgments)
        return msgspec.structs.replace(run, scores=scores)
    return run


def view_case(run: StoredRun, case: str) -> CaseView:
    """Everything that is known of one case: attempts, decisions, scores, cost.

    Raises UsageError for a case that the run does not have.
    """
    traces = Bundle(Path(run.path)).traces(case=case)
    return build_case_view(run, case, traces=traces, passes=_passes(run))


def compare_arms(run: StoredRun) -> Comparison:
    """Baseline against candidate of one run."""
    return compare_run(run, _passes(run), modes_of(run))


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
    return compare_runs(
        a,
        _passes(a),
        b,
        _passes(b),
        verdict=verdict,
        modes_a=modes_of(a),
        modes_b=modes_of(b),
    )


def rescore_run(root: Path, name: str) -> StoredRun:
    """Score the stored attempts again with the bundle's own scorers, decide again, and write both.

    Raises Refused for a run that has not finished, StoreError for one that lost attempts.
    """
    bundle = RunStore(root).open(name)
    run = bundle.load_whole()
    if run.record.state != "complete":
        raise Refused(
            f"run {run.record.id} is {run.record.state}; resume it first: "
            f"evalkit run --resume {run.record.id}"
        )
    known = sum(totals.attempts for suite in run.record.suites for totals in suite.totals)
    held = sum(attempt.pooled_from is None for attempt in run.attempts)
    if held != known:
        raise StoreError(
            f"{bundle.path} holds {held} attempts and its record tells of {known}; "
            "nothing was changed, restore the bundle from where it came"
        )
    scores = score_attempts(run.snapshots, run.attempts, run.judgments)
    scored = msgspec.structs.replace(run, scores=scores)
    decided = decide_again(scored)
    with bundle.journal():  # for its lock
        bundle.write_scores(scores)
        write_reports(bundle, decided, _passes(decided))
        bundle.write_record(decided.record)
    return decided


def decide_again(run: StoredRun) -> StoredRun:
    """The run with the verdict that its stored scores give under its stored gate.

    A run that selected cases stays without a verdict, one that did not finish keeps its exit code.
    """
    if not run.record.gates or run.record.state in ("running", "interrupted"):
        return run
    verdict = decide(run.snapshots, run.attempts, run.scores, run.judgments, run.labels)
    whole = run.record.state == "complete"
    code = verdict.exit_code if whole or verdict.exit_code == 1 else run.record.exit_code
    record = msgspec.structs.replace(
        run.record, verdict=verdict, exit_code=code, why=tuple(verdict.reasons)
    )
    return msgspec.structs.replace(run, record=record)


def _passes(run: StoredRun) -> dict[tuple[str, str, str, int], bool | None]:
    return passes_of(run.snapshots, run.attempts, run.scores)
