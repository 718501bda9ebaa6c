"""What earlier runs say about this one: the trials they lent, and the cases that are flaky."""

from collections.abc import Iterator

from evalkit.records.run import SuiteRecord, SuiteSnapshot
from evalkit.report.arms import Arm
from evalkit.report.figures import count

_NAMED = 5


def lent_notes(record: SuiteRecord | None) -> Iterator[str]:
    """A sentence an arm that earlier runs of the same content lent trials to."""
    for variant in () if record is None else record.variants:
        if variant.pooled:
            attempts, runs = sum(variant.pooled.values()), len(variant.pooled)
            yield (
                f"{count(attempts, 'attempt')} of {count(runs, 'earlier run')} of the same content "
                f"count as further trials of the {variant.variant}."
            )


def flaky_notes(snapshot: SuiteSnapshot, candidate: Arm) -> Iterator[str]:
    """Which cases the unchanged baseline passes only sometimes, first those that fail now."""
    if not snapshot.flaky:
        return
    known = f"{count(len(snapshot.flaky), 'case')} passed only some of the baseline's runs"
    failing = [flake for flake in snapshot.flaky if _failed(candidate, flake.case)]
    if not failing:
        yield f"{known}; none of them failed here."
        return
    named = ", ".join(f"{each.case} ({each.passes} of {each.runs})" for each in failing[:_NAMED])
    more = f" and {len(failing) - _NAMED:,} more" if len(failing) > _NAMED else ""
    yield f"{known}; {len(failing):,} of them failed here: {named}{more}."


def _failed(candidate: Arm, case: str) -> bool:
    position = candidate.cases.position(case)
    return position is not None and False in candidate.results(position)
