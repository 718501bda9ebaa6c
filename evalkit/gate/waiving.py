"""Waivers: what somebody accepted, until when and how far, laid over a verdict.

A part that a waiver covers keeps its outcome and counts as passed. Nothing else is softened: what
is beyond the waiver, what it does not name, and what was not measured stay as they are, and a
waiver that expired or that fits no part keeps the suite from passing until it is removed.
"""

import math
from collections.abc import Sequence

import msgspec

from evalkit.gate.amounts import exact
from evalkit.gate.settings import RATE_METRICS
from evalkit.gate.suite import combine_parts
from evalkit.gate.wording import count, named, percent
from evalkit.records.verdict import Outcome, PartVerdict, SuiteVerdict, Waiver

# an outcome that a waiver can accept; what was not measured cannot be accepted
_WAIVABLE = (Outcome.FAIL, Outcome.INCONCLUSIVE)
_BY_AMOUNT = ("drop", "anchor", "slice_drop", "metric", "judge")
_BY_RATE = ("floor", "slice_floor", "judge_floor")
# guards are parts only while they have something to say: once merged, a change has no change
_ON_OCCASION = ("gate change", "headroom")


def apply_waivers(verdict: SuiteVerdict, waivers: Sequence[Waiver], today: str) -> SuiteVerdict:
    """The suite with what was accepted counted as passed; `today` is an ISO 8601 day.

    A waiver holds to the end of its `until`; those of other suites are left alone. Every waiver in
    force is listed in the warnings. An expired one, and one whose part the suite does not have, add
    a held part of kind waiver; a guard that has nothing to say any more is no such part. Guards
    have to be in the verdict before.
    """
    own = [waiver for waiver in waivers if waiver.suite == verdict.suite]
    if not own:
        return verdict
    parts: list[PartVerdict] = []
    held: list[PartVerdict] = []
    for part in verdict.parts:
        concerned = [waiver for waiver in own if waiver.part == part.name]
        parts.append(_judged(part, concerned, today))
        held += _unchecked(parts[-1])
    names = {part.name for part in parts}
    for waiver in own:
        if waiver.part not in names and waiver.part in _ON_OCCASION and waiver.until >= today:
            continue
        if waiver.part not in names:
            held.append(_held(waiver, _no_such_part(waiver, names), verdict.owner))
        elif waiver.until < today:
            held.append(_held(waiver, _expired(waiver), verdict.owner))
    by_name = {part.name: part for part in parts}
    warnings = [
        _in_force(waiver, by_name[waiver.part])
        if waiver.part in names
        else f"Waiver {waiver.id} of {waiver.part} is not needed any more: remove it."
        for waiver in own
        if waiver.until >= today and (waiver.part in names or waiver.part in _ON_OCCASION)
    ]
    together = (*held, *parts)
    return verdict.revised(
        parts=together,
        outcome=combine_parts(together),
        warnings=(*warnings, *verdict.warnings),
    )


def propose_waiver(
    part: PartVerdict,
    *,
    suite: str,
    id: str,
    reason: str,
    accepted_by: str,
    on: str,
    until: str,
) -> Waiver:
    """A waiver that covers what was measured of `part`, and no more.

    Drops and metrics are covered up to the upper end of their interval, rounded up to 0.1; floors
    down to the lower end of the rate's, rounded down to 0.1 pp, so that the same candidate measured
    again is covered as well. Invariants and guards are covered to the letter. A waiver of a part
    that has one says the same again.

    Raises ValueError for a part that passes or was not measured, that no figure describes, or an
    end before the start.
    """
    if until < on:
        raise ValueError(f"a waiver from {on} cannot end on {until}")
    if part.kind == "waiver":
        raise ValueError(f"{part.name} is about a waiver: renew or remove that one")
    if part.outcome not in _WAIVABLE:
        raise ValueError(f"{part.name} is {part.outcome}: there is nothing to accept")
    waiver = Waiver(
        id=id,
        suite=suite,
        part=part.name,
        reason=reason,
        accepted_by=accepted_by,
        on=on,
        until=until,
    )
    if part.kind in _BY_AMOUNT and part.estimate is not None:
        tenths = math.ceil(exact(part.estimate.upper) * 1000)
        return msgspec.structs.replace(waiver, up_to=max(0, tenths) / 10)
    if part.kind in _BY_RATE and part.candidate_rate is not None and not _uncorrected(part):
        low = part.candidate_rate if part.candidate_interval is None else part.candidate_interval[0]
        return msgspec.structs.replace(waiver, at_least=math.floor(exact(low) * 1000) / 1000)
    if part.kind == "invariant" and part.cases:
        return msgspec.structs.replace(waiver, cases=part.cases)
    if part.kind == "guard":
        earlier = part.waiver.text if part.waiver is not None else None
        return msgspec.structs.replace(waiver, text=earlier or part.message)
    raise ValueError(f"{part.name} has no figure that a waiver could be held to")


def _judged(part: PartVerdict, waivers: Sequence[Waiver], today: str) -> PartVerdict:
    """The part with the first waiver that covers it, or with why none does."""
    if part.outcome is Outcome.PASS:
        return part
    valid = [waiver for waiver in waivers if waiver.until >= today]
    if part.outcome in _WAIVABLE:
        for waiver in valid:
            if _covers(waiver, part):
                accepted = (
                    f"Accepted by {waiver.accepted_by} until {waiver.until} ({waiver.id}): "
                    f"{_sentence(waiver.reason)}"
                )
                return part.revised(waiver=waiver, message=f"{part.message} {accepted}")
    why = [_beyond(waiver, part) for waiver in valid]
    why += [_expired(waiver) for waiver in waivers if waiver.until < today]
    if not why:
        return part
    if part.kind == "guard":
        # its message is what a waiver is held to, word by word
        return part.revised(
            what_would_settle=" ".join([part.what_would_settle or "", *why]).strip()
        )
    return part.revised(message=" ".join([part.message, *why]))


def _covers(waiver: Waiver, part: PartVerdict) -> bool:
    if part.kind in _BY_AMOUNT:
        if part.estimate is None or waiver.up_to is None:
            return False
        return exact(part.estimate.drop) * 100 <= exact(waiver.up_to)
    if part.kind in _BY_RATE:
        if part.candidate_rate is None or waiver.at_least is None or _uncorrected(part):
            return False
        return exact(part.candidate_rate) >= exact(waiver.at_least)
    if part.kind == "invariant":
        return bool(part.cases) and set(part.cases) <= set(waiver.cases)
    return part.kind == "guard" and waiver.text == part.message


def _uncorrected(part: PartVerdict) -> bool:
    """Whether a judge's rate is only what it says itself, which is no measurement."""
    return part.kind == "judge_floor" and part.candidate_interval is None


def _unchecked(part: PartVerdict) -> list[PartVerdict]:
    """What keeps a waived invariant from passing while it could be broken elsewhere too."""
    if part.waiver is None or part.kind != "invariant" or not part.unknown:
        return []
    lost = count(part.unknown, "attempt")
    why = f"{lost} without a result may break it in cases that waiver {part.waiver.id} lacks."
    settle = f"A result for the {lost} without one: resume the run."
    return [_held(part.waiver, f"{part.name} was broken as accepted; {why}", part.owner, settle)]


def _held(
    waiver: Waiver, message: str, owner: str | None, settle: str | None = None
) -> PartVerdict:
    return PartVerdict(
        name=f"waiver:{waiver.id}",
        kind="waiver",
        outcome=Outcome.INCONCLUSIVE,
        best=Outcome.INCONCLUSIVE,
        worst=Outcome.INCONCLUSIVE,
        required=True,
        held=True,
        message=message,
        what_would_settle=settle or f"Remove waiver {waiver.id} from waivers.yaml, or renew it.",
        owner=owner,
    )


def _expired(waiver: Waiver) -> str:
    return (
        f"Waiver {waiver.id} of {waiver.part} expired after {waiver.until} "
        f"(accepted by {waiver.accepted_by}: {_sentence(waiver.reason, end=')')}."
    )


def _no_such_part(waiver: Waiver, names: set[str]) -> str:
    known = named(sorted(name for name in names)) or "none"
    return (
        f"Waiver {waiver.id} is of {waiver.part}, which this suite does not have; it has {known}."
    )


def _in_force(waiver: Waiver, part: PartVerdict) -> str:
    accepted = (
        f"waiver {waiver.id}, accepted by {waiver.accepted_by} until {waiver.until}: "
        f"{_sentence(waiver.reason)}"
    )
    if part.waiver == waiver:
        return f"{part.name} did not pass and counts as passed, by {accepted}"
    if part.outcome is Outcome.PASS:
        return f"{part.name} passes and does not need {accepted}"
    if part.waiver is not None:
        return f"{part.name} is covered by {part.waiver.id} already, besides {accepted}"
    return f"{part.name} is {part.outcome}, which is not covered by {accepted}"


def _beyond(waiver: Waiver, part: PartVerdict) -> str:
    if part.outcome not in _WAIVABLE:
        return f"Waiver {waiver.id} does not cover what was not measured."
    return f"Waiver {waiver.id} covers {_cover(waiver, part)}, which this is not."


def _cover(waiver: Waiver, part: PartVerdict) -> str:
    if waiver.up_to is not None:
        rate = part.kind != "metric" or part.name.removeprefix("metric:") in RATE_METRICS
        return f"up to {waiver.up_to:g} {'pp' if rate else '%'}"
    if waiver.at_least is not None:
        return f"a rate of at least {percent(waiver.at_least)}"
    if waiver.cases:
        return f"only {named(waiver.cases)}"
    return "another text"


def _sentence(reason: str, end: str = ".") -> str:
    return f"{reason.strip().rstrip('.')}{end}"
