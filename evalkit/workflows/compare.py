"""Verdicts without a run: on frames of results and on stored runs (`result_files`: on files)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from evalkit.errors import Refused, UsageError
from evalkit.gate import compare_results
from evalkit.records.results import ResultRow
from evalkit.records.run import StoredRun, SuiteSnapshot
from evalkit.records.verdict import Verdict
from evalkit.store.runs import RunStore
from evalkit.workflows.deciding import decide
from evalkit.workflows.judged.thresholds import decided_alike
from evalkit.workflows.paired_arms import Arm, PairedAttempts, PairedScores, paired_judgments
from evalkit.workflows.scored_anew import ScoredAnew

if TYPE_CHECKING:
    import pandas as pd

_AMOUNTS = ("cost_usd", "tokens", "latency_s")
_COLUMNS = ("case", "passed", "trial", "group", "tags", *_AMOUNTS)


def compare(
    baseline: "pd.DataFrame",
    candidate: "pd.DataFrame",
    *,
    max_drop_pp: float = 3,
    rule: str = "statistical",
) -> Verdict:
    """Gate one frame of results against another.

    Columns: case, passed (None or NaN: no result), and optionally trial, group, tags, cost_usd,
    tokens, latency_s; one row a case and trial. Raises UsageError for missing columns or values
    that cannot be results.
    """
    return _compared(_frame_rows(baseline), _frame_rows(candidate), max_drop_pp, rule)


def decide_stored(root: Path, base: str, cand: str | None) -> Verdict:
    """The verdict of a stored run, or of the candidate of one against the candidate of another.

    Raises UsageError for an unknown run, Refused for runs that did not finish or were not measured
    alike.
    """
    store = RunStore(root)
    run = _whole(store.open(base).load_whole())
    if cand is None:
        if not run.record.gates:
            raise Refused(f"run {run.record.id} {run.record.why_ungated}, so it cannot gate")
        # scored anew: what somebody wrote into scores.jsonl does not decide
        scores = ScoredAnew(run.snapshots, run.attempts, run.judgments)
        return decide(run.snapshots, run.attempts, scores, run.judgments, run.labels)
    return decide_between(run, _whole(store.open(cand).load_whole()))


def decide_between(run: StoredRun, other: StoredRun) -> Verdict:
    """The candidate of `other` against the candidate of `run`, under the gates of `other`.

    Raises Refused for runs that were not measured alike, or never gate.
    """
    for each in (run, other):
        if not each.record.gates:
            raise Refused(f"run {each.record.id} {each.record.why_ungated}, so it cannot gate")
    _check_alike(run, other)
    snapshots = [
        msgspec.structs.replace(
            snapshot,
            has_baseline=True,
            baseline_trials=_trials(run, snapshot.suite),
            # two finished runs are looked at once, and only at each other
            looks=(),
            anchor=None,
            judges=tuple(
                msgspec.structs.replace(judge, same_arms=_same_candidate(run, other, snapshot))
                for judge in snapshot.judges
            ),
        )
        for snapshot in other.snapshots
    ]
    # both arms by the threshold of the one judge that decides
    run = msgspec.structs.replace(run, judgments=decided_alike(run.judgments, other.snapshots))
    suites = {snapshot.suite for snapshot in snapshots}
    arms = {
        "baseline": Arm(run, "baseline", suites),
        "candidate": Arm(other, "candidate", suites),
    }
    return decide(
        snapshots,
        PairedAttempts(arms),
        PairedScores(arms),
        paired_judgments(arms.values()),
        (*run.labels, *other.labels),
    )


def _same_candidate(run: StoredRun, other: StoredRun, snapshot: SuiteSnapshot) -> bool:
    """Whether both runs tested the same content in this suite."""
    digests = []
    for each in (run, other):
        suite = next((s for s in each.record.suites if s.suite == snapshot.suite), None)
        candidate = None if suite is None else suite.variant("candidate")
        digests.append(None if candidate is None else candidate.digests)
    return digests[0] is not None and digests[0] == digests[1]


def _whole(run: StoredRun) -> StoredRun:
    if run.record.state != "complete":
        raise Refused(
            f"run {run.record.id} is {run.record.state}: its attempts are not all there; "
            + run.record.how_to_complete
        )
    return run


def _check_alike(a: StoredRun, b: StoredRun) -> None:
    before = {each.suite: each for each in a.record.suites}
    for suite in b.record.suites:
        known = before.get(suite.suite)
        if known is None:
            raise Refused(f"run {a.record.id} has no suite {suite.suite} to compare with")
        if (known.golden_digest, known.scorers_digest) != (
            suite.golden_digest,
            suite.scorers_digest,
        ):
            raise Refused(
                f"suite {suite.suite} was measured with another golden set or other scorers in run "
                f"{a.record.id} than in {b.record.id}, so the two cannot be compared"
            )
        if _judges(a, suite.suite) != _judges(b, suite.suite):
            raise Refused(
                f"suite {suite.suite} was judged by another judge in run {a.record.id} than in "
                f"{b.record.id}, so the two cannot be compared"
            )


def _judges(run: StoredRun, suite: str) -> dict[str, str]:
    """The digest of every judge of a suite, by its scorer."""
    snapshot = run.snapshot(suite)
    return {} if snapshot is None else {each.scorer: each.judge for each in snapshot.judges}


def _trials(run: StoredRun, suite: str) -> int | None:
    snapshot = run.snapshot(suite)
    return None if snapshot is None else snapshot.trials


def _compared(
    base: Iterable[ResultRow], cand: Iterable[ResultRow], max_drop_pp: float, rule: str
) -> Verdict:
    try:
        return compare_results(base, cand, max_drop_pp, rule=rule)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _frame_rows(frame: "pd.DataFrame") -> list[ResultRow]:
    lacking = [name for name in ("case", "passed") if name not in frame.columns]
    if lacking:
        raise UsageError(f"the frame has no column {' and '.join(lacking)}")
    known = [name for name in _COLUMNS if name in frame.columns]
    records = frame[known].astype(object).where(frame[known].notna(), None).to_dict("records")
    return [_frame_row(record) for record in records]


def _frame_row(record: Mapping[Any, Any]) -> ResultRow:
    passed, tags = record["passed"], record.get("tags") or ()
    if passed is not None and passed not in (True, False):
        raise UsageError(
            f"case {record['case']}: passed is True, False or missing, not {passed!r}; choose a "
            "threshold before gating"
        )
    try:
        return ResultRow(
            case=str(record["case"]),
            passed=None if passed is None else bool(passed),
            trial=int(record.get("trial") or 0),
            group=None if record.get("group") is None else str(record["group"]),
            tags=tuple(tags.split() if isinstance(tags, str) else tags),
            **{key: float(record[key]) for key in _AMOUNTS if record.get(key) is not None},
        )
    except (TypeError, ValueError) as error:
        raise UsageError(f"case {record['case']}: {error}") from error
