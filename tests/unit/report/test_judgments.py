"""What a judge said of one attempt, call by call, wherever a case is shown."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evalkit.records.attempt import FailureMode
from evalkit.records.call import Usage
from evalkit.records.judgment import JudgmentState
from evalkit.report.judgments import judgment_lines, judgment_rows, judgment_words
from evalkit.report.screen import Screen
from evalkit.report.show import build_case_view, case_json, case_text
from tests.unit.report.conftest import MakeRun
from tests.unit.report.judged_run import (
    Verdicts,
    call,
    judge_part,
    judged_run,
    judgment,
    opinion,
    setting,
)

WIDE = Screen(width=100)
PLACE = ("routing", "candidate", "a", 1)
SAID: Verdicts = {"a": (True, False), "b": (True, "abstained")}
RECORDED = call(route="a model", model="", model_id="", origin="recording", usage=Usage())


def rows_of(said: Any, *calls: Any, **more: Any) -> list[tuple[str, str]]:
    return judgment_rows(judgment(PLACE, opinion(said, *calls, **more)))


def test_a_single_call_tells_verdict_reason_evidence_and_cost() -> None:
    assert rows_of(False) == [
        ("judge", "tone@v1: fail"),
        (
            "",
            "judge, gpt-4.1 (gpt-4.1-2025-04-14), asked; 450 tokens in, 50 out; $0.0050 list "
            "price, $0.0050 billed, 800 ms",
        ),
        ("", "reason: It blames the customer."),
        ("", "evidence (word for word in the output): “how often”"),
    ]


@pytest.mark.parametrize(
    ("quoted", "words"),
    [(False, "evidence (NOT in the output): “how often”"), (None, "evidence: “how often”")],
)
def test_evidence_that_is_no_quotation_says_so(quoted: bool | None, words: str) -> None:
    assert rows_of(False, call(passed=False, quoted=quoted))[-1] == ("", words)


def test_every_member_of_a_panel_is_told_apart() -> None:
    calls = [
        call(route="one"),
        call(passed=False, route="two", evidence="", reason=""),
        call("abstained", route="three", evidence="", reason=""),
    ]
    rows = rows_of(True, *calls, split=True)
    assert rows[0] == ("judge", "tone@v1: pass; its verdicts differ")
    labels = [(label, words.partition(";")[0]) for label, words in rows[1:] if label]
    assert labels == [
        ("call 1", "one, gpt-4.1 (gpt-4.1-2025-04-14), asked: pass"),
        ("call 2", "two, gpt-4.1 (gpt-4.1-2025-04-14), asked: fail"),
        ("call 3", "three, gpt-4.1 (gpt-4.1-2025-04-14), asked: no verdict, it cannot tell"),
    ]


def test_both_orders_of_a_pair_are_told_with_what_was_shown_first() -> None:
    calls = [call(order="first"), call(order="second", passed=None)]
    rows = rows_of(True, *calls)
    assert rows[0][1] == "tone@v1: better"
    assert "asked, this output first: better; " in rows[1][1]
    assert any("asked, the other output first: neither is better; " in words for _, words in rows)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("abstained", "no verdict, it cannot tell"),
        ("unparseable", "no verdict, its reply cannot be read"),
        ("refused", "no verdict, it refused"),
        ("error", "not judged, for an error"),
    ],
)
def test_what_is_no_verdict_is_never_a_fail(state: JudgmentState, words: str) -> None:
    failed = call(state, error="no reply within 60 s", failure_mode=FailureMode.TIMEOUT)
    rows = rows_of(state, failed)
    assert rows[0][1] == f"tone@v1: {words}"
    assert rows[-1] == ("", "error (timeout): no reply within 60 s")


def test_scores_and_answers_are_told() -> None:
    graded = judgment(PLACE, replace(opinion(True), score=4.0), scorer="tone_of_reply")
    assert judgment_words(graded) == "tone_of_reply (tone@v1): pass, score 4"
    answered = call(answers={"greets": True, "blames": False, "signs": None})
    assert rows_of(True, answered)[-1] == ("", "answers: greets yes, blames no, signs cannot tell")


def test_an_opinion_that_was_taken_over_says_that_nothing_was_asked() -> None:
    shared = judgment(PLACE, opinion(True), shared=True)
    assert judgment_words(shared) == (
        "tone@v1: pass; taken over from an equal output, nothing was asked"
    )


def test_a_recorded_verdict_took_nothing() -> None:
    assert rows_of(True, RECORDED)[1] == ("", "a model, recorded")


def test_on_a_page_the_judges_own_words_are_told_from_ours() -> None:
    lines = judgment_lines(judgment(PLACE, opinion(False)))
    assert [(words.partition(" ")[0], said) for words, said in lines] == [
        ("judge,", False),
        ("reason:", True),
        ("evidence", True),
    ]
    panel = judgment_lines(judgment(PLACE, opinion(True, call(), call())))
    assert next(words for words, said in panel if not said) == "tone@v1: pass"


@given(st.text(), st.text(), st.text())
def test_no_word_of_a_judge_is_obeyed_by_a_terminal(reason: str, evidence: str, name: str) -> None:
    said = call(reason=reason, evidence=evidence, model=name, answers={name: True})
    for _, words in judgment_rows(judgment(PLACE, opinion(True, said))):
        assert not {"\x1b", "\u202e", "\n", "\u2028"} & set(words)


def test_show_tells_what_judges_said_of_every_attempt(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, SAID, judge_part())
    page = case_text(build_case_view(run, "a", passes=passes), screen=WIDE)
    assert "             tone: fail (decides apart)\n" in page
    assert "  judge      tone@v1: fail\n" in page
    assert "             reason: It blames the customer.\n" in page
    # the score's own message says the same
    assert "fail: it blames the customer" not in page


def test_show_never_calls_what_has_no_verdict_a_fail(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, SAID, judge_part())
    page = case_text(build_case_view(run, "b", passes=passes), screen=WIDE)
    assert "tone: no verdict (decides apart)\n" in page
    assert "  judge      tone@v1: no verdict, it cannot tell\n" in page


def test_a_judge_that_requires_nothing_stays_advisory_in_show(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, SAID, judges=[setting(gate=False)])
    page = case_text(build_case_view(run, "a", passes=passes), screen=WIDE)
    assert "tone: fail (advisory)\n" in page


def test_the_view_as_json_has_the_judgments(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, SAID, judge_part())
    view = json.loads(case_json(build_case_view(run, "a", passes=passes)))
    (suite,) = view["suites"]
    assert suite["apart"] == ["tone"]
    stored = [each for each in run.judgments if each.case == "a"]
    assert [each["judgments"][0] for each in suite["attempts"]] == [
        json.loads(msgspec.json.encode(each)) for each in stored
    ]
