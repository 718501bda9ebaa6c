"""What went wrong between a run and its providers, a line a group."""

from evalkit.records.run import CallFailures, RunRecord

_MOST = 8


def failure_lines(record: RunRecord) -> list[str]:
    """'412 × 429 from openai: tried again, 3 given up'; empty where every call was answered."""
    lines = [_line(each) for each in record.failures[:_MOST]]
    more = record.failures[_MOST:]
    if more:
        calls = sum(each.failed for each in more)
        lines.append(f"{calls:,} × {len(more):,} more kinds, which are in run.json")
    return lines


def _line(group: CallFailures) -> str:
    if group.status is None:
        what = group.code.replace("_", " ")
    else:
        what = f"{group.status} ({group.code.replace('_', ' ')})"
    if not group.gave_up:
        became = "all tried again"
    elif group.gave_up == group.failed:
        became = "given up" if group.failed == 1 else "all given up"
    else:
        became = f"tried again, {group.gave_up:,} given up"
    return f"{group.failed:,} × {what} from {group.provider}: {became}"
