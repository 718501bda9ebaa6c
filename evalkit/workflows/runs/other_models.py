"""Replies of other models than planned that count: what passes is not what was to be tested."""

from collections import Counter
from collections.abc import Iterable, Iterator

from evalkit.gate.wording import named
from evalkit.records.attempt import Attempt
from evalkit.records.run import SuiteSnapshot


def other_models(snapshots: Iterable[SuiteSnapshot], attempts: Iterable[Attempt]) -> Iterator[str]:
    """A warning for each variant of a suite with `fallback: accept` whose replies are of others.

    Elsewhere such replies are errors, and told as these.
    """
    accepting = {snapshot.suite for snapshot in snapshots if snapshot.fallback == "accept"}
    if not accepting:
        return
    replied: Counter[tuple[str, str]] = Counter()
    others: dict[tuple[str, str], Counter[str]] = {}
    for attempt in attempts:
        if attempt.suite not in accepting or not attempt.model:
            continue
        place = attempt.suite, str(attempt.variant)
        replied[place] += 1
        if attempt.planned_model and attempt.model != attempt.planned_model:
            why = ", ".join(dict.fromkeys(hop.code for hop in attempt.fallbacks)) or "a hop"
            words = f"{attempt.model} for {attempt.planned_model} after {why}"
            others.setdefault(place, Counter())[words] += 1
    for place, told in others.items():
        suite, variant = place
        none = "; what was planned was not tested" if told.total() == replied[place] else ""
        yield (
            f"suite {suite}, {variant}: {told.total()} of {replied[place]} replies are of another "
            f"model than planned ({named([words for words, _ in told.most_common()])}), and count "
            f"by fallback: accept{none}"
        )
