"""When the garbage collector looks."""

import gc
from collections.abc import Iterator

import pytest

from evalkit.collector import look_hardly_ever, look_often_enough_to_serve, looks_hardly_ever
from evalkit.workflows.runs.collecting import rare_collections


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    gc.unfreeze()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_was_loaded_for_a_run_is_not_looked_at_while_it_goes_on() -> None:
    look_hardly_ever()
    with rare_collections():
        assert gc.get_freeze_count() > 0
        assert not looks_hardly_ever()
    assert gc.get_freeze_count() == 0
    assert looks_hardly_ever()


def test_a_program_that_set_its_collector_up_keeps_it_while_a_run_goes_on() -> None:
    gc.set_threshold(300_000, 10, 10)
    with rare_collections():
        assert gc.get_threshold() == (300_000, 10, 10)
        assert gc.get_freeze_count() == 0


def test_a_server_does_not_keep_what_a_verb_may_leave_lying_until_it_ends() -> None:
    look_hardly_ever()
    look_often_enough_to_serve()
    assert not looks_hardly_ever()
    assert gc.get_threshold()[0] < 20_000
