"""A judge's verdicts beside labels from several samples."""

import pytest

from evalkit.workflows.judges.against_labels import measure_against
from evalkit.workflows.judges.hearing import Verdict
from tests.labelled import item, label, rubric


def test_a_small_sample_of_a_large_run_does_not_outweigh_other_labels() -> None:
    told = [item(f"reply {n}", label(n % 2 == 0)) for n in range(200)]
    drawn = [
        item(f"reply {n}", label(n % 2 == 0), weight=25.0, source={"run": "r1"})
        for n in range(200, 210)
    ]
    # it is wrong about the ten and about nothing else
    verdicts = {each.id: Verdict(state="judged", passed=each.truth is True) for each in told}
    verdicts |= {each.id: Verdict(state="judged", passed=each.truth is False) for each in drawn}
    measured = measure_against([*told, *drawn], verdicts, rubric(), width_pp=None)
    assert measured.tpr is not None
    assert measured.tpr.value == pytest.approx(100 / 105)


def test_within_a_sample_a_rarer_draw_counts_for_more() -> None:
    often = item("often", label(True), weight=1.0, source={"run": "r1"})
    rarely = item("rarely", label(True), weight=3.0, source={"run": "r1"})
    bad = item("bad", label(False))
    verdicts = {
        often.id: Verdict(state="judged", passed=False),
        rarely.id: Verdict(state="judged", passed=True),
        bad.id: Verdict(state="judged", passed=False),
    }
    measured = measure_against([often, rarely, bad], verdicts, rubric(), width_pp=None)
    assert measured.tpr is not None
    assert measured.tpr.value == pytest.approx(3 / 4)
