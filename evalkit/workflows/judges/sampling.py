"""Which outputs of a run are worth a label: more of those that the judge failed, by known odds.

A judge fails the minority of outputs, so a plain sample would say little of its errors there. Each
item keeps one over the probability with which it was drawn as its weight, so that whatever is
computed from the labels stands for the whole run. Cases are drawn, each with the outputs of both
arms: labels on both can correct a drop case by case.
"""

import hashlib
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from evalkit.errors import UsageError
from evalkit.records.asset import Rubric
from evalkit.records.attempt import Attempt, Place
from evalkit.records.case import Case
from evalkit.records.judgment import Subject
from evalkit.records.label import LabelledItem, LabelPart
from evalkit.records.run import StoredRun, SuiteSnapshot
from evalkit.records.subject import subject_id
from evalkit.score.judge import needs_judgment, subject_of

Stratum = Literal["fail", "pass", "unjudged"]
_FAIL_SHARE = 0.5
_TEST_OF_FOUR = 3


class Drawable(msgspec.Struct, frozen=True, kw_only=True):
    """A case's outputs, drawn together. `stratum` is fail where the judge failed one of them."""

    items: tuple[LabelledItem, ...]
    stratum: Stratum


def part_of(item_id: str) -> LabelPart:
    """What a new item is for: three of four measure, one chooses thresholds; the id decides, so
    that an output is for the same thing whoever labels it."""
    quarter = hashlib.sha256(f"part {item_id}".encode()).digest()[0] % 4
    return "test" if quarter < _TEST_OF_FOUR else "tuning"


def sample_run(
    run: StoredRun, rubric: Rubric, count: int, *, suite: str | None = None
) -> tuple[LabelledItem, ...]:
    """About `count` outputs of a run, without labels: whole cases, so it may be one more or less.

    One run and one count give one sample, and a larger count only adds to it. Raises UsageError for
    a run without outputs that the rubric's judge could be shown.
    """
    drawables = drawables_of(run, rubric, suite=suite)
    return sample(drawables, count, seed=f"{rubric.ref} {run.record.id}")


def sample(drawables: Sequence[Drawable], count: int, *, seed: str) -> tuple[LabelledItem, ...]:
    """About `count` items, weighted; those that the judge failed are half of it if there are so
    many, and never a smaller share than in the whole."""
    strata: defaultdict[Stratum, list[Drawable]] = defaultdict(list)
    for each in drawables:
        strata[each.stratum].append(each)
    outputs = sum(len(each.items) for each in drawables)
    if not outputs:
        return ()
    sizes = {name: len(found) for name, found in strata.items()}
    cases = min(len(drawables), max(1, round(count * len(drawables) / outputs)))
    drawn: list[LabelledItem] = []
    for name, wanted in allocate(sizes, cases).items():
        found = sorted(strata[name], key=lambda each: each.items[0].id)
        random.Random(f"{seed} {name}").shuffle(found)
        weight = len(found) / wanted if wanted else math.inf
        for each in found[:wanted]:
            drawn += [_weighted(item, weight) for item in each.items]
    return tuple(drawn)


def allocate(sizes: Mapping[Stratum, int], count: int) -> dict[Stratum, int]:
    """How many of each stratum are drawn: what has no verdict in proportion, then half of the rest
    fails. Every stratum that is there gets one at least, or some outputs would stand for nothing.
    """
    total = sum(sizes.values())
    count = min(count, total)
    unjudged = _at_least_one(round(count * sizes.get("unjudged", 0) / total), sizes, "unjudged")
    rest = count - unjudged
    fails, passes = sizes.get("fail", 0), sizes.get("pass", 0)
    share = max(_FAIL_SHARE, fails / (fails + passes)) if fails + passes else 0.0
    failed = min(fails, max(math.ceil(rest * share), rest - passes))
    passed = _at_least_one(min(passes, rest - failed), sizes, "pass")
    found: dict[Stratum, int] = {
        "fail": _at_least_one(failed, sizes, "fail"),
        "pass": passed,
        "unjudged": unjudged,
    }
    return {name: number for name, number in found.items() if number}


def drawables_of(
    run: StoredRun, rubric: Rubric, *, suite: str | None = None
) -> tuple[Drawable, ...]:
    """Each case's outputs that the rubric applies to, one trial of each arm; equal ones are one.

    Trials of a case are alike, so the first that both arms have stands for them. Raises UsageError
    where there is none.
    """
    verdicts = {
        judgment.place: judgment.opinion.passed if judgment.opinion.state == "judged" else None
        for judgment in run.judgments
        if judgment.rubric == rubric.ref
    }
    found: list[Drawable] = []
    seen: set[str] = set()
    for snapshot in _snapshots(run, rubric, suite):
        attempts: defaultdict[str, dict[tuple[str, int], Attempt]] = defaultdict(dict)
        for attempt in run.attempts:
            if attempt.suite == snapshot.suite and attempt.pooled_from is None:
                attempts[attempt.case][attempt.variant, attempt.trial] = attempt
        for case in snapshot.cases:
            shown = _shown(attempts[case.id], case, rubric)
            items: dict[str, tuple[LabelledItem, Place]] = {}
            for item, place in _items(run, shown):
                if item.id not in seen:
                    items.setdefault(item.id, (item, place))
            if items:
                seen |= items.keys()
                said = [verdicts.get(place) for _, place in items.values()]
                kept = tuple(item for item, _ in items.values())
                found.append(Drawable(items=kept, stratum=_stratum(said)))
    if not found:
        raise UsageError(
            f"run {run.record.id} has no output that {rubric.ref} could judge, so there is nothing "
            "to label in it"
        )
    return tuple(found)


def _snapshots(run: StoredRun, rubric: Rubric, suite: str | None) -> list[SuiteSnapshot]:
    """The suites whose outputs are meant: those that the rubric judges, or the named one."""
    names = [snapshot.suite for snapshot in run.snapshots]
    if suite is not None:
        if suite not in names:
            known = ", ".join(names) or "none"
            raise UsageError(f"run {run.record.id} has no suite {suite!r}; it has {known}")
        return [each for each in run.snapshots if each.suite == suite]
    judged = [
        snapshot
        for snapshot in run.snapshots
        if any(judge.rubric.ref == rubric.ref for judge in snapshot.judges)
    ]
    if not judged:
        raise UsageError(
            f"no suite of run {run.record.id} is judged by {rubric.ref}; say whose outputs are to "
            f"be labelled: --suite {names[0] if len(names) == 1 else 'NAME'} (it has "
            f"{', '.join(names) or 'none'})"
        )
    return judged


class _Shown(msgspec.Struct, frozen=True):
    attempt: Attempt
    subject: Subject


def _shown(attempts: Mapping[tuple[str, int], Attempt], case: Case, rubric: Rubric) -> list[_Shown]:
    """What a labeller is shown of a case: an output of each arm, or the pair of both."""
    ready = {
        place: attempt
        for place, attempt in attempts.items()
        if place[0] != "anchor" and needs_judgment(attempt, case, rubric)
    }
    trials = sorted({trial for _, trial in ready})
    both = [each for each in trials if {("baseline", each), ("candidate", each)} <= ready.keys()]
    if rubric.compare == "pair":
        if not both:
            return []
        candidate, baseline = ready["candidate", both[0]], ready["baseline", both[0]]
        return [_Shown(candidate, subject_of(candidate, case, rubric, baseline))]
    found = []
    for variant in ("baseline", "candidate"):
        mine = both or [trial for name, trial in sorted(ready) if name == variant]
        if mine:
            attempt = ready[variant, mine[0]]
            found.append(_Shown(attempt, subject_of(attempt, case, rubric)))
    return found


def _items(run: StoredRun, shown: Iterable[_Shown]) -> Iterable[tuple[LabelledItem, Place]]:
    for each in shown:
        name = subject_id(each.subject)
        yield (
            LabelledItem(
                id=name,
                subject=each.subject,
                part=part_of(name),
                source=source_of(each.attempt, run),
            ),
            each.attempt.place,
        )


def source_of(attempt: Attempt, run: StoredRun) -> dict[str, Any]:
    """Where an output of a run comes from, as a labelled item keeps it."""
    suite = next((each for each in run.record.suites if each.suite == attempt.suite), None)
    variant = None if suite is None else suite.variant(attempt.variant)
    found = {
        "model": attempt.model_id or attempt.model,
        "run": run.record.id,
        "suite": attempt.suite,
        "variant": attempt.variant,
        "case": attempt.case,
        "trial": attempt.trial,
        "content": "" if variant is None else variant.content,
    }
    return {key: value for key, value in found.items() if value != ""}


def _stratum(verdicts: Sequence[bool | None]) -> Stratum:
    if False in verdicts:
        return "fail"
    return "pass" if True in verdicts else "unjudged"


def _at_least_one(number: int, sizes: Mapping[Stratum, int], name: Stratum) -> int:
    return max(number, 1) if sizes.get(name) else 0


def _weighted(item: LabelledItem, weight: float) -> LabelledItem:
    return msgspec.structs.replace(item, weight=weight)
