"""A history that is made again while it is asked, and is otherwise as the one behind it."""

from pathlib import Path

import pytest

from evalkit.ports import History
from evalkit.store.history_file import HistoryDamaged
from evalkit.workflows.history.healing import HealingHistory
from tests.unit.store.history_conformance import HistoryConformance, put, run
from tests.unit.store.history_model import ModelHistory


class TestHealingHistory(HistoryConformance):
    @pytest.fixture
    def history(self) -> History:
        return HealingHistory(ModelHistory(), ModelHistory)


class Damaged(ModelHistory):
    """Opens, and cannot be read."""

    def runs(self, **asked: object) -> tuple[()]:  # type: ignore[override]
        raise HistoryDamaged("no database")


def test_a_damaged_history_is_replaced_once_and_asked_again() -> None:
    made: list[Path] = []
    whole = ModelHistory()
    put(whole, run(1))

    def heal() -> History:
        made.append(Path())
        return whole

    history = HealingHistory(Damaged(), heal)
    assert history.runs() == history.runs() == (run(1),)
    assert len(made) == 1


def test_one_that_cannot_be_healed_says_so() -> None:
    history = HealingHistory(Damaged(), Damaged)
    with pytest.raises(HistoryDamaged):
        history.runs()
