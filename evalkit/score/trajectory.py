"""The way that a workflow took: its calls of tools and its retrievals, in order."""

from typing import Any, Literal

import msgspec

from evalkit.config.scorers import TrajectoryScorer
from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.score.acts import Act, Outcome, acts_of
from evalkit.score.matchers import check_matchers, matches
from evalkit.score.pairing import pair_in_any_order, pair_in_order, precision_recall_f1
from evalkit.score.scorer import Judgement, Scorer, ScorerError
from evalkit.score.wording import clip, listed


class ExpectedAct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `expected.trajectory`: a tool or an index.

    `arguments` are a tool's, as in `expected.tool_calls`; any will do without them. `outcome` is
    how the act has to end; done or failed (it was made) without it.
    """

    tool: str | None = None
    retrieve: str | None = None
    arguments: dict[str, Any] | None = None
    outcome: Outcome | None = None

    @property
    def kind(self) -> Literal["tool", "retrieval"]:
        """What the act is."""
        return "tool" if self.tool is not None else "retrieval"

    def fits(self, act: Act) -> bool:
        """Whether an act is this one."""
        if (self.kind, self.tool or self.retrieve) != (act.kind, act.name):
            return False
        ended = act.outcome != "denied" if self.outcome is None else act.outcome == self.outcome
        return ended and (
            self.arguments is None
            or (act.arguments is not None and matches(self.arguments, act.arguments))
        )

    def __str__(self) -> str:
        """As messages name it."""
        name = self.tool if self.tool is not None else f"retrieval from {self.retrieve}"
        return f"{name} ({self.outcome})" if self.outcome else f"{name}"


class Trajectory(Scorer[tuple[ExpectedAct, ...]]):
    """The workflow took the expected way.

    ordered: the expected acts come in this order, others may stand between them. any: they come, in
    whatever order. exact: they and no others, in this order.
    """

    kind = "trajectory"

    def __init__(self, config: TrajectoryScorer, *, label: str, gate: bool) -> None:
        """`config.match` says how strictly."""
        super().__init__(label=label, gate=gate)
        self._match = config.match

    def expectation(self, case: Case) -> tuple[ExpectedAct, ...] | None:
        """`expected.trajectory`; an empty list expects, of exact, that nothing is done."""
        acts = case.expected.get("trajectory")
        if acts is None:
            return None
        try:
            wanted = msgspec.convert(acts, tuple[ExpectedAct, ...])
        except msgspec.ValidationError as error:
            raise ScorerError(
                f"expected.trajectory is a list of {{tool, arguments}} and {{retrieve}}: {error}"
            ) from None
        for number, act in enumerate(wanted, 1):
            if (act.tool is None) == (act.retrieve is None):
                raise ScorerError(
                    f"act {number} of expected.trajectory: tool or retrieve, not both"
                )
            check_matchers(act.arguments)
        if not wanted and self._match != "exact":
            raise ScorerError("expected.trajectory is empty, which every way fits")
        return wanted

    def is_asked_by(self, case: Case) -> bool:
        """Always: only `expected` says which way."""
        return True

    def judge(self, attempt: Attempt, expectation: tuple[ExpectedAct, ...]) -> Judgement:
        """Compare the way that was taken."""
        acts = acts_of(attempt)
        pair = pair_in_any_order if self._match == "any" else pair_in_order
        pairs = pair(expectation, acts, ExpectedAct.fits)
        measures = precision_recall_f1(len(pairs), len(expectation), len(acts))
        faults = [f"expected {act}" for i, act in enumerate(expectation) if i not in pairs]
        if self._match == "exact":
            paired = set(pairs.values())
            faults += [f"unexpected {act.name}" for j, act in enumerate(acts) if j not in paired]
        if not faults:
            way = " → ".join(map(str, expectation)) or "nothing"
            return Judgement(passed=True, message=clip(f"{way} as expected"), measures=measures)
        way = " → ".join(_told(act) for act in acts) or "nothing"
        return Judgement(
            passed=False,
            message=clip(f"{listed(faults)}; found {way}", 300),
            expected=[str(act) for act in expectation],
            found=[_told(act) for act in acts],
            measures=measures,
        )


def _told(act: Act) -> str:
    return act.name if act.outcome == "done" else f"{act.name} ({act.outcome})"
