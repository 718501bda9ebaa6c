"""What a suite's judges said, and how far they can be believed, as rows of plain text.

The terminal, Markdown and the page lay the same rows out. They stand beside what the gate says of a
judge's part: what a part's message says in full is not said again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from evalkit.records.calibration import JudgeStanding, Share
from evalkit.records.comparison import ScorerRow, SuiteComparison
from evalkit.records.verdict import Judged, JudgedArm, Outcome, PartVerdict
from evalkit.report.calibration.wording import labelled_words, number
from evalkit.report.figures import count, percent, points
from evalkit.report.judging import judging_words


class JudgeRow(NamedTuple):
    """A label and its words; `cases` are all of those that the words name the first of."""

    label: str
    words: str
    cases: tuple[str, ...] = ()


_MOST_NAMED = 5
_ALIKE = 0.0005
_STANDINGS = {
    "fit": "fit",
    "unfit": "not fit to decide",
    "uncalibrated": "not calibrated",
    "stale": "no longer the judge that was calibrated",
}
_EQUAL = {
    "same": "both sides are the same content, so it favours neither",
    "assumed": "assumed, not checked: it errs alike on both sides",
    "verified": "labels of both sides show no difference in its errors",
    "paired": "labels on both outputs of a case correct for whom it favours",
    "unverified": "nobody checked that it errs alike on both sides",
    "differ": "labels show that it errs differently on the two sides",
}
_IN_BOTH_ORDERS = "each pair is shown in both orders, so it favours neither side"


def suite_judge_rows(suite: SuiteComparison) -> list[JudgeRow]:
    """(label, words) of every judge of a suite and of what judging took; none without a judge."""
    parts = () if suite.verdict is None else suite.verdict.parts
    rows = judge_rows(parts, suite.scorers)
    told = {name for name, _ in _by_judge(parts)}
    for row in suite.scorers:
        if row.judge and row.scorer not in told:
            rows += _undecided_rows(row)
    if suite.judging is not None:
        rows.append(JudgeRow("judging", judging_words(suite.judging)))
    return rows


def judge_rows(parts: Iterable[PartVerdict], scorers: Sequence[ScorerRow] = ()) -> list[JudgeRow]:
    """(label, words) of the judges behind these parts: who, what it saw, corrected, what broke."""
    by_name = {row.scorer: row for row in scorers}
    return [
        row for name, mine in _by_judge(parts) for row in _rows_of(name, mine, by_name.get(name))
    ]


def is_blocked(part: PartVerdict) -> bool:
    """Whether a judge's part decided nothing: then its message gives every reason."""
    return part.estimate is None and part.candidate_interval is None


def _by_judge(parts: Iterable[PartVerdict]) -> Iterator[tuple[str, list[PartVerdict]]]:
    """(scorer, its parts), the drop before the floor."""
    found: dict[str, list[PartVerdict]] = {}
    for part in parts:
        if part.judged is not None:
            name = part.name.removeprefix("judge ")
            if part.kind == "judge_floor":
                name = name.removesuffix(" floor")
            found.setdefault(name, []).append(part)
    yield from found.items()


def _rows_of(
    name: str, parts: Sequence[PartVerdict], scorer: ScorerRow | None
) -> Iterator[JudgeRow]:
    lead = parts[0]
    judged = lead.judged
    assert judged is not None, "only parts with a judge are grouped"
    blocked = any(map(is_blocked, parts))
    yield JudgeRow("judge", _who(name, judged))
    if blocked:  # the rates stand in the message
        yield JudgeRow("judged", _numbers(judged))
    else:
        yield JudgeRow("saw", _saw(judged, pair=_is_pair(lead)))
    corrected = _corrected(parts, judged)
    if corrected:
        yield JudgeRow("corrected", corrected)
    without = _without(judged, told=blocked)
    if without:
        yield JudgeRow("no verdict", without)
    if scorer is not None and scorer.newly_failing:
        yield _now_fails(scorer)


def _is_pair(part: PartVerdict) -> bool:
    """Whether two outputs were compared: then there is a drop, and no arm of the baseline."""
    return part.kind == "judge" and part.judged is not None and part.judged.baseline is None


def _who(name: str, judged: Judged) -> str:
    rubric = (
        judged.rubric if judged.rubric.partition("@")[0] == name else f"{name}, {judged.rubric}"
    )
    return f"{rubric} by {judged.asked}; {standing_words(judged.standing)}"


def standing_words(standing: JudgeStanding) -> str:
    """'fit: it passes 92.5 % of good outputs and fails 96.7 % of bad ones, by 240 labels …'.

    Why one is not fit stands in its part's message.
    """
    words = _STANDINGS[standing.standing]
    if standing.tpr is None or standing.tnr is None or not standing.fit:
        return words
    labels = number(standing.n_pass + standing.n_fail)
    return (
        f"{words}: it passes {percent(standing.tpr)} of good outputs and fails "
        f"{percent(standing.tnr)} of bad ones, by {labels} {labelled_words(standing.labelled_by)}"
    )


def _saw(judged: Judged, *, pair: bool) -> str:
    after, before = judged.candidate, judged.baseline
    if pair:
        return (
            f"the candidate is the better one in {after.passed:,} of {after.judged:,} pairs"
            f"{_unasked([after])}"
        )
    if before is None:
        return (
            f"{percent(_rate(after))} of {count(_known(after), 'output')} pass{_unasked([after])}"
        )
    return (
        f"{percent(_rate(before))} → {percent(_rate(after))} pass, of {_numbers(judged)}"
        f"{_unasked([before, after])}"
    )


def _numbers(judged: Judged) -> str:
    after = _known(judged.candidate)
    if judged.baseline is None:
        return count(after, "output")
    before = _known(judged.baseline)
    if before == after:
        return f"{count(after, 'output')} on each side"
    return f"{before:,} → {after:,} outputs"


def _known(arm: JudgedArm) -> int:
    """Outputs that have an outcome: with a verdict, or failing without one being asked for."""
    return arm.judged + arm.known_fails


def _rate(arm: JudgedArm) -> float | None:
    return arm.passed / _known(arm) if _known(arm) else None


def _unasked(arms: Sequence[JudgedArm]) -> str:
    fails = sum(arm.known_fails for arm in arms)
    if not fails:
        return ""
    verb = "gives" if fails == 1 else "give"
    return f"; {fails:,} of them {verb} no answer, which fails without asking"


def _corrected(parts: Sequence[PartVerdict], judged: Judged) -> str:
    """The rates and the drop with the judge's errors taken out, as far as anything was decided."""
    if all(map(is_blocked, parts)):
        return ""
    words = _rates(parts, judged)
    for part in parts:
        words += _decided_words(part, judged)
    if judged.labels:
        words.append(f"{count(judged.labels, 'label')} on this run's outputs")
    return "; ".join(words)


def _rates(parts: Sequence[PartVerdict], judged: Judged) -> list[str]:
    """The corrected rates; none where their difference is another than the drop that decided.

    A rate ends at 100 % and may be corrected by other labels; a drop is corrected as a whole.
    """
    after = judged.candidate.corrected
    before = None if judged.baseline is None else judged.baseline.corrected
    if after is None:
        return []
    if before is None or any(part.kind == "judge_floor" for part in parts):
        return [_share_words(after)]
    drops = [part.estimate.drop for part in parts if part.estimate is not None]
    if any(abs(before.value - after.value - drop) > _ALIKE for drop in drops):
        return []
    return [f"{percent(before.value)} → {percent(after.value)}"]


def _decided_words(part: PartVerdict, judged: Judged) -> list[str]:
    if part.kind == "judge_floor":
        return [f"the floor is {percent(part.floor)}"] if part.candidate_interval else []
    estimate = part.estimate
    if estimate is None:
        return []
    level = "" if part.alpha is None else f"{round(100 * (1 - 2 * part.alpha))} % "
    noun = "drop" if estimate.drop >= 0 else "gain"
    worst = " at worst, with all that has no verdict held against it" if part.unknown else ""
    words = [
        f"{noun} {points(abs(estimate.drop), beside=part.margin)}{worst}",
        f"{level}interval of the drop "
        f"{points(estimate.lower, beside=0)} to {points(estimate.upper, beside=part.margin)}",
    ]
    if part.margin is not None:
        words.append(f"the margin is {points(part.margin)}")
    same = judged.equal_errors == "same" and _is_pair(part)
    words.append(_IN_BOTH_ORDERS if same else _EQUAL[judged.equal_errors])
    return words


def _share_words(share: Share) -> str:
    return f"{percent(share.value)}, 95 % interval {percent(share.lower)} to {percent(share.upper)}"


def _without(judged: Judged, *, told: bool) -> str:
    """What is no verdict, by what it is, and how often verdicts on one output differ.

    `told` leaves the first out: the part's message has it.
    """
    arms = [arm for arm in (judged.baseline, judged.candidate) if arm is not None]
    asked = sum(arm.judged + arm.without_verdict for arm in arms)
    named: Mapping[str, int] = {
        "abstained": sum(arm.abstained for arm in arms),
        "unreadable": sum(arm.unparseable for arm in arms),
        "refused": sum(arm.refused for arm in arms),
        "not judged for an error": sum(arm.errors for arm in arms),
    }
    words = []
    states = ", ".join(f"{number:,} {state}" for state, number in named.items() if number)
    if states and not told:
        words.append(f"{states}, of {count(asked, 'output')}: none of them counts as a pass")
    disagreed = sum(arm.disagreed for arm in arms)
    if disagreed:
        words.append(
            f"its verdicts differ on {disagreed:,} of {asked:,} ({percent(disagreed / asked)})"
        )
    return "; ".join(words)


def _now_fails(scorer: ScorerRow) -> JudgeRow:
    cases = scorer.newly_failing
    named = ", ".join(cases[:_MOST_NAMED])
    more = len(cases) - _MOST_NAMED
    words = named + (f" and {more:,} more" if more > 0 else "")
    return JudgeRow("now fails" if scorer.before_applied else "is worse", words, cases)


def _undecided_rows(row: ScorerRow) -> list[JudgeRow]:
    """Of a judge without a part in the verdict: what it saw, which nothing corrected."""
    rates = percent(row.after_rate)
    if row.before_applied:
        rates = f"{percent(row.before_rate)} → {rates}"
    seen = f"{rates} of {count(row.after_applied, 'output')} pass, uncorrected"
    rows = [JudgeRow("judge", row.judge)]
    rows.append(JudgeRow("saw", f"{seen}; nothing is decided by it here"))
    if row.newly_failing:
        rows.append(_now_fails(row))
    return rows


def worse_by_judges(suite: SuiteComparison) -> Iterator[tuple[str, str, str]]:
    """(scorer, case, words) of what a judge whose part fails the suite newly fails."""
    failing = {
        name
        for name, parts in _by_judge(() if suite.verdict is None else suite.verdict.parts)
        if any(p.outcome is Outcome.FAIL and p.required and p.waiver is None for p in parts)
    }
    for row in suite.scorers:
        if row.scorer in failing:
            words = "passes it less often than before"
            if not row.before_applied:
                words = "finds it worse than the baseline's"
            for case in row.newly_failing:
                yield row.scorer, case, f"judge {row.scorer} {words}"
