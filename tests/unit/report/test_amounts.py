"""Numbers in order, however many there are."""

import random

import pytest

from evalkit.report.amounts import InOrder


@pytest.mark.parametrize("count", [0, 1, 49_999, 50_000, 50_001, 130_000])
def test_numbers_come_out_sorted_and_whole_whenever_they_are_read(count: int) -> None:
    drawn = random.Random(count)
    numbers = [drawn.choice([drawn.random(), 0.5, -1.0]) for _ in range(count)]
    ordered = InOrder()
    for number in numbers:
        ordered.append(number)
    assert list(ordered.all()) == sorted(numbers)
    ordered.append(0.25)
    assert list(ordered.all()) == sorted([*numbers, 0.25])
    assert list(ordered.all()) == sorted([*numbers, 0.25])
