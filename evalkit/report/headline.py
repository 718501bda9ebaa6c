"""A run, a suite and a requirement in one short line each; every renderer starts with these."""

from evalkit.records.run import RunRecord
from evalkit.records.verdict import Judged, Outcome, PartVerdict, SuiteVerdict, Verdict
from evalkit.report.figures import change, metric, percent, points
from evalkit.report.marks import MARKS

_MOST_REASON = 160


def run_mark(record: RunRecord) -> str:
    """How a run came out, in capitals: PASS, FAIL, INCONCLUSIVE, INCOMPLETE, INTERRUPTED, …"""
    if record.state in ("interrupted", "running"):
        return record.state.upper()
    if record.exit_code == 4:
        return MARKS[Outcome.INCOMPLETE]
    if record.shard is not None:
        return f"SHARD {record.shard.index}/{record.shard.of}"
    if record.verdict is None:
        return "NOT GATED"
    return MARKS[record.verdict.outcome]


def run_reason(record: RunRecord) -> str:
    """Why it came out so, in one sentence without a full stop."""
    if record.state == "interrupted":
        return "it was stopped; what was done is kept"
    if record.state == "running":
        return "it is under way, or it was killed; what was done is kept"
    verdict = record.verdict
    if record.stopped and record.exit_code == 4:
        return _first_sentence(record.stopped)
    if verdict is None or (record.exit_code == 4 and verdict.exit_code != 4):
        return _first_sentence(record.why[0]) if record.why else "nothing was decided"
    return verdict_reason(verdict)


def verdict_reason(verdict: Verdict) -> str:
    """Why the gate decided so; names the suite that decided where there are several."""
    deciding = [suite for suite in verdict.suites if suite.outcome is verdict.outcome]
    if not deciding:
        return "nothing was measured" if not verdict.suites else "see the suites"
    if verdict.outcome is Outcome.PASS and len(deciding) > 1:
        return f"all {len(deciding)} suites passed"
    reason = f"{deciding[0].suite}: {suite_reason(deciding[0])}"
    others = len(deciding) - 1
    if others:
        reason += f"; {others} more {'suite' if others == 1 else 'suites'} like it"
    if verdict.outcome is Outcome.INCONCLUSIVE and verdict.exit_code != 3:
        mapped = next(
            (each for each in deciding if each.on_inconclusive != "escalate"), deciding[0]
        )
        reason += (
            f" (on_inconclusive: {mapped.on_inconclusive} makes that exit {verdict.exit_code})"
        )
    return reason


def suite_reason(suite: SuiteVerdict) -> str:
    """What decided a suite: its first required part with the suite's outcome."""
    part = deciding_part(suite)
    if part is None:
        return "nothing was required"
    failing = sum(
        each.required and each.outcome is Outcome.FAIL and each.waiver is None
        for each in suite.parts
    )
    if part.outcome is Outcome.FAIL and part.waiver is None and failing > 1:
        more = failing - 1
        return f"{part_reason(part)}; {more} more requirement{'s fail' if more > 1 else ' fails'}"
    return part_reason(part)


def deciding_part(suite: SuiteVerdict) -> PartVerdict | None:
    """The first required part that came out as the suite did.

    On a pass one that passed by a waiver alone comes before others, then the drop.
    """
    parts = [part for part in suite.parts if part.required]
    if suite.outcome is Outcome.PASS:
        parts.sort(key=lambda part: (part.waiver is None, part.kind != "drop"))
        return next(iter(parts), None)
    decided = (p for p in parts if p.outcome is suite.outcome and p.waiver is None)
    return next(decided, None) or next(iter(parts), None)


def part_reason(part: PartVerdict) -> str:
    """A requirement and how it came out, in a few words, and until when that is accepted."""
    if part.waiver is not None:
        accepted = f"accepted until {part.waiver.until} ({part.waiver.id})"
        return f"{_reason(part)}; {accepted}"
    return _reason(part)


def _reason(part: PartVerdict) -> str:
    if part.outcome is Outcome.INCOMPLETE:
        return "too many attempts have no result"
    if part.outcome is Outcome.NOT_MEASURED:
        return f"{part.name} was not measured"
    if part.judged is not None:
        return _judge_reason(part, part.judged)
    if part.kind in ("drop", "slice_drop"):
        return _drop_reason(part)
    if part.kind in ("floor", "slice_floor"):
        return _floor_reason(part)
    if part.kind == "metric":
        return _metric_reason(part)
    if part.kind == "invariant":
        name = part.name.removeprefix("invariant:")
        words = {Outcome.PASS: "held", Outcome.FAIL: "was broken"}
        return f"the invariant {name} {words.get(part.outcome, 'could not be checked everywhere')}"
    return _first_sentence(part.message)


def part_detail(part: PartVerdict) -> str:
    """`part_reason` without the subject that stands in the part's name, for use beside it."""
    reason = part_reason(part)
    if part.judged is not None:
        for start in (f"by the judge {part.judged.rubric} and ", f"{_cannot(part.judged)}: "):
            reason = reason.removeprefix(start)
        return reason
    subject = part.name.partition(":")[2]
    for start in (f"the invariant {subject} ", f"{subject} ") if subject else ():
        reason = reason.removeprefix(start)
    return reason


def _judge_reason(part: PartVerdict, judged: Judged) -> str:
    lead = f"by the judge {judged.rubric} and corrected for its errors, "
    if part.estimate is not None:
        moved = _moved("the pass rate", part.estimate.drop, part.margin)
        if judged.baseline is None:
            moved = _preferred(part.estimate.drop, part.margin)
        if part.margin is None:
            return f"{lead}{moved}; nothing is required of it"
        return lead + _held_against(moved, part.estimate.drop, part.margin, part.outcome)
    if part.candidate_rate is not None and part.floor is not None and part.candidate_interval:
        rate = percent(part.candidate_rate, beside=part.floor)
        passes = f"{lead}the candidate passes {rate}, {percent(part.floor)} is required"
        open_ = part.outcome is Outcome.INCONCLUSIVE
        return f"{passes}, and its interval reaches across" if open_ else passes
    sentence = _first_sentence(part.message)
    return f"{_cannot(judged)}: {sentence[:1].lower()}{sentence[1:]}"


def _cannot(judged: Judged) -> str:
    return f"the judge {judged.rubric} cannot decide"


def _preferred(drop: float, margin: float | None) -> str:
    if drop == 0:
        return "neither side's output is the better one more often"
    side = "baseline" if drop > 0 else "candidate"
    return f"the {side}'s output is the better one {points(abs(drop), beside=margin)} more often"


def _drop_reason(part: PartVerdict) -> str:
    where = _where(part, "the pass rate")
    if part.estimate is None or part.margin is None:
        return _first_sentence(part.message)
    moved = _moved(where, part.estimate.drop, part.margin)
    return _held_against(moved, part.estimate.drop, part.margin, part.outcome)


def _moved(where: str, drop: float, margin: float | None) -> str:
    if drop == 0:
        return f"{where} did not move"
    return f"{where} {'fell' if drop > 0 else 'rose'} {points(abs(drop), beside=margin)}"


def _held_against(moved: str, drop: float, limit: float, outcome: Outcome) -> str:
    margin = points(limit)
    if outcome is Outcome.FAIL and drop < limit:
        return f"{moved}, which is real, and a drop of {margin} is not ruled out"
    if outcome is Outcome.FAIL:
        return f"{moved}; less than {margin} is allowed"
    if outcome is Outcome.PASS:
        return f"{moved}, and a drop of {margin} is ruled out"
    return f"{moved}; a drop of {margin} is neither shown nor ruled out"


def _floor_reason(part: PartVerdict) -> str:
    where = _where(part, "the candidate")
    if part.candidate_rate is None or part.floor is None:
        return _first_sentence(part.message)
    rate = percent(part.candidate_rate, beside=part.floor)
    passes = f"{where} passes {rate}, {percent(part.floor)} is required"
    if part.outcome is Outcome.INCONCLUSIVE:
        return f"{passes}, and attempts without a result decide"
    return passes


def _metric_reason(part: PartVerdict) -> str:
    name = part.name.removeprefix("metric:")
    if part.estimate is None or part.margin is None:
        return _first_sentence(part.message)
    if name == "guardrail_rate":
        moved = f"guardrail_rate changed by {points(part.estimate.drop, signed=True)}"
        return f"{moved}; up to {points(part.margin, signed=True)} is allowed"
    moved = f"changed by {change(part.estimate.drop)}"
    if part.baseline_value is not None and part.candidate_value is not None:
        old, new = metric(name, part.baseline_value), metric(name, part.candidate_value)
        moved = f"went from {old} to {new}, {change(part.estimate.drop)}"
    return f"{name} {moved}; up to {change(part.margin)} is allowed"


def _where(part: PartVerdict, whole: str) -> str:
    if part.kind in ("drop", "floor"):
        return whole
    name = part.name.removeprefix("slice:").rsplit(" ", 1)[0]
    return f"the pass rate of slice {name}" if part.kind == "slice_drop" else f"slice {name}"


def _first_sentence(text: str) -> str:
    sentence = text.split(". ", 1)[0].rstrip(".")
    if len(sentence) <= _MOST_REASON:
        return sentence
    return f"{sentence[:_MOST_REASON].rsplit(' ', 1)[0].rstrip(' ,;:')} …"
