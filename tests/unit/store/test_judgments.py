"""What judges said, in the journal: whole lines, the last one counts, its cost is the run's."""

from collections.abc import Callable
from typing import Any

import pytest

from evalkit.errors import StoreError
from evalkit.records.call import Usage
from evalkit.records.judgment import JudgeCall, Judgment, Opinion
from evalkit.store.bundle import Bundle

Build = Callable[..., Any]
USAGE = Usage(input_tokens=90, output_tokens=10)


def call(**changes: Any) -> JudgeCall:
    """A call that a model answered."""
    return JudgeCall(
        **{
            "route": "judge",
            "state": "judged",
            "passed": True,
            "origin": "live",
            "usage": USAGE,
            "billed_usd": 0.25,
            **changes,
        }
    )


def judgment(*calls: JudgeCall, passed: bool = True, **changes: Any) -> Judgment:
    """What a judge said of an attempt."""
    return Judgment(
        **{
            "at": "2026-11-24T19:33:05+00:00",
            "suite": "triage",
            "variant": "candidate",
            "case": "t-1",
            "trial": 1,
            "scorer": "tone",
            "rubric": "tone@v1",
            "judge": "sha256:1",
            "subject": "0" * 16,
            "opinion": Opinion(state="judged", passed=passed, calls=calls or (call(),)),
            **changes,
        }
    )


def test_a_judgment_is_on_disk_before_append_returns(bundle: Bundle) -> None:
    with bundle.journal() as journal:
        journal.append_judgment(judgment())
        assert Bundle(bundle.path).judgments() == (judgment(),)


def test_a_run_without_a_judge_has_no_file_for_it(bundle: Bundle, attempt: Build) -> None:
    with bundle.journal() as journal:
        journal.append(attempt())
    assert not (bundle.path / "judgments.jsonl").exists()
    assert bundle.judgments() == ()


def test_every_field_of_a_judgment_comes_back(bundle: Bundle) -> None:
    whole = judgment(
        call(
            passed=None, score=2.5, reason="naïve\u2028", evidence="x", quoted=False,
            answers={"a": True, "b": None}, order="second", key="k", model="m", model_id="m-1",
            cost_usd=0.5, latency_s=0.1,
        ),
        JudgeCall(route="b", state="error", error="late"),
        shared=True,
    )  # fmt: skip
    with bundle.journal() as journal:
        journal.append_judgment(whole)
    assert bundle.judgments() == (whole,)


def test_the_last_judgment_of_a_scorer_and_place_is_the_one_that_counts(bundle: Bundle) -> None:
    with bundle.journal() as journal:
        journal.append_judgment(judgment(passed=False))
        journal.append_judgment(judgment(scorer="short", passed=False))
        journal.append_judgment(judgment(trial=2, passed=False))
        journal.append_judgment(judgment(passed=True))
    found = {(each.scorer, each.trial): each.opinion.passed for each in bundle.judgments()}
    assert found == {("tone", 1): True, ("short", 1): False, ("tone", 2): False}


def test_a_torn_last_line_is_left_out_and_cut_by_the_next_writer(bundle: Bundle) -> None:
    path = bundle.path / "judgments.jsonl"
    with bundle.journal() as journal:
        journal.append_judgment(judgment())
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-30])
    assert bundle.judgments() == (judgment(),)
    assert bundle.spent() == (0.25, 100)
    with bundle.journal() as journal:
        journal.append_judgment(judgment(trial=2))
    assert [each.trial for each in bundle.judgments()] == [1, 2]
    assert path.read_bytes().startswith(whole)


@pytest.mark.parametrize("line", [b"{}\n", b"\xff\n", b'{"at": 1}\n'])
def test_a_line_that_evalkit_did_not_write_is_told_with_its_number(
    bundle: Bundle, line: bytes
) -> None:
    with bundle.journal() as journal:
        journal.append_judgment(judgment())
    with (bundle.path / "judgments.jsonl").open("ab") as file:
        file.write(line)
    for read in (bundle.judgments, bundle.spent):
        with pytest.raises(StoreError, match=r"judgments\.jsonl:2: not a line"):
            read()


def test_what_judges_spent_is_part_of_what_the_run_spent(bundle: Bundle, attempt: Build) -> None:
    with bundle.journal() as journal:
        journal.append(attempt(origin="live", billed_usd=1.0, usage=USAGE))
        journal.append_judgment(judgment(call(), call()))
    assert bundle.spent() == (1.5, 300)


def test_what_was_taken_over_or_replayed_was_not_spent(bundle: Bundle) -> None:
    with bundle.journal() as journal:
        journal.append_judgment(judgment(shared=True))
        journal.append_judgment(judgment(call(origin="cache", billed_usd=0.0), case="t-2"))
        journal.append_judgment(judgment(call(origin="recording", billed_usd=0.0), case="t-3"))
    assert bundle.spent() == (0.0, 0)


def test_a_call_whose_reply_was_lost_is_spent_and_so_is_one_that_was_made_again(
    bundle: Bundle,
) -> None:
    lost = call(state="error", passed=None, origin=None, usage=Usage(), billed_usd=0.75)
    with bundle.journal() as journal:
        journal.append_judgment(judgment(lost))
        journal.append_judgment(judgment())
    assert bundle.spent() == (1.0, 100)
    assert len(bundle.judgments()) == 1


def test_a_judgment_that_no_file_holds_is_told_and_leaves_the_journal_whole(
    bundle: Bundle,
) -> None:
    with bundle.journal() as journal:
        journal.append_judgment(judgment())
        with pytest.raises(UnicodeEncodeError):
            journal.append_judgment(judgment(call(reason="\ud800")))
        journal.append_judgment(judgment(trial=2))
    assert len(bundle.judgments()) == 2
