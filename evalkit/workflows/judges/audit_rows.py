"""The rows of an audit, in their order; here those about how steady the judge is."""

from collections.abc import Iterator, Sequence

from evalkit.judge.bias import (
    SIGNIFICANT_BELOW,
    Counted,
    Shift,
    Verdict,
    count_flips,
    count_splits,
    order_effect,
)
from evalkit.judge.drift import is_stale
from evalkit.records.audit import AuditRow
from evalkit.records.judgment import JudgeCall, Opinion
from evalkit.score.judging.combining import passing_score
from evalkit.workflows.judges.audit_injections import injection_rows
from evalkit.workflows.judges.audit_parts import (
    Asked,
    finding,
    nothing_tried,
    share_row,
    shift_words,
    too_few,
    unmeasured,
)
from evalkit.workflows.judges.audit_sources import differential_row, preference_row
from evalkit.workflows.judges.probing import CLEAN, PADDED


def audit_rows(asked: Asked) -> tuple[AuditRow, ...]:
    """Every row, in the order in which they are shown."""
    return (
        repeat_row(asked),
        order_row(asked),
        panel_row(asked),
        verbosity_row(asked),
        preference_row(asked),
        differential_row(asked),
        drift_row(asked),
        *injection_rows(asked),
    )


def repeat_row(asked: Asked) -> AuditRow:
    """Outputs whose verdict was not the same each time."""
    if asked.unrepeatable is not None:
        return unmeasured("repeat", "repeats", "asked again, unchanged", asked.unrepeatable)
    times = len(asked.plan.repeats)
    by_probe = [asked.answers.verdicts(name) for name in (CLEAN, *asked.plan.repeats)]
    flips = count_flips([each[item] for each in by_probe if item in each] for item in by_probe[0])
    return share_row(
        "repeat",
        "repeats",
        f"asked again {'once' if times == 1 else f'{times} times'}, unchanged",
        flips,
        limit=asked.rubric.floor.max_abstained,
        todo="Ask at temperature 0, or decide by a panel of several routes: verdicts that differ "
        "by chance hide the differences that are there.",
    )


def order_row(asked: Asked) -> AuditRow:
    """Pairs on which the two orders disagree."""
    tried = "both orders of each pair"
    if asked.rubric.compare != "pair":
        return unmeasured("order", "order", tried, "The rubric assesses outputs one by one.")
    effect = order_effect(
        (_said(asked, first), _said(asked, second))
        for opinion in asked.answers.of(CLEAN).values()
        for first, second in _both_orders(opinion)
    )
    favoured = ""
    if effect.p < SIGNIFICANT_BELOW:
        place = "first" if effect.to_first > effect.to_second else "second"
        favoured = f"It favours what is shown {place}. "
    return share_row(
        "order",
        "order",
        tried,
        effect.inconsistent,
        limit=asked.rubric.floor.max_abstained,
        p=effect.p,
        detail=f"{effect.to_first} times it preferred what was shown first, {effect.to_second} "
        "times what was shown second.",
        todo=f"{favoured}Pairs whose orders disagree have no verdict: say more sharply in the "
        "criteria what decides, or take a stronger model.",
    )


def panel_row(asked: Asked) -> AuditRow:
    """Outputs on which the members of a panel differ."""
    tried = "members of the panel compared"
    if len(asked.rubric.routes) < 2:
        return unmeasured("panel", "panel", tried, "One judge decides; there is no panel.")
    splits = count_splits(
        [_member(asked, calls) for calls in _by_route(opinion).values()]
        for opinion in asked.answers.of(CLEAN).values()
    )
    return share_row(
        "panel",
        "panel",
        tried,
        splits,
        limit=asked.rubric.floor.max_abstained,
        todo="Look at outputs on which the members differ, and say in the criteria who is right; "
        "or replace the member that is wrong most often.",
    )


def verbosity_row(asked: Asked) -> AuditRow:
    """By how much the pass rate moves when every output is twice as long and says the same."""
    tried = "each output's own sentences said twice"
    if asked.silent is not None:
        return unmeasured("verbosity", "verbosity", tried, asked.silent)
    shift = Shift(asked.answers.moves(PADDED).values())
    share = shift.share
    if share is None:
        return unmeasured("verbosity", "verbosity", tried, nothing_tried(asked, PADDED))
    longer_wins = shift.p < SIGNIFICANT_BELOW and share.value > 0
    return AuditRow(
        check="verbosity",
        name="verbosity",
        tried=tried,
        n=int(share.n),
        moved=shift.to_pass.moved + shift.to_fail.moved,
        share=share,
        p=shift.p,
        finding=finding(longer_wins, int(share.n)),
        detail=shift_words(shift),
        todo="Say in the prompt that length and repetition are no merit, and calibrate again."
        if longer_wins
        else too_few(int(share.n)),
    )


def drift_row(asked: Asked) -> AuditRow:
    """Whether the judge judges as it did when it was calibrated."""
    tried = "calibrated outputs judged again"
    drift = asked.drift
    if drift is None:
        return unmeasured("drift", "drift", tried, asked.no_drift)
    stale = is_stale(drift)
    return AuditRow(
        check="drift",
        name="drift",
        tried=tried,
        n=drift.n,
        moved=drift.changed,
        share=Counted(n=drift.n, moved=drift.changed).share,
        p=drift.p,
        finding="weak" if stale else "ok",
        todo="The judge moved under one name, so its calibration counts as stale: "
        f"evalkit judge calibrate {asked.rubric.ref} --no-cache."
        if stale
        else "",
    )


def _by_route(opinion: Opinion) -> dict[str, list[JudgeCall]]:
    """The calls by member, without those that never got an answer."""
    calls: dict[str, list[JudgeCall]] = {}
    for call in opinion.calls:
        if call.state != "error":
            calls.setdefault(call.route, []).append(call)
    return calls


def _both_orders(opinion: Opinion) -> Iterator[tuple[JudgeCall, JudgeCall]]:
    """(first, second) of each member that answered in both orders."""
    for calls in _by_route(opinion).values():
        by_order = {call.order: call for call in calls}
        if {"first", "second"} <= by_order.keys():
            yield by_order["first"], by_order["second"]


def _member(asked: Asked, calls: Sequence[JudgeCall]) -> Verdict:
    """A member's verdict; None where it has none, or its two orders disagree."""
    said = {_said(asked, call) for call in calls}
    return said.pop() if len(said) == 1 else None


def _said(asked: Asked, call: JudgeCall) -> Verdict:
    if call.state != "judged":
        return None
    if call.score is None:
        return call.passed
    return call.score >= passing_score(asked.rubric.scale, asked.threshold)
