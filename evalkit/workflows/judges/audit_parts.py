"""What the rows of an audit are made of: all that is known, and how a finding is worded."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from evalkit.judge.bias import Counted, Shift, Verdict
from evalkit.records.asset import Rubric
from evalkit.records.audit import AuditCheck, AuditRow, Finding
from evalkit.records.calibration import Drift
from evalkit.records.label import LabelledItem
from evalkit.report.figures import percent
from evalkit.workflows.judges.probing import Answers, Plan

MINIMUM_OUTPUTS = 10
"""With fewer outputs nothing is called ok; what is found weak is weak all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Everything an audit knows when the answers are in.

    `verdicts` are the judge's by id, on as many of the labelled `items` as it has judged: now, or
    when it was calibrated. `own` are names of the models that judge. `silent` says why nothing new
    could be asked and `unrepeatable` why nothing could be asked again; None where it could.
    `no_drift` is why drift was not tested.
    """

    rubric: Rubric
    items: Sequence[LabelledItem]
    plan: Plan
    answers: Answers
    verdicts: Mapping[str, Verdict]
    own: Collection[str]
    threshold: float | None = None
    silent: str | None = None
    unrepeatable: str | None = None
    drift: Drift | None = None
    no_drift: str = ""


def share_row(
    check: AuditCheck,
    name: str,
    tried: str,
    counted: Counted,
    *,
    limit: float,
    todo: str,
    p: float | None = None,
    detail: str = "",
) -> AuditRow:
    """A row whose share may be at most `limit`; `todo` says what to do where it is not."""
    share = counted.share
    if share is None:
        return unmeasured(check, name, tried, "No two answers came that could be compared.")
    weak = share.value > limit
    return AuditRow(
        check=check,
        name=name,
        tried=tried,
        n=counted.n,
        moved=counted.moved,
        share=share,
        p=p,
        finding=finding(weak, counted.n),
        detail=detail,
        todo=f"At most {percent(limit, beside=share.value)} may. {todo}"
        if weak
        else too_few(counted.n),
    )


def unmeasured(
    check: AuditCheck,
    name: str,
    tried: str,
    why: str,
    *,
    n: int = 0,
    p: float | None = None,
    detail: str = "",
) -> AuditRow:
    """A row without a finding, and why."""
    return AuditRow(
        check=check,
        name=name,
        tried=tried,
        n=n,
        p=p,
        finding="not measured",
        detail=detail,
        todo=why,
    )


def finding(weak: bool, n: int) -> Finding:
    """Weak, or ok if `n` outputs are enough to say so."""
    if weak:
        return "weak"
    return "ok" if n >= MINIMUM_OUTPUTS else "not measured"


def too_few(n: int) -> str:
    """What to do where nothing was found in too small a sample; empty where it is large enough."""
    if n >= MINIMUM_OUTPUTS:
        return ""
    return f"{n} outputs are too few to call it ok; it takes {MINIMUM_OUTPUTS}: raise --count."


def nothing_tried(asked: Asked, probe: str) -> str:
    """Why a probe has nothing to tell."""
    if asked.plan.unseen(probe):
        return "The judge's prompt does not show the text that this changes."
    if asked.answers.moves(probe):
        return "It failed no output, so none could be made to pass."
    return asked.answers.error(probe) or "No answer came."


def shift_words(shift: Shift) -> str:
    """What a change did in either direction."""
    words = (
        f"{shift.to_pass.moved} of {shift.to_pass.n} fails became a pass, {shift.to_fail.moved} of "
        f"{shift.to_fail.n} passes a fail"
    )
    return f"{words}, {shift.lost} lost their verdict." if shift.lost else f"{words}."
