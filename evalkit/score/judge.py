"""The score of a judge: what it said of an attempt, read from its judgment."""

from typing import Any

from evalkit.records.asset import Rubric
from evalkit.records.attempt import Attempt
from evalkit.records.case import Case, Document
from evalkit.records.judgment import Judgment, Opinion, Subject
from evalkit.records.subject import subject_id
from evalkit.score.scorer import Judgement, Scorer, ScorerError, Unscored
from evalkit.score.wording import one_line, stored


class JudgeScorer(Scorer[bool]):
    """A rubric's judge. It decides no case: its corrected drop is a part of the verdict.

    `part_gates` tells whether that part does.
    """

    kind = "judge"

    def __init__(self, rubric: Rubric, *, label: str, gate: bool) -> None:
        """`gate` is the suite's: of the part, as no score of a judge gates."""
        super().__init__(label=label, gate=False)
        self.rubric = rubric
        self.part_gates = gate

    def expectation(self, case: Case) -> bool | None:
        """Every case is judged, unless the rubric needs a reference that the case has not."""
        if self.rubric.reference == "required" and reference_of(case) is None:
            return None
        return True

    def is_asked_by(self, case: Case) -> bool:
        """The suite says it for every case."""
        return False

    def judge(self, attempt: Attempt, expectation: bool) -> Judgement:
        """Raises ScorerError: without its judgment an attempt is not judged yet."""
        raise ScorerError("not judged yet")

    def read(self, attempt: Attempt, case: Case, judgment: Judgment | None) -> Judgement | Unscored:
        """The score of an attempt with a result, by its judgment."""
        if self.rubric.compare == "pair" and attempt.variant != "candidate":
            return Unscored("not_applicable", "a pair is judged at its candidate")
        if judgment is not None:
            return _read(judgment.opinion, self.rubric)
        if self.rubric.compare == "pair" or needs_judgment(attempt, case, self.rubric):
            return Unscored("error", "not judged yet")
        return Judgement(
            passed=False, message=f"{attempt.state} without a text, so there is nothing to judge"
        )


def needs_judgment(attempt: Attempt, case: Case, rubric: Rubric) -> bool:
    """Whether a judge has to be asked: there is an answer, and the rubric applies to the case.

    What has no answer is a fail that nobody has to be asked about.
    """
    if rubric.reference == "required" and reference_of(case) is None:
        return False
    return attempt.state == "answered" and bool((attempt.output or "").strip())


def known_of_pair(attempt: Attempt, other: Attempt, case: Case, rubric: Rubric) -> Opinion | None:
    """What is known of a pair without asking: an answer is better than none, and equal outputs, or
    none on either side, are a tie. None where a judge has to tell, or a side has no result yet."""
    if "error" in (attempt.state, other.state):
        return None
    answered = needs_judgment(attempt, case, rubric)
    if answered != needs_judgment(other, case, rubric):
        return Opinion(state="judged", passed=answered)
    if answered and subject_id(subject_of(attempt, case, rubric)) != subject_id(
        subject_of(other, case, rubric)
    ):
        return None
    return Opinion(state="judged")


def subject_of(
    attempt: Attempt, case: Case, rubric: Rubric, other: Attempt | None = None
) -> Subject:
    """What the judge is shown of an attempt; `other` is the output that a pair compares it with.

    Documents are those that were retrieved, and only where the rubric's prompt shows them: what a
    judge does not see may differ without asking it again.
    """
    documents: tuple[Document, ...] = ()
    if "documents" in rubric.prompt:
        documents = tuple(each for each in case.documents if each.id in attempt.documents)
    return Subject(
        input=case.input,
        output=_output(attempt),
        reference=None if rubric.reference == "none" else reference_of(case),
        documents=documents,
        other=None if other is None else _output(other),
    )


def reference_of(case: Case) -> str | None:
    """The case's reference answer, None without one."""
    found = case.expected.get("reference")
    return found if isinstance(found, str) and found.strip() else None


def _output(attempt: Attempt) -> Any:
    return attempt.output if attempt.parsed is None else attempt.parsed


def _read(opinion: Opinion, rubric: Rubric) -> Judgement | Unscored:
    why = _why(opinion)
    if opinion.state == "error":
        return Unscored("error", f"not judged: {why}")
    if opinion.state != "judged":
        return Unscored(
            opinion.state,
            f"{_NO_VERDICT[opinion.state]}: {why}" if why else _NO_VERDICT[opinion.state],
        )
    found: dict[str, Any] = {"score": opinion.score} if opinion.score is not None else {}
    quoted = [call.evidence for call in opinion.calls if call.evidence]
    if quoted:
        found["evidence"] = stored(quoted[0])
    words = _verdict_words(opinion, rubric)
    return Judgement(
        passed=opinion.passed,
        message=f"{words}: {why}" if why else words,
        found=found or None,
    )


_NO_VERDICT = {
    "abstained": "the judge could not tell",
    "unparseable": "the judge's reply holds no verdict",
    "refused": "the judge refused",
}


def _verdict_words(opinion: Opinion, rubric: Rubric) -> str:
    if opinion.score is not None:
        word = "pass" if opinion.passed else "fail"
        return f"{word} with {opinion.score:g} of {rubric.scale.highest:g}"
    if rubric.compare == "pair":
        return {True: "better", False: "worse", None: "neither is better"}[opinion.passed]
    return "pass" if opinion.passed else "fail"


def _why(opinion: Opinion) -> str:
    """The reason of the call that tells one, or what went wrong."""
    if opinion.state == "abstained" and opinion.split:
        told = [_side(call.passed) for call in opinion.calls if call.state == "judged"]
        return f"its verdicts differ ({', '.join(told)})"
    for call in opinion.calls:
        if call.state == opinion.state and (words := call.reason or call.error):
            return one_line(words, 160)
    return ""


def _side(passed: bool | None) -> str:
    return {True: "pass", False: "fail", None: "tie"}[passed]
