"""Whether a stopped run may go on, and what its killed process left behind, in words."""

from collections.abc import Iterable

from evalkit.errors import Refused
from evalkit.records.attempt import Attempt
from evalkit.records.call_log import CallsLeft
from evalkit.records.judgment import Judgment
from evalkit.records.run import RunRecord
from evalkit.store.bundle import Bundle
from evalkit.store.runs import RunStore


def check_resumable(store: RunStore, bundle: Bundle) -> RunRecord:
    """The record of a run that can go on. Raises Refused for every other one."""
    record = bundle.read_record()
    home = store.folder / record.id
    if bundle.path.resolve() != home.resolve():
        # both would charge one account, and be one run of the history
        raise Refused(
            f"{bundle.path} is a copy of run {record.id}, and a run goes on in one place only: "
            f"resume it as {home}"
            + ("" if home.exists() else ", where this project does not have it; move it there")
        )
    if record.merged:
        raise Refused(
            f"run {record.id} was merged from shards, and a merge makes no attempts; "
            + record.how_to_complete
        )
    if is_whole(record, bundle.attempts(), bundle.judgments()):
        raise Refused(f"run {record.id} is complete, there is nothing to resume")
    return record


def check_untouched(before: RunRecord, bundle: Bundle) -> None:
    """Raise Refused where another process resumed and ended the run since it was looked at."""
    now = bundle.read_record()
    if (now.state, now.finished_at) != (before.state, before.finished_at):
        raise Refused(
            f"run {before.id} was resumed by another process meanwhile, and is {now.state}; "
            f"`evalkit show {before.id}` tells how it stands"
        )


def is_whole(record: RunRecord, attempts: Iterable[Attempt], judgments: Iterable[Judgment]) -> bool:
    """Whether nothing of a run is left to be made."""
    return (
        record.state == "complete"
        and all(each.has_result for each in attempts)
        and all(each.opinion.state != "error" for each in judgments)
    )


def left_words(left: CallsLeft) -> list[str]:
    """What the user is told of a run that was killed; nothing of one that stopped in order."""
    notes = []
    if left.lost:
        calls = "1 call was" if left.lost == 1 else f"{left.lost:,} calls were"
        bound = f" ({left.lost_usd:.6f} USD)" if left.lost_usd else ""
        notes.append(
            f"{calls} in flight when the run was killed: charged at the upper bound{bound}, and "
            "asked again"
        )
    if left.answered:
        calls = "1 call" if left.answered == 1 else f"{left.answered:,} calls"
        notes.append(
            f"{calls} of unfinished attempts had been answered when the run was stopped: paid "
            "for once, and not asked again"
        )
    return notes
