"""The garbage collector while a run goes on, and after it."""

import gc

import pytest

from evalkit.workflows.runs.collecting import rare_collections


def test_the_collector_is_as_before_once_a_run_has_ended_or_failed() -> None:
    before = gc.get_threshold(), gc.get_freeze_count()
    with pytest.raises(RuntimeError), rare_collections():
        assert gc.get_threshold()[0] > before[0][0]
        assert gc.get_freeze_count() > 0
        raise RuntimeError
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_a_collector_that_somebody_set_up_is_left_alone() -> None:
    before = gc.get_threshold()
    gc.set_threshold(1_000_000, 5, 5)
    try:
        with rare_collections():
            assert (gc.get_threshold(), gc.get_freeze_count()) == ((1_000_000, 5, 5), 0)
    finally:
        gc.set_threshold(*before)


def test_a_run_within_a_run_changes_nothing_more() -> None:
    with rare_collections():
        within = gc.get_threshold(), gc.get_freeze_count() > 0
        with rare_collections():
            pass
        assert (gc.get_threshold(), gc.get_freeze_count() > 0) == within
