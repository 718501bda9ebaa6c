"""What a reply says: only a verdict of the asked form is one."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.records.asset import RubricScale
from evalkit.records.judgment import JudgeCall
from evalkit.score.judging.replies import (
    REASON_LENGTH,
    Said,
    UnreadableReply,
    combine_checklist,
    is_quoted,
    read_reply,
    stored_call,
    swapped,
)
from tests.unit.score.judging.judge_sessions import CHECKLIST, GRADED, rubric

PASS = '{"reason": "Kind.", "evidence": "Thank you", "verdict": "pass"}'
ITEMS = {"a": "A?", "b": "B?", "c": "C?"}


def read(text: str, **changes: Any) -> Said:
    """What a reply to a binary rubric says."""
    return read_reply(rubric(**changes), text)


def verdict(word: Any, **changes: Any) -> Said:
    """The same of a reply with this verdict."""
    return read(json.dumps({"reason": "", "evidence": "", "verdict": word}), **changes)


def score(written: str) -> Said:
    """The same on a graded scale; the score as it stands in the reply."""
    return read(f'{{"reason": "", "evidence": "", "score": {written}}}', scale=GRADED)


def unreadable(text: str, **changes: Any) -> str:
    """Why a reply holds no verdict."""
    with pytest.raises(UnreadableReply) as raised:
        read(text, **changes)
    return str(raised.value)


@pytest.mark.parametrize(
    ("word", "passed"), [("pass", True), ("fail", False), ("PASS", True), (" Fail \n", False)]
)
def test_a_verdict_may_have_spaces_and_capitals(word: str, passed: bool) -> None:
    said = verdict(word)
    assert (said.state, said.passed, said.score) == ("judged", passed, None)


def test_a_judge_that_cannot_tell_abstains() -> None:
    assert verdict("unsure") == Said(state="abstained")
    assert verdict("Unsure ") == Said(state="abstained")


@pytest.mark.parametrize(
    "word",
    [
        "passed", "pass.", "not pass", "pass or fail", "fail/pass", "", "tie", "first", "yes",
        True, False, 1, None, ["pass"], ["pass", "fail"], {"pass": True},
    ],
)  # fmt: skip
def test_what_is_none_of_the_asked_verdicts_is_none(word: Any) -> None:
    found = unreadable(json.dumps({"verdict": word}))
    assert found.startswith("expected a verdict (pass, fail, unsure), found ")


@given(st.text(max_size=12))
def test_no_other_word_is_ever_a_verdict(word: str) -> None:
    known = {"pass": True, "fail": False}
    try:
        said = verdict(word)
    except UnreadableReply:
        assert word.strip().casefold() not in (*known, "unsure")
    else:
        assert said.passed is known.get(word.strip().casefold())


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "pass", '"pass"', "null", "[]", "3", "true",
        PASS[:-1], PASS[:-8], PASS + PASS, PASS + " So it passes.", "Verdict: " + PASS,
        "[" + PASS + "]",
        "{'verdict': 'pass'}",
        '{"verdict": "pass",}',
        '{"verdict": "fail", "verdict": "pass"}',
        '{"verdict": "pass", "verdict": "pass"}',
        '{"reason": {"a": 1, "a": 2}, "verdict": "pass"}',
        '{"verdict": "pass", "confidence": NaN}',
        '{"verdict": "pass", "confidence": 1e999}',
        '{"reason": "\\ud800", "verdict": "pass"}',
        '{"verdict": "pass"}\x00',
        "{" * 5000,
        '{"verdict": ' + "[" * 5000,
        '{"reason": ' + "[" * 900 + "]" * 900 + "}",
        '{"verdict": ' + "[" * 900 + "]" * 900 + "}",
        '{"VERDICT": "pass"}',
        '{"verdict ": "pass"}',
        '{"answer": {"verdict": "pass"}}',
    ],
)  # fmt: skip
def test_what_is_not_one_object_with_one_verdict_is_unreadable(text: str) -> None:
    assert unreadable(text).startswith("expected ")


@given(st.integers(0, len(PASS) - 1))
def test_no_beginning_of_a_reply_is_a_verdict(length: int) -> None:
    unreadable(PASS[:length])


@given(st.text(min_size=1, max_size=10).filter(lambda text: text.strip(" \t\r\n")))
def test_text_after_the_object_makes_it_none(text: str) -> None:
    unreadable(PASS + text)


@pytest.mark.parametrize(
    "fence",
    [
        "```json\n{}\n```", "```\n{}\n```", "```JSON \n\n{}\n\n```\n", " \n```json\n{}\n  ``` ",
        "```json\r\n{}\r\n```\r\n", "\n{}\n", "{}",
    ],
)  # fmt: skip
def test_a_code_fence_around_the_whole_reply_is_no_part_of_it(fence: str) -> None:
    assert read(fence.replace("{}", PASS)).passed is True


@pytest.mark.parametrize(
    "fence",
    [
        "```json\n{}", "{}\n```", "```json\n{}\n```\nSo it passes.", "So:\n```json\n{}\n```",
        "```json\n{}\nSo it passes.",
        "```python\n{}\n```", "```json {}\n```", "~~~\n{}\n~~~",
        "```json\n{}\n```\n```json\n{}\n```",
    ],
)  # fmt: skip
def test_any_other_text_around_it_is(fence: str) -> None:
    unreadable(fence.replace("{}", PASS))


def test_a_reply_of_line_breaks_is_read_at_once() -> None:
    """Models that have to write JSON may not find an end of it."""
    started = time.process_time()
    for beginning in ("```json\n", "```", ""):
        unreadable(beginning + "\n " * 20_000 + "x")
    assert time.process_time() - started < 5


def test_further_keys_do_not_matter_and_reason_and_evidence_may_be_missing() -> None:
    said = read('{"verdict": "pass", "confidence": 0.3}')
    assert (said.state, said.reason, said.evidence) == ("judged", "", "")
    assert read('{"verdict": "pass", "reason": 3, "evidence": ["a"]}').reason == ""


def test_reason_and_evidence_become_one_line() -> None:
    said = read('{"reason": " So\\n it  is.", "evidence": "a\\tb", "verdict": "fail"}')
    assert (said.reason, said.evidence) == ("So it is.", "a b")


@pytest.mark.parametrize(
    ("word", "passed"), [("first", True), ("second", False), ("tie", None), (" Tie", None)]
)
def test_of_a_pair_one_is_better_or_none(word: str, passed: bool | None) -> None:
    said = verdict(word, compare="pair")
    assert (said.state, said.passed) == ("judged", passed)


@pytest.mark.parametrize("word", ["pass", "fail", "both", None])
def test_of_a_pair_nothing_passes(word: Any) -> None:
    with pytest.raises(UnreadableReply, match="first, second, tie, unsure"):
        verdict(word, compare="pair")


def test_what_is_said_of_the_first_output_is_turned_where_the_other_was_first() -> None:
    first, second, tie = (verdict(word, compare="pair") for word in ("first", "second", "tie"))
    assert swapped(first, "second").passed is False
    assert swapped(second, "second").passed is True
    assert swapped(tie, "second") == tie
    assert swapped(first, "first") == swapped(first, None) == first


@pytest.mark.parametrize(
    ("written", "value"), [("1", 1.0), ("5", 5.0), ("5.0", 5.0), ("3.25", 3.25), ("1e0", 1.0)]
)
def test_a_score_on_the_scale_is_judged_by_whoever_holds_the_threshold(
    written: str, value: float
) -> None:
    said = score(written)
    assert (said.state, said.score, said.passed) == ("judged", value, None)


@pytest.mark.parametrize(
    "written",
    [
        "0.99", "5.0001", "-3", "0", "1e999", "-1e999", "NaN", "Infinity", "true", "false",
        '"3"', '""', '"three"', "[3]", "{}", "9" * 400, "-" + "9" * 400, "9" * 6000,
    ],
)  # fmt: skip
def test_a_score_off_the_scale_or_of_another_kind_is_none(written: str) -> None:
    with pytest.raises(UnreadableReply):
        score(written)


def test_a_scale_from_zero_takes_zero() -> None:
    scale = RubricScale(kind="graded", lowest=0, highest=1)
    assert read('{"score": 0}', scale=scale).score == 0.0
    assert read('{"score": -0.0}', scale=scale).score == 0.0
    with pytest.raises(UnreadableReply):
        read('{"score": false}', scale=scale)


def test_a_score_of_null_abstains_and_a_missing_one_is_unreadable() -> None:
    assert score("null").state == "abstained"
    assert "expected a score from 1 to 5" in unreadable('{"reason": ""}', scale=GRADED)


def checked(**answers: Any) -> Said:
    """What answers to the two questions of a checklist say."""
    return read(json.dumps({"answers": answers}), scale=CHECKLIST)


def test_a_checklist_is_read_item_by_item() -> None:
    assert checked(greets="yes", short="Yes ") == Said(
        state="judged", passed=True, answers={"greets": True, "short": True}
    )
    assert checked(greets="yes", short="no").passed is False
    assert checked(greets=True, short=False).answers == {"greets": True, "short": False}


def test_an_open_answer_abstains_only_where_it_could_decide() -> None:
    assert checked(greets="yes", short="unsure").state == "abstained"
    assert checked(greets="yes", short="unsure").answers == {"greets": True, "short": None}
    assert checked(greets="no", short="unsure").passed is False


@pytest.mark.parametrize(
    "answers",
    [
        {}, {"greets": "yes"}, {"greets": "yes", "short": "yes", "kind": "yes"},
        {"greets": "yes", "Short": "yes"}, {"greets": "yes", "short": "maybe"},
        {"greets": "yes", "short": 1}, {"greets": "yes", "short": None},
        {"greets": "yes", "short": ["yes"]},
    ],
)  # fmt: skip
def test_missing_unknown_and_other_answers_make_the_whole_list_unreadable(
    answers: dict[str, Any],
) -> None:
    with pytest.raises(UnreadableReply):
        checked(**answers)


@pytest.mark.parametrize("answers", [None, [], ["yes", "yes"], "yes", {"a": {"greets": "yes"}}])
def test_answers_have_to_be_an_object_by_item(answers: Any) -> None:
    unreadable(json.dumps({"answers": answers}), scale=CHECKLIST)


def test_an_answer_given_twice_is_none() -> None:
    text = '{"answers": {"greets": "no", "greets": "yes", "short": "yes"}}'
    assert "greets" in unreadable(text, scale=CHECKLIST)


ANSWERS = st.fixed_dictionaries({key: st.sampled_from([True, False, None]) for key in ITEMS})


@given(ANSWERS, st.sampled_from(["all", "any", "at_least"]), st.integers(1, 3))
def test_a_checklist_is_open_exactly_where_open_answers_can_turn_it(
    answers: dict[str, bool | None], rule: Any, least: int
) -> None:
    scale = RubricScale(
        kind="checklist", items=ITEMS, rule=rule, at_least=least if rule == "at_least" else None
    )

    def holds(filled: bool) -> bool:
        yes = [filled if each is None else each for each in answers.values()]
        return {"all": all(yes), "any": any(yes), "at_least": sum(yes) >= least}[str(rule)]

    found = combine_checklist(scale, answers)
    assert found is (holds(True) if holds(True) == holds(False) else None)


@pytest.mark.parametrize(
    ("evidence", "output", "quoted"),
    [
        ("thank you", "Well, Thank   you!", True),
        ("“Thank you”", "Thank you!", True),
        ("Thank you…", "Thank you!", True),
        ("thank them", "Thank you!", False),
        ("", "Thank you!", None),
        (" … ", "Thank you!", None),
        ("kind", {"reply": ["It is kind."], "n": 3}, True),
        ("reply", {"reply": "It is kind."}, False),  # a key is no word of the output
        ("kind", None, False),
        ("3", {"n": 3}, True),
        ("e\u0301t\u00e9", "\u00e9te\u0301", True),
    ],
)
def test_evidence_is_looked_for_in_the_output(
    evidence: str, output: Any, quoted: bool | None
) -> None:
    assert is_quoted(evidence, output) is quoted


def test_texts_are_clipped_for_the_journal() -> None:
    call = JudgeCall(route="judge", state="judged", reason="r" * 5000, evidence="e" * 5000)
    stored = stored_call(call)
    assert (stored.reason, stored.evidence) == ("r" * REASON_LENGTH, "e" * REASON_LENGTH)


def test_what_was_expected_can_be_told_without_quoting_the_reply() -> None:
    with pytest.raises(UnreadableReply) as raised:
        verdict("ada@example.org")
    assert "example" in str(raised.value)
    assert raised.value.expected == "expected a verdict (pass, fail, unsure)"
