"""The score of a judge: read from its judgment, decides no case, never passes without a verdict."""

from typing import Any, get_args

import msgspec
import pytest

from evalkit.errors import ConfigError
from evalkit.records.asset import Rubric
from evalkit.records.attempt import Attempt, AttemptState, FailureMode
from evalkit.records.case import Case, Document
from evalkit.records.judgment import JudgeCall, Judgment, JudgmentState, Opinion
from evalkit.records.score import Score
from evalkit.score.failure import failure_mode_of
from evalkit.score.judge import (
    JudgeScorer,
    known_of_pair,
    needs_judgment,
    reference_of,
    subject_of,
)
from evalkit.score.registry import build_scorers
from evalkit.score.scoring import attempt_passed, case_problems, score_attempt
from evalkit.score.state import nothing_decides
from tests.unit.score.judging.judge_sessions import GRADED, rubric
from tests.unit.score.samples import answer, answer_calls, answer_json, call, case

JUDGE: dict[str, Any] = {"judge": "tone@v1"}
EXACT: dict[str, Any] = {"exact": {}}
KIND = answer("Thank you.")


def judgment(opinion: Opinion) -> Judgment:
    """What a judge said of the usual attempt."""
    return Judgment(
        at="2026-11-24T12:00:01Z",
        suite="desk",
        variant="candidate",
        case="c-1",
        trial=1,
        scorer="tone",
        rubric="tone@v1",
        judge="sha256:1",
        subject="0" * 16,
        opinion=opinion,
    )


def opinion(state: JudgmentState = "judged", passed: bool | None = True, **more: Any) -> Opinion:
    """An opinion by one call, whose fields besides the verdict are `more`."""
    if state != "judged":
        passed = None
    score = more.pop("score", None)
    one = JudgeCall(route="judge", state=state, passed=passed, score=score, **more)
    return Opinion(state=state, passed=passed, score=score, calls=(one,))


def scores(
    entries: list[dict[str, Any]],
    attempt: Attempt = KIND,
    expecting: Case | None = None,
    said: Opinion | None = None,
    judged_by: Rubric | None = None,
) -> tuple[Score, ...]:
    """Every score of an attempt; the judge's label is `tone`."""
    built = build_scorers(entries, {}, {"tone": judged_by or rubric()})
    judgments = {} if said is None else {"tone": judgment(said)}
    return score_attempt(built, attempt, expecting or case(), judgments)


def read(said: Opinion | None, attempt: Attempt = KIND, **more: Any) -> Score:
    """The judge's score."""
    return scores([JUDGE], attempt, said=said, **more)[1]


@pytest.mark.parametrize(("passed", "word"), [(True, "pass"), (False, "fail")])
def test_a_verdict_is_the_score_with_its_reason(passed: bool, word: str) -> None:
    found = read(opinion(passed=passed, reason="So it is.", evidence="Thank you"))
    assert (found.scorer, found.kind, found.state) == ("tone", "judge", "scored")
    assert found.passed is passed
    assert found.message == f"{word}: So it is."
    assert found.found == {"evidence": "Thank you"}


def test_a_verdict_without_a_reason_is_a_word() -> None:
    found = read(opinion())
    assert (found.message, found.found) == ("pass", None)


@pytest.mark.parametrize(
    ("score", "passed", "message"),
    [(4.0, True, "pass with 4 of 5"), (2.25, False, "fail with 2.25 of 5")],
)
def test_a_graded_verdict_tells_its_score(score: float, passed: bool, message: str) -> None:
    found = read(opinion(passed=passed, score=score), judged_by=rubric(scale=GRADED))
    assert (found.passed, found.message, found.found) == (passed, message, {"score": score})


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("abstained", "the judge could not tell"),
        ("unparseable", "the judge's reply holds no verdict: no JSON"),
        ("refused", "the judge refused: no JSON"),
        ("error", "not judged: no JSON"),
    ],
)
def test_a_state_without_a_verdict_is_no_pass_and_no_fail(state: Any, words: str) -> None:
    error = None if state == "abstained" else "no JSON"
    found = read(opinion(state, error=error))
    assert (found.state, found.passed, found.message) == (state, None, words)


def test_every_state_of_an_opinion_is_a_state_of_a_score() -> None:
    for state in get_args(JudgmentState):
        found = read(opinion(state))
        assert (found.passed is True) is (state == "judged")


def test_verdicts_that_differ_are_told() -> None:
    calls = tuple(
        JudgeCall(route="judge", state="judged", passed=passed, reason="Long reason.")
        for passed in (True, False, None)
    )
    found = read(Opinion(state="abstained", split=True, calls=calls))
    assert found.message == "the judge could not tell: its verdicts differ (pass, fail, tie)"


def test_the_reason_is_that_of_a_call_with_the_opinions_state() -> None:
    calls = (
        JudgeCall(route="a", state="error", error="late"),
        JudgeCall(route="b", state="judged", passed=True, reason="It thanks.\nNicely."),
        JudgeCall(route="c", state="judged", passed=True, reason="Other."),
    )
    found = read(Opinion(state="judged", passed=True, split=False, calls=calls))
    assert found.message == "pass: It thanks. Nicely."


@pytest.mark.parametrize(
    ("passed", "word"), [(True, "better"), (False, "worse"), (None, "neither is better")]
)
def test_of_a_pair_the_candidate_is_better_worse_or_neither(passed: bool | None, word: str) -> None:
    found = read(opinion(passed=passed), judged_by=rubric(compare="pair"))
    assert (found.state, found.passed, found.message) == ("scored", passed, word)


def test_a_pair_is_judged_at_its_candidate_alone() -> None:
    found = read(None, answer("Thanks.", variant="baseline"), judged_by=rubric(compare="pair"))
    assert found.state == "not_applicable"


def test_an_answer_that_was_not_judged_yet_is_an_error() -> None:
    found = read(None)
    assert (found.state, found.passed, found.message) == ("error", None, "not judged yet")


@pytest.mark.parametrize(
    "attempt",
    [
        answer(None, state="blocked", rule="max_tool_calls"),
        answer("Held back.", state="blocked", rule="max_tokens"),
        answer("I cannot.", state="refused"),
        answer("{", state="invalid"),
        answer(""),
        answer(" \n"),
        answer_calls(call("file")),
    ],
    ids=str,
)
def test_what_has_no_answer_fails_without_asking(attempt: Attempt) -> None:
    assert not needs_judgment(attempt, case(), rubric())
    found = read(None, attempt)
    assert (found.state, found.passed) == ("scored", False)
    assert found.message == f"{attempt.state} without a text, so there is nothing to judge"


def test_an_attempt_without_a_result_is_an_error_of_the_judge_too() -> None:
    lost = answer(None, state="error", failure_mode=FailureMode.TIMEOUT, error="late")
    assert not needs_judgment(lost, case(), rubric())
    found = read(None, lost)
    assert (found.state, found.passed) == ("error", None)
    assert "timeout" in found.message


def test_a_case_that_a_policy_stopped_as_expected_is_not_judged() -> None:
    stopped = answer(None, state="blocked", rule="policies.x")
    assert read(None, stopped, expecting=case(blocked=True)).state == "not_applicable"
    assert read(None, stopped).passed is False


@pytest.mark.parametrize("reference", [None, "", "  ", 3])
def test_a_rubric_that_needs_a_reference_applies_to_no_case_without_one(reference: Any) -> None:
    needing = rubric(reference="required")
    bare = case(reference=reference)
    assert reference_of(bare) is None
    assert not needs_judgment(KIND, bare, needing)
    assert read(None, expecting=bare, judged_by=needing).state == "not_applicable"
    written = case(reference="Thanks a lot.")
    assert needs_judgment(KIND, written, needing)
    assert read(opinion(), expecting=written, judged_by=needing).passed is True


def test_a_judge_decides_no_case() -> None:
    for said, passed in ((opinion(passed=False), True), (opinion(passed=True), False)):
        attempt = answer("yes" if passed else "no")
        found = scores([EXACT, JUDGE], attempt, case(output="yes"), said)
        assert found[2].gate is False
        assert attempt_passed(found, attempt, fallback="error") is passed


@pytest.mark.parametrize("state", get_args(JudgmentState))
def test_a_judge_without_a_verdict_leaves_the_case_as_it_is(state: JudgmentState) -> None:
    found = scores([EXACT, JUDGE], answer("yes"), case(output="yes"), opinion(state))
    assert attempt_passed(found, answer("yes"), fallback="error") is True
    assert failure_mode_of(answer("yes"), found, fallback="error") is None


def test_in_a_suite_with_only_a_judge_a_case_passes_by_being_answered() -> None:
    for said in (opinion(passed=True), opinion(passed=False), opinion("abstained"), None):
        found = scores([JUDGE], said=said)
        assert found[0].passed is True
        assert attempt_passed(found, KIND, fallback="error") is True


@pytest.mark.parametrize("state", [each for each in get_args(AttemptState) if each != "answered"])
def test_in_a_suite_with_only_a_judge_no_other_end_passes(state: AttemptState) -> None:
    attempt = answer("Thank you.", state=state)
    found = scores([JUDGE], attempt)
    wanted = None if state == "error" else False
    assert attempt_passed(found, attempt, fallback="error") is wanted
    assert failure_mode_of(attempt, found, fallback="error") is not None


def test_a_judge_that_only_informs_decides_nothing() -> None:
    informing = JUDGE | {"gate": False}
    built = build_scorers([informing], {}, {"tone": rubric()})
    assert nothing_decides(built, case())
    found = scores([informing], said=opinion())
    assert found[0].state == "error"
    assert attempt_passed(found, KIND, fallback="error") is None
    assert case_problems(built, case())


def test_a_case_that_the_only_judge_does_not_apply_to_is_decided_by_nothing() -> None:
    built = build_scorers([JUDGE], {}, {"tone": rubric(reference="required")})
    assert nothing_decides(built, case())
    assert not nothing_decides(built, case(reference="Thanks."))
    assert not nothing_decides(built, case(blocked=True))


def test_the_gate_of_a_judge_is_that_of_its_part() -> None:
    for gate in (True, False):
        (judge,) = build_scorers([JUDGE | {"gate": gate}], {}, {"tone": rubric()})
        assert isinstance(judge, JudgeScorer)
        assert (judge.gate, judge.part_gates) == (False, gate)


def test_two_judges_are_told_apart_by_name() -> None:
    entries = [JUDGE, JUDGE | {"name": "again"}]
    built = build_scorers(entries, {}, {"tone": rubric(), "again": rubric(version=2)})
    assert [each.label for each in built] == ["tone", "again"]
    with pytest.raises(ConfigError, match="another does"):
        build_scorers([JUDGE, JUDGE], {}, {"tone": rubric()})


def test_a_judge_without_its_rubric_is_refused() -> None:
    with pytest.raises(ConfigError, match="the rubric tone@v1 is not there"):
        build_scorers([JUDGE], {})


def test_a_subject_is_the_json_of_a_reply_or_its_text() -> None:
    assert subject_of(answer(" Thank you. "), case(), rubric()).output == " Thank you. "
    assert subject_of(answer_json({"reply": "x"}), case(), rubric()).output == {"reply": "x"}
    # a text that happens to be JSON is a text where the prompt asks for none
    assert subject_of(answer('{"a": 1}'), case(), rubric()).output == '{"a": 1}'


def test_a_subject_has_the_reference_unless_the_rubric_wants_none() -> None:
    written = case(reference="Thanks.")
    assert subject_of(KIND, written, rubric()).reference == "Thanks."
    assert subject_of(KIND, written, rubric(reference="none")).reference is None
    assert subject_of(KIND, case(), rubric()).reference is None


def test_documents_are_shown_where_the_prompt_reads_them_and_they_were_retrieved() -> None:
    documents = tuple(Document(id=each, index="kb", text=each) for each in ("d1", "d2"))
    had = msgspec.structs.replace(case(), documents=documents)
    attempt = answer("x", documents=("d2",))
    reading = rubric("{{ output }}{% for d in documents %}{{ d.text }}{% endfor %}")
    assert subject_of(attempt, had, reading).documents == documents[1:]
    assert subject_of(attempt, had, rubric()).documents == ()


def test_a_pair_is_the_candidates_output_against_the_other() -> None:
    pair = subject_of(KIND, case(), rubric(compare="pair"), answer_json({"a": 1}))
    assert (pair.output, pair.other) == ("Thank you.", {"a": 1})


PAIR = rubric(compare="pair")


@pytest.mark.parametrize(
    ("mine", "theirs", "passed"),
    [
        (KIND, answer("", state="refused"), True),
        (answer("", state="refused"), KIND, False),
        (answer("", state="refused"), answer("", state="invalid"), None),
        (KIND, answer("Thank  you.\n"), None),
    ],
)
def test_of_a_pair_some_things_are_known_without_asking(
    mine: Attempt, theirs: Attempt, passed: bool | None
) -> None:
    known = known_of_pair(mine, theirs, case(), PAIR)
    assert known is not None
    assert (known.state, known.passed, known.calls) == ("judged", passed, ())


def test_of_a_pair_a_judge_tells_which_answer_is_better() -> None:
    assert known_of_pair(KIND, answer("Go away."), case(), PAIR) is None


def test_of_a_pair_nothing_is_known_while_a_side_has_no_result() -> None:
    lost = answer("", state="error")
    assert known_of_pair(KIND, lost, case(), PAIR) is None
    assert known_of_pair(lost, KIND, case(), PAIR) is None
