"""Everything about one case of a stored run, put together from attempts, scores and traces."""

import difflib
from collections.abc import Iterable

from evalkit.errors import UsageError
from evalkit.records.attempt import Attempt, Place
from evalkit.records.case_view import AttemptView, CaseView, SuiteCaseView
from evalkit.records.judgment import Judgment
from evalkit.records.run import StoredRun, SuiteSnapshot, TraceRecord
from evalkit.records.score import Score
from evalkit.records.span import trace_id_of
from evalkit.report.arms import Passes, judges_apart


def build_case_view(
    run: StoredRun, case: str, *, traces: Iterable[TraceRecord] = (), passes: Passes
) -> CaseView:
    """The case `case` of `run`; baseline before candidate, in the order of trials.

    Raises UsageError where no suite of the run has such a case.
    """
    snapshots = [each for each in run.snapshots if each.cases.has(case)]
    if not snapshots:
        raise UsageError(_unknown(run, case))
    traced = {trace.place: trace for trace in traces if trace.case == case}
    scores: dict[Place, list[Score]] = {}
    for score in run.scores:
        if score.case == case:
            scores.setdefault(score.place, []).append(score)
    judgments: dict[Place, list[Judgment]] = {}
    for judgment in run.judgments:
        if judgment.case == case:
            judgments.setdefault(judgment.place, []).append(judgment)

    def view(attempt: Attempt) -> AttemptView:
        trace = traced.get(attempt.place)
        return AttemptView(
            attempt=attempt,
            passed=passes.get(attempt.place),
            scores=tuple(scores.get(attempt.place, ())),
            decisions=attempt.decisions if trace is None else trace.decisions,
            traced=trace is not None,
            judgments=tuple(judgments.get(attempt.place, ())),
            spans=() if trace is None else trace.spans,
            trace_id=trace_id_of(run.record.id, *attempt.place) if trace and trace.spans else "",
        )

    attempts = sorted(
        (attempt for attempt in run.attempts if attempt.case == case),
        key=lambda attempt: (attempt.variant, attempt.trial),
    )
    return CaseView(
        run=run.record.id,
        suites=tuple(
            SuiteCaseView(
                suite=snapshot.suite,
                case=snapshot.cases.by_id(case),
                attempts=tuple(view(each) for each in attempts if each.suite == snapshot.suite),
                place=_place(snapshot, case),
                apart=tuple(sorted(judges_apart(snapshot))),
            )
            for snapshot in snapshots
        ),
    )


def _place(snapshot: SuiteSnapshot, case: str) -> str | None:
    line = snapshot.cases.line_of(case)
    path = snapshot.golden_path
    return f"{path}:{line}" if path and line is not None else path or None


def _unknown(run: StoredRun, case: str) -> str:
    known = [each for snapshot in run.snapshots for each in snapshot.cases.ids()]
    close = difflib.get_close_matches(case, known, n=3)
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    return f"run {run.record.id} has no case {case!r}{hint}"
