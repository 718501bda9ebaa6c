"""Spot checks: every run puts a few judged outputs into the queue of what people look at next."""

from pathlib import Path

from evalkit.errors import StoreError, UsageError
from evalkit.records.label import LabelledItem
from evalkit.records.run import JudgeSetting, StoredRun
from evalkit.store.spot_checks import SpotChecks
from evalkit.workflows.judges.sampling import sample_run


def queue_spot_checks(root: Path, run: StoredRun) -> str | None:
    """Queue `spot_checks` outputs of each judge of a run that was decided.

    A queue that cannot be written must not undo a run: why it could not is returned.
    """
    if run.record.verdict is None:
        return None
    queue = SpotChecks(root)
    try:
        for snapshot in run.snapshots:
            for judge in snapshot.judges:
                queue.put(judge.rubric.ref, _drawn(run, judge, snapshot.suite))
    except StoreError as error:
        return f"no outputs were queued for labelling: {error}"
    return None


def _drawn(run: StoredRun, judge: JudgeSetting, suite: str) -> tuple[LabelledItem, ...]:
    if not judge.spot_checks:
        return ()
    try:
        return sample_run(run, judge.rubric, judge.spot_checks, suite=suite)
    except UsageError:  # it has no output that could be judged
        return ()
