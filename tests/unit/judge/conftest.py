"""Labelled items in the numbers that a test asks for."""

from collections.abc import Callable

import pytest

from evalkit.judge.items import JudgedItem

MakeItems = Callable[..., list[JudgedItem]]


@pytest.fixture
def make_items() -> MakeItems:
    """Items by cell of the confusion table, labels before verdicts."""

    def make(
        *,
        true_pass: int = 0,
        false_fail: int = 0,
        false_pass: int = 0,
        true_fail: int = 0,
        abstained_pass: int = 0,
        abstained_fail: int = 0,
        weight: float = 1.0,
        part: str = "test",
    ) -> list[JudgedItem]:
        cells = (
            (true_pass, True, True),
            (false_fail, True, False),
            (false_pass, False, True),
            (true_fail, False, False),
            (abstained_pass, True, None),
            (abstained_fail, False, None),
        )
        return [
            JudgedItem(truth=truth, verdict=verdict, weight=weight, part=part)  # type: ignore[arg-type]
            for number, truth, verdict in cells
            for _ in range(number)
        ]

    return make
