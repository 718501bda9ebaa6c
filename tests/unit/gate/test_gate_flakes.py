"""Flaky is what passes some runs of one content and fails others, of enough runs."""

import pytest

from evalkit.gate.flakes import is_flaky


@pytest.mark.parametrize(
    ("passes", "runs", "flaky"),
    [
        (0, 5, False),
        (1, 5, True),
        (4, 5, True),
        (5, 5, False),
        (2, 4, False),  # too few runs to say
        (1, 100, True),
        (0, 0, False),
    ],
)
def test_flaky_needs_five_runs_that_disagree(passes: int, runs: int, flaky: bool) -> None:
    assert is_flaky(passes, runs) is flaky
