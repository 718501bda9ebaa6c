"""The documents that a reply cites."""

from evalkit.config.scorers import CitationsScorer
from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.score.expected import expected_texts
from evalkit.score.reply import without_reply
from evalkit.score.scorer import Judgement, Scorer
from evalkit.score.wording import show


class Citations(Scorer[tuple[str, ...]]):
    """Only documents that were retrieved are cited, and all of `expected.citations` are.

    A reply that cites nothing breaks nothing, so a case passes by this scorer alone only where it
    expects a citation.
    """

    kind = "citations"
    vacuous = True

    def __init__(self, config: CitationsScorer, *, label: str, gate: bool) -> None:
        """There is nothing to configure."""
        super().__init__(label=label, gate=gate)

    def expectation(self, case: Case) -> tuple[str, ...]:
        """`expected.citations`, empty where the case names none."""
        return expected_texts(case, "citations") or ()

    def is_asked_by(self, case: Case) -> bool:
        """Whether the case expects a citation."""
        return bool(case.expected.get("citations"))

    def judge(self, attempt: Attempt, expectation: tuple[str, ...]) -> Judgement:
        """Compare what is cited with what was retrieved and what is expected."""
        cited = attempt.citations
        missing = [each for each in dict.fromkeys(expectation) if each not in cited]
        invented = [each for each in cited if each not in attempt.documents]
        if attempt.output is None:
            message = f"expected citations of {show(list(expectation))}, {without_reply(attempt)}"
            return Judgement(passed=False, message=message, expected=list(expectation))
        faults = []
        if missing:
            faults.append(f"expected a citation of {', '.join(missing)}")
        if invented:
            faults.append(f"cites {', '.join(invented)}, which was not retrieved")
        if faults:
            return Judgement(
                passed=False,
                message=f"{'; '.join(faults)}; found {', '.join(cited) or 'none'}",
                expected=list(expectation),
                found=list(cited),
            )
        return Judgement(passed=True, message=f"cites {', '.join(cited) or 'nothing'}")
