"""Quarantine: flaky cases that count for nothing but invariants, and never make a suite green."""

from collections.abc import Sequence

from evalkit.gate.cases import CaseResult
from evalkit.gate.settings import GateSettings
from evalkit.gate.wording import count
from evalkit.records.verdict import Outcome, PartVerdict, Quarantined

_NAMED = 5


def counted_cases(
    cases: Sequence[CaseResult], settings: GateSettings
) -> tuple[Sequence[CaseResult], tuple[Quarantined, ...]]:
    """The cases that count, and the quarantined ones among `cases` that do not."""
    if not settings.quarantined:
        return cases, ()
    named = {each.case for each in settings.quarantined}
    present = {case.case for case in cases if case.case in named}
    left_out = {each.case: each for each in settings.quarantined if each.case in present}
    counting = [case for case in cases if case.case not in left_out]
    return counting, tuple(left_out.values())


def all_quarantined(owner: str | None) -> PartVerdict:
    """The part of a suite whose every case is in quarantine: nothing was decided."""
    return PartVerdict(
        name="quarantine",
        kind="guard",
        outcome=Outcome.NOT_MEASURED,
        best=Outcome.NOT_MEASURED,
        worst=Outcome.NOT_MEASURED,
        required=True,
        held=True,
        message="Every case is in quarantine, so nothing was decided.",
        what_would_settle="Cases outside quarantine.",
        owner=owner,
    )


def quarantine_warning(quarantined: Sequence[Quarantined]) -> str:
    """Which cases did not count, until when and why."""
    shown = "; ".join(
        f"{each.case} until {each.until} ({each.reason.strip().rstrip('.')})"
        for each in quarantined[:_NAMED]
    )
    more = len(quarantined) - _NAMED
    rest = f" and {more} more" if more > 0 else ""
    verb = "is" if len(quarantined) == 1 else "are"
    return (
        f"{count(len(quarantined), 'case')} {verb} in quarantine and counted for invariants only: "
        f"{shown}{rest}."
    )
