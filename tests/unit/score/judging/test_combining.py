"""Several calls to one opinion: both orders of a pair, and panels."""

from itertools import product
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.records.asset import Rubric, RubricScale
from evalkit.records.judgment import JudgeCall, JudgmentState, Opinion
from evalkit.score.judging.combining import combine, passing_score
from tests.unit.score.judging.judge_sessions import GRADED, rubric

PAIR = rubric(compare="pair")
# what a member may come to: a verdict, or a state without one
ENDS: tuple[bool | str, ...] = (True, False, "abstained", "unparseable", "refused", "error")


def panel(size: int, **changes: Any) -> Rubric:
    """A rubric with several routes."""
    return rubric(routes=tuple(f"r{number}" for number in range(size)), **changes)


def call(ended: bool | float | str | None, route: str = "judge", **more: Any) -> JudgeCall:
    """A call that ended with a verdict (None: a tie), a score, or a state."""
    if isinstance(ended, str):
        return JudgeCall(route=route, state=ended, **more)  # type: ignore[arg-type]
    if isinstance(ended, float):
        return JudgeCall(route=route, state="judged", score=ended, **more)
    return JudgeCall(route=route, state="judged", passed=ended, **more)


def of_panel(*ends: bool | float | str | None, threshold: float | None = None) -> Opinion:
    """The opinion of a panel whose members end so."""
    scale = GRADED if any(isinstance(each, float) for each in ends) else RubricScale(kind="binary")
    calls = [call(each, f"r{number}") for number, each in enumerate(ends)]
    return combine(panel(len(ends), scale=scale), calls, threshold)


def of_pair(first: bool | str | None, second: bool | str | None) -> Opinion:
    """The opinion on a pair by one judge in both orders, each about the subject's output."""
    calls = [call(first, order="first"), call(second, order="second")]
    return combine(PAIR, calls, None)


@pytest.mark.parametrize("state", get_args(JudgmentState))
def test_a_single_call_is_the_opinion(state: JudgmentState) -> None:
    passed = True if state == "judged" else None
    one = JudgeCall(route="judge", state=state, passed=passed)
    assert combine(rubric(), [one], None) == Opinion(state=state, passed=passed, calls=(one,))


@pytest.mark.parametrize("better", [True, False, None])
def test_orders_that_agree_decide_a_pair(better: bool | None) -> None:
    opinion = of_pair(better, better)
    assert (opinion.state, opinion.passed, opinion.split) == ("judged", better, False)


@pytest.mark.parametrize(
    ("first", "second"), [(True, False), (False, True), (True, None), (None, False)]
)
def test_orders_that_differ_abstain(first: bool | None, second: bool | None) -> None:
    opinion = of_pair(first, second)
    assert (opinion.state, opinion.passed, opinion.split) == ("abstained", None, True)


@pytest.mark.parametrize("said", [True, False, None])
@pytest.mark.parametrize("lost", ["abstained", "unparseable", "refused", "error"])
def test_one_order_alone_decides_no_pair(said: bool | None, lost: str) -> None:
    for opinion in (of_pair(said, lost), of_pair(lost, said)):
        assert (opinion.state, opinion.passed, opinion.split) == (lost, None, None)


def test_of_two_orders_without_a_verdict_what_can_be_asked_again_is_told() -> None:
    assert of_pair("error", "abstained").state == "error"
    assert of_pair("unparseable", "refused").state == "refused"
    assert of_pair("abstained", "unparseable").state == "unparseable"


@pytest.mark.parametrize(
    ("ends", "state", "passed", "split"),
    [
        ((True, True, True), "judged", True, False),
        ((True, True, False), "judged", True, True),
        ((False, True, False), "judged", False, True),
        ((True, True, "abstained"), "judged", True, False),
        ((True, True, "error"), "judged", True, False),
        ((True, False), "abstained", None, True),
        ((True, True, False, False), "abstained", None, True),
        ((True, False, "abstained"), "abstained", None, True),
        ((True, "abstained", "unparseable"), "abstained", None, None),
        ((True, "refused", "refused"), "abstained", None, None),
        ((True, True, "abstained", "abstained"), "abstained", None, False),
        # half of the members is no majority
        ((True, "abstained"), "abstained", None, None),
        # the member that was not reached decides
        ((True, False, "error"), "error", None, True),
        ((True, "abstained", "error"), "error", None, None),
        ((True, "error"), "error", None, None),
        ((True, "error", "error"), "error", None, None),
        (("error", "error", "error"), "error", None, None),
        (("abstained", "error", "error"), "error", None, None),
        # whatever it would have said, there is no majority
        (("abstained", "abstained", "error"), "abstained", None, None),
        (("refused", "refused", "error"), "refused", None, None),
        ((True, False, "abstained", "error"), "abstained", None, True),
        (("abstained", "error"), "abstained", None, None),
        (("refused", "unparseable", "abstained"), "refused", None, None),
    ],
)
def test_a_panel_decides_by_the_majority_of_its_members(
    ends: tuple[bool | str, ...], state: str, passed: bool | None, split: bool | None
) -> None:
    opinion = of_panel(*ends)
    assert (opinion.state, opinion.passed, opinion.split) == (state, passed, split)


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_a_panel_is_an_error_exactly_where_members_that_were_not_reached_could_decide(
    size: int,
) -> None:
    for ends in product(ENDS, repeat=size):
        opinion = of_panel(*ends)
        lost = [number for number, end in enumerate(ends) if end == "error"]
        filled = [
            of_panel(*(others.get(number, end) for number, end in enumerate(ends)))
            for others in (
                dict(zip(lost, said, strict=True)) for said in product(ENDS[:3], repeat=len(lost))
            )
        ]
        could = {each.passed for each in filled if each.state == "judged"}
        if lost and opinion.state == "error":
            assert could and any(each.state != "judged" for each in filled)
        else:
            assert opinion.state == "judged" or not could
            assert {each.passed for each in filled} == {opinion.passed}


@given(st.lists(st.sampled_from(ENDS), min_size=2, max_size=6), st.randoms())
def test_the_order_of_a_panel_does_not_matter(ends: list[bool | str], chance: Random) -> None:
    turned = list(ends)
    chance.shuffle(turned)
    one, two = of_panel(*ends), of_panel(*turned)
    assert (one.state, one.passed, one.split) == (two.state, two.passed, two.split)


def test_a_pair_before_a_panel_takes_both_orders_of_every_member() -> None:
    judged = panel(3, compare="pair")

    def opinion(*ends: tuple[bool | None, bool | None]) -> Opinion:
        calls = [
            call(said, f"r{number}", order=order)
            for number, both in enumerate(ends)
            for said, order in zip(both, ("first", "second"), strict=True)
        ]
        return combine(judged, calls, None)

    assert opinion((True, True), (True, True), (True, False)).passed is True
    # four of six calls say so, and yet only one member does in both orders
    mixed = opinion((True, True), (True, False), (True, False))
    assert (mixed.state, mixed.passed, mixed.split) == ("abstained", None, True)
    tied = opinion((None, None), (None, None), (True, True))
    assert (tied.state, tied.passed) == ("judged", None)


@pytest.mark.parametrize(
    ("score", "threshold", "passed"),
    [(3.0, None, True), (2.99, None, False), (3.0, 3.5, False), (3.5, 3.5, True), (1.0, 1.0, True)],
)
def test_a_score_passes_from_the_threshold_on_or_else_from_the_middle(
    score: float, threshold: float | None, passed: bool
) -> None:
    opinion = combine(rubric(scale=GRADED), [call(score)], threshold)
    assert (opinion.state, opinion.score, opinion.passed) == ("judged", score, passed)


def test_a_rubrics_own_threshold_is_not_overruled() -> None:
    scale = RubricScale(kind="graded", lowest=1, highest=5, pass_from=4)
    assert passing_score(scale, 2.0) == 4
    assert combine(rubric(scale=scale), [call(3.9)], 2.0).passed is False
    assert combine(rubric(scale=scale), [call(4.0)], 2.0).passed is True


@pytest.mark.parametrize(
    ("ends", "state", "score", "split"),
    [
        ((4.0, 4.0, 2.5), "judged", 3.5, True),
        ((4.0, 5.0, "abstained"), "judged", 4.5, False),
        ((4.0, 5.0, "error"), "judged", 4.5, False),
        ((4.0, "abstained"), "abstained", None, None),
        ((4.0, "abstained", "refused"), "abstained", None, None),
        ((4.0, "abstained", "error"), "error", None, None),
        ((4.0, "error"), "error", None, None),
        ((4.0, "abstained", "refused", "error"), "abstained", None, None),
        ((1.0, 1.0, 5.0), "judged", 7 / 3, True),
    ],
)
def test_a_graded_panel_has_the_mean_score_of_a_majority(
    ends: tuple[float | str, ...], state: str, score: float | None, split: bool | None
) -> None:
    opinion = of_panel(*ends)
    assert (opinion.state, opinion.score, opinion.split) == (state, score, split)
    assert opinion.passed is (None if score is None else score >= 3)


def test_members_split_where_their_scores_lie_on_both_sides_of_the_threshold() -> None:
    assert of_panel(3.0, 4.0, threshold=2.0).split is False
    assert of_panel(3.0, 4.0, threshold=3.5).split is True


def test_an_opinion_keeps_every_call() -> None:
    calls = [call(True, "r0"), call("error", "r1"), call(True, "r2")]
    assert combine(panel(3), calls, None).calls == tuple(calls)
