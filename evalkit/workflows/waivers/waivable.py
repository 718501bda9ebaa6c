"""Which part of a stored verdict is to be accepted, and which parts could be."""

from collections.abc import Sequence

from evalkit.config.problems import suggest
from evalkit.errors import Refused, UsageError
from evalkit.gate.waiving import propose_waiver
from evalkit.records.run import RunRecord
from evalkit.records.verdict import Outcome, PartVerdict, SuiteVerdict
from evalkit.report.headline import part_reason
from evalkit.report.marks import MARKS
from evalkit.report.untrusted import clip, one_line

_MOST_REASON = 200


def waivable_parts(suite: SuiteVerdict) -> tuple[PartVerdict, ...]:
    """The required parts that did not pass and can be accepted; also those that are already."""
    return tuple(part for part in suite.parts if _can_be_waived(part))


def find_part(
    record: RunRecord, suite: str | None, part: str | None
) -> tuple[SuiteVerdict, PartVerdict]:
    """The part that is meant. Raises UsageError with those there are, Refused without a verdict."""
    if record.verdict is None:
        why = f"is {record.state}" if record.gates else record.why_ungated
        raise Refused(f"run {record.id} {why}, so it decided nothing that could be accepted")
    suites = record.verdict.suites
    names = [each.suite for each in suites]
    if suite is not None and suite not in names:
        raise UsageError(
            f"run {record.id} has no suite {suite!r}; it has {', '.join(names)}"
            + _hint(suite, names)
        )
    meant = [each for each in suites if suite in (None, each.suite)]
    choices = [(each, found) for each in meant for found in waivable_parts(each)]
    named = [(each, found) for each, found in choices if found.name == part]
    if len(named) == 1:
        return named[0]
    if not choices:
        raise UsageError(f"run {record.id} has nothing to waive{_stuck(meant)}")
    lines = [
        f"  --suite {each.suite} --part {_quoted(found.name)}  {MARKS[found.outcome]}: "
        f"{clip(one_line(part_reason(found)), _MOST_REASON)}"
        for each, found in choices
    ]
    first = _unclear(meant, [found.name for _, found in choices], part)
    raise UsageError("\n".join([f"{first}; run {record.id} has:", *lines]))


def does_not_pass(part: PartVerdict) -> str:
    """'fails', or 'is inconclusive'."""
    return "fails" if part.outcome is Outcome.FAIL else f"is {part.outcome}"


def _can_be_waived(part: PartVerdict) -> bool:
    if not part.required:
        return False
    try:
        propose_waiver(part, suite="", id="", reason="", accepted_by="", on="", until="")
    except ValueError:
        return False
    return True


def _stuck(suites: Sequence[SuiteVerdict]) -> str:
    """What did not pass and cannot be accepted, with why; nothing where every part passed."""
    stuck = [
        f"{one_line(part.name)} is {part.outcome}"
        for suite in suites
        for part in suite.parts
        if part.required and part.outcome is not Outcome.PASS
    ]
    if not stuck:
        return ": every part of it passed"
    words = f" ({', '.join(stuck)}): what was not measured cannot be accepted"
    ended = [
        part.name.partition(":")[2] for s in suites for part in s.parts if part.kind == "waiver"
    ]
    removal = "".join(f"; take it out with evalkit waive --remove {each}" for each in ended)
    return words if not ended else f" ({', '.join(stuck)}){removal}"


def _unclear(suites: Sequence[SuiteVerdict], names: Sequence[str], part: str | None) -> str:
    if part is None:
        return "say what is accepted, with --suite and --part"
    if part in names:
        return f"several suites have a part {part!r}: say which with --suite"
    for suite in suites:
        for each in suite.parts:
            if each.name == part and each.outcome is Outcome.PASS:
                return f"{part!r} passed in {suite.suite}, so there is nothing to accept"
            if each.name == part:
                return f"{part!r} is {each.outcome} in {suite.suite}, which cannot be waived"
    return f"there is no part {part!r} that can be waived{_hint(part, names)}"


def _hint(found: str, options: Sequence[str]) -> str:
    close = suggest(found, options)
    return f"; {close}" if close else ""


def _quoted(name: str) -> str:
    shown = one_line(name)
    return f'"{shown}"' if " " in shown else shown
