"""What judges said about an output: a line of `judgments.jsonl`."""

from typing import Any, Literal

import msgspec

from evalkit.records.attempt import FailureMode, Place, VariantName
from evalkit.records.call import Decision, Origin, Usage, Usd
from evalkit.records.case import Document

JudgmentState = Literal["judged", "abstained", "unparseable", "refused", "error"]
"""judged: there is a verdict. abstained: the judge cannot tell, or its panel or both orders of a
pair disagree. unparseable: the reply holds no verdict of the asked form. refused: the model would
not answer. error: infrastructure, so that nothing was said. Only judged can pass."""

Order = Literal["first", "second"]


class Subject(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What a judge is shown: data, never instructions.

    `output` is the reply's JSON where it is JSON, else its text. `reference` is the case's
    `expected.reference`. For a pair `other` is the output that `output` is compared with: a verdict
    of pass then says that `output` is the better one.
    """

    input: dict[str, Any]
    output: Any
    reference: str | None = None
    documents: tuple[Document, ...] = ()
    other: Any = None


class JudgeCall(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One question to one judge of a rubric: a member of a panel, or one order of a pair.

    `route` is the route it took (for recorded verdicts, their name). `order` tells which output of
    a pair was shown first: the subject's `output` (first) or its `other` (second). `passed` and
    `score` are about the subject's `output` in either order. `answers` are those of a checklist:
    None where the judge could not tell. `quoted` tells whether the evidence occurs in the output.
    Texts are redacted and clipped. `decisions` are the control session's trace of the call,
    `latency_s` is the provider's.
    """

    route: str
    state: JudgmentState
    passed: bool | None = None
    score: float | None = None
    reason: str = ""
    evidence: str = ""
    quoted: bool | None = None
    answers: dict[str, bool | None] = {}
    order: Order | None = None
    key: str = ""
    model: str = ""
    model_id: str = ""
    origin: Origin | None = None
    usage: Usage = Usage()
    cost_usd: Usd | None = None
    billed_usd: Usd = 0.0
    latency_s: float | None = None
    error: str | None = None
    failure_mode: FailureMode | None = None
    decisions: tuple[Decision, ...] = ()


class RecordedVerdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a judge elsewhere said of one output; `passed` or, on a graded scale, `score`."""

    state: JudgmentState = "judged"
    passed: bool | None = None
    score: float | None = None
    reason: str = ""


class Opinion(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What a rubric's judge says about one subject, its calls taken together.

    `score` is on the rubric's scale, the mean of a panel's; whether it passes depends on the
    threshold, so for a graded scale `passed` is by the threshold that was in force. `split` tells
    that calls which had a verdict differ (None for a single call).
    """

    state: JudgmentState
    passed: bool | None = None
    score: float | None = None
    split: bool | None = None
    calls: tuple[JudgeCall, ...] = ()

    @property
    def cost_usd(self) -> float:
        """List price of its calls."""
        return sum(call.cost_usd or 0.0 for call in self.calls)

    @property
    def billed_usd(self) -> float:
        """What this run was charged for them."""
        return sum(call.billed_usd for call in self.calls)


class Judgment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One judge scorer on one attempt: a line of `judgments.jsonl`.

    `rubric` is a reference, `judge` the digest of who judged and how, `subject` the id of what was
    judged: attempts with one subject share one opinion, and `shared` marks those that did not ask.
    A pair is stored at its candidate's place.
    """

    at: str
    suite: str
    variant: VariantName
    case: str
    trial: int
    scorer: str
    rubric: str
    judge: str
    subject: str
    opinion: Opinion
    shared: bool = False

    @property
    def place(self) -> Place:
        """The place of its attempt."""
        return self.suite, self.variant, self.case, self.trial
