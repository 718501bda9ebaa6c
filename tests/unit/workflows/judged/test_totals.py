"""What judging cost, apart from what is tested."""

from typing import Any

import pytest

from evalkit.records.call import Usage
from evalkit.records.judgment import JudgeCall, Judgment, Opinion
from evalkit.records.run import JudgingTotals
from evalkit.workflows.judged.totals import judging_totals
from tests.unit.workflows.judged.judged_suites import JudgedSuite

SNAPSHOT = JudgedSuite({"candidate": ["P"]}).snapshot


def judgment(*calls: JudgeCall, **changes: Any) -> Judgment:
    """A judgment with these calls."""
    return Judgment(
        **{
            "at": "", "suite": "mail", "variant": "candidate", "case": "m0", "trial": 1,
            "scorer": "tone", "rubric": "tone@v1", "judge": "sha256:1", "subject": "0",
            "opinion": Opinion(state="judged", passed=True, calls=calls),
            **changes,
        }
    )  # fmt: skip


def call(cost: float | None = 0.002, **changes: Any) -> JudgeCall:
    """A call that was answered."""
    return JudgeCall(
        **{
            "route": "judge", "state": "judged", "model": "m-1", "cost_usd": cost,
            "billed_usd": 0.001, "usage": Usage(input_tokens=90, output_tokens=10), **changes,
        }
    )  # fmt: skip


def test_a_suite_without_a_judge_has_none() -> None:
    assert judging_totals(JudgedSuite({"candidate": ["P"]}, judges=()).snapshot, []) is None


def test_a_suite_that_judged_nothing_yet_has_zeros() -> None:
    assert judging_totals(SNAPSHOT, []) == JudgingTotals(
        judgments=0, shared=0, calls=0, input_tokens=0, output_tokens=0, cost_usd=0, billed_usd=0.0
    )


def test_every_call_counts_and_an_opinion_that_was_taken_over_costs_nothing() -> None:
    found = judging_totals(
        SNAPSHOT,
        [
            judgment(call(), call()),
            judgment(call(), case="m1"),
            judgment(call(), case="m2", shared=True),
            judgment(call(), suite="other"),
        ],
    )
    assert found is not None
    assert (found.judgments, found.shared, found.calls) == (3, 1, 3)
    assert (found.input_tokens, found.output_tokens) == (270, 30)
    assert found.cost_usd == pytest.approx(0.006)
    assert found.billed_usd == pytest.approx(0.003)


def test_a_judge_without_a_price_has_no_cost_and_one_that_was_not_reached_does_not_hide_it() -> (
    None
):
    free = judging_totals(SNAPSHOT, [judgment(call(), call(None))])
    assert free is not None and free.cost_usd is None
    lost = call(None, state="error", model="", billed_usd=0.001, usage=Usage())
    reached = judging_totals(SNAPSHOT, [judgment(call(), lost)])
    assert reached is not None and reached.cost_usd == pytest.approx(0.002)
    assert reached.billed_usd == pytest.approx(0.002)
