"""Drift of a judge: shifts of its verdicts, verdicts that go missing, errors on spot checks."""

import pytest

from evalkit.judge.drift import MINIMUM_ANCHORS, anchor_drift, is_stale, spot_drift
from evalkit.records.calibration import Drift
from evalkit.statistics.exact import mcnemar_two_sided
from tests.unit.judge.conftest import MakeItems

AT = "2026-01-05T00:00:00Z"
Verdicts = dict[str, bool | None]


def _anchors(*runs: tuple[bool | None, int]) -> Verdicts:
    said = [verdict for verdict, times in runs for _ in range(times)]
    return {f"i{number}": verdict for number, verdict in enumerate(said)}


OLD = _anchors((True, 80), (False, 40))


def test_the_same_verdicts_are_no_drift() -> None:
    assert anchor_drift(OLD, OLD, AT) == Drift(test="mcnemar", n=120, changed=0, p=1.0, at=AT)


def test_a_judge_that_grew_harsher_is_stale() -> None:
    new = _anchors((False, 12), (True, 68), (False, 39), (True, 1))
    found = anchor_drift(OLD, new, AT)
    assert found is not None
    assert found.changed == 13
    assert found.p == mcnemar_two_sided(12, 1)
    assert is_stale(found)


def test_flips_that_cancel_are_noise() -> None:
    new = _anchors((False, 12), (True, 68), (False, 28), (True, 12))
    found = anchor_drift(OLD, new, AT)
    assert found is not None
    assert (found.changed, found.p) == (24, 1.0)
    assert not is_stale(found)


def test_verdicts_that_go_missing_are_drift() -> None:
    new = _anchors((None, 9), (True, 71), (None, 3), (False, 37))
    found = anchor_drift(OLD, new, AT)
    assert found is not None
    assert (found.n, found.changed) == (120, 12)
    assert found.p == 2 * mcnemar_two_sided(12, 0)
    assert is_stale(found)


def test_a_shift_is_seen_beside_verdicts_that_were_always_missing() -> None:
    old = _anchors((True, 80), (False, 40), (None, 5))
    new = _anchors((False, 15), (True, 65), (False, 40), (None, 5))
    found = anchor_drift(old, new, AT)
    assert found is not None
    assert (found.changed, found.p) == (15, 2 * mcnemar_two_sided(15, 0))


def test_only_items_judged_both_times_count() -> None:
    new = {**OLD, "another": True}
    found = anchor_drift(OLD, new, AT)
    assert found is not None
    assert found.n == 120
    fewer = dict(list(OLD.items())[: MINIMUM_ANCHORS - 1])
    assert anchor_drift(OLD, fewer, AT) is None
    assert anchor_drift(fewer, OLD, AT) is None


def test_errors_on_spot_checks_are_held_against_the_calibrations(make_items: MakeItems) -> None:
    calibrated = make_items(true_pass=68, false_fail=7, false_pass=15, true_fail=60)
    spot = make_items(true_pass=20, false_fail=2, false_pass=12, true_fail=6, abstained_pass=3)
    found = spot_drift(calibrated, spot, AT)
    assert found is not None
    assert (found.test, found.n, found.changed, found.at) == ("fisher", 40, 14, AT)
    assert is_stale(found)


def test_a_run_with_more_fails_is_no_other_judge(make_items: MakeItems) -> None:
    calibrated = make_items(true_pass=950, false_fail=50, false_pass=20, true_fail=30)
    # 5 % of the passes and 40 % of the fails are misjudged in both
    spot = make_items(true_pass=95, false_fail=5, false_pass=80, true_fail=120)
    found = spot_drift(calibrated, spot, AT)
    assert found is not None
    assert found.p > 0.9


def test_without_spot_checks_or_labels_nothing_tells(make_items: MakeItems) -> None:
    items = make_items(true_pass=68, false_fail=7, false_pass=15, true_fail=60)
    assert spot_drift(items, [], AT) is None
    assert spot_drift([], items, AT) is None
    assert spot_drift(items, make_items(abstained_pass=5), AT) is None


@pytest.mark.parametrize(("p", "stale"), [(0.0099, True), (0.01, False), (1.0, False)])
def test_stale_is_p_below_one_in_a_hundred(p: float, stale: bool) -> None:
    assert is_stale(Drift(test="mcnemar", n=100, changed=9, p=p, at=AT)) is stale


def test_no_drift_known_is_not_stale() -> None:
    assert not is_stale(None)
