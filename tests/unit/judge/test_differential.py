"""Whether a judge errs alike on both arms: what labels show, and what they could not."""

import pytest
from scipy import stats

from evalkit.judge.differential import ArmRates, differing, equal_errors
from tests.unit.judge.conftest import MakeItems


def test_the_tests_are_fishers_of_tpr_and_of_tnr(make_items: MakeItems) -> None:
    before = make_items(true_pass=90, false_fail=10, false_pass=10, true_fail=40)
    after = make_items(true_pass=85, false_fail=15, false_pass=15, true_fail=35)
    found = equal_errors(before, after)
    assert found.baseline == ArmRates(passes=100, passes_passed=90, fails=50, fails_failed=40)
    assert found.candidate == ArmRates(passes=100, passes_passed=85, fails=50, fails_failed=35)
    assert found.tpr_p == pytest.approx(stats.fisher_exact([[90, 10], [85, 15]]).pvalue)
    assert found.tnr_p == pytest.approx(stats.fisher_exact([[10, 40], [15, 35]]).pvalue)
    assert found.verified is True


def test_a_judge_kinder_to_the_candidate_is_caught(make_items: MakeItems) -> None:
    before = make_items(true_pass=68, false_fail=7, false_pass=15, true_fail=60)
    after = make_items(true_pass=72, false_fail=3, false_pass=38, true_fail=37)
    found = equal_errors(before, after)
    assert found.tpr_p > 0.1
    assert found.verified is False


def test_too_few_labels_verify_nothing(make_items: MakeItems) -> None:
    enough = make_items(true_pass=70, false_fail=5, false_pass=5, true_fail=20)
    fewer = make_items(true_pass=69, false_fail=5, false_pass=5, true_fail=20, abstained_pass=9)
    assert equal_errors(enough, enough).verified is True
    assert equal_errors(enough, fewer).verified is None
    assert equal_errors(fewer, enough).verified is None
    assert equal_errors(fewer, fewer, minimum=99).verified is True


def test_but_even_few_can_show_a_difference(make_items: MakeItems) -> None:
    before = make_items(true_pass=20, false_pass=1, true_fail=19)
    after = make_items(true_pass=20, false_pass=19, true_fail=1)
    assert equal_errors(before, after).verified is False


def test_labels_of_one_kind_verify_nothing(make_items: MakeItems) -> None:
    both = make_items(true_pass=90, false_fail=10, false_pass=10, true_fail=40)
    passes = make_items(true_pass=135, false_fail=15)
    found = equal_errors(both, passes)
    assert found.tnr_p == 1.0
    assert found.verified is None
    assert found.could_hide is None


def test_no_labels_verify_nothing() -> None:
    found = equal_errors([], [])
    assert (found.verified, found.could_hide, found.tpr_p, found.tnr_p) == (None, None, 1.0, 1.0)


def test_more_labels_leave_less_to_hide(make_items: MakeItems) -> None:
    def hidden(times: int) -> float:
        items = make_items(
            true_pass=9 * times, false_fail=times, false_pass=2 * times, true_fail=8 * times
        )
        found = equal_errors(items, items).could_hide
        assert found is not None
        return found

    assert hidden(5) > 2 * hidden(50) > 0
    # 10 pp of false drop at 100 labels an arm would drown any margin
    assert hidden(5) > 0.1


def test_what_could_hide_is_more_than_what_was_seen(make_items: MakeItems) -> None:
    before = make_items(true_pass=90, false_fail=10, false_pass=20, true_fail=80)
    after = make_items(true_pass=84, false_fail=16, false_pass=20, true_fail=80)
    found = equal_errors(before, after).could_hide
    assert found is not None
    # half the labels pass, 6 pp fewer of them with the candidate, over J = .67
    assert found > 0.03 / 0.67


def test_one_arm_sampled_by_verdict_does_not_look_like_a_difference(
    make_items: MakeItems,
) -> None:
    plain = make_items(true_pass=720, false_fail=80, false_pass=40, true_fail=160)
    # of the same outputs a tenth of the passed ones and half of the failed ones
    sampled = make_items(true_pass=72, false_pass=4, weight=10.0)
    sampled += make_items(false_fail=40, true_fail=80, weight=2.0)
    as_if_plain = make_items(true_pass=72, false_pass=4, false_fail=40, true_fail=80)
    assert min(differing(plain, as_if_plain)) < 1e-6
    assert min(differing(plain, sampled)) > 0.9
    assert equal_errors(plain, sampled).verified is True
