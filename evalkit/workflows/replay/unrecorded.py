"""Calls of a candidate that production did not make, so that no result of them is stored."""

from collections import Counter
from collections.abc import Iterable, Iterator

from evalkit.execute.world import NO_ANSWER
from evalkit.records.attempt import Attempt
from evalkit.report.figures import count


def unrecorded_calls(attempts: Iterable[Attempt]) -> Iterator[str]:
    """A warning for each suite of a replay in which the candidate asked tools for what its sessions
    do not hold: what it answered then, it answered without a result."""
    calls: dict[str, Counter[str]] = {}
    where: Counter[str] = Counter()
    for attempt in attempts:
        if attempt.variant != "candidate":
            continue
        made = [
            step.name
            for step in attempt.steps
            if step.kind == "tool" and (step.message or "").startswith(NO_ANSWER)
        ]
        if made:
            calls.setdefault(attempt.suite, Counter()).update(made)
            where[attempt.suite] += 1
    for suite, tools in calls.items():
        named = ", ".join(f"{tool} {many:,}" for tool, many in tools.most_common())
        yield (
            f"suite {suite}: in {count(where[suite], 'attempt')} the candidate called tools as "
            f"production did not, so no result is stored, and the model was told so: {named}"
        )
