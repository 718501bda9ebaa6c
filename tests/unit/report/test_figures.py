"""Figures for reading: rounded, and never so far that a limit seems reached."""

import pytest

from evalkit.report.figures import change, count, duration, p_value, percent, points, seconds, usd


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (percent(0.7578), "75.8 %"),
        (percent(None), "–"),
        (percent(0.79996, beside=0.8), "79.996 %"),
        (percent(0.8, beside=0.8), "80.0 %"),
        (percent(0.1 + 0.2, beside=0.3), "30.0 %"),  # what differs by a float's noise is equal
        (points(0.03), "3 pp"),
        (points(-0.00001), "0 pp"),
        (points(0.029999, beside=0.03), "2.9999 pp"),
        (points(0.05, signed=True), "+5 pp"),
        (points(-0.05, signed=True), "-5 pp"),
        (points(0.0, signed=True), "0 pp"),
        (change(-0.5634), "-56.3 %"),
        (change(0.1), "+10.0 %"),
        (change(0.0), "0.0 %"),
        (change(None), "–"),
        (usd(None), "no price"),
        (usd(0), "$0"),
        (usd(1234.5), "$1,234.50"),
        (usd(0.0123), "$0.0123"),
        (usd(0.000404), "$0.000404"),
        (usd(0.0000001), "under $0.000001"),
        (seconds(0.25), "250 ms"),
        (seconds(1.5), "1.50 s"),
        (duration(3.21), "3.2 s"),
        (duration(125), "2 min 5 s"),
        (duration(3_800), "1 h 3 min"),
        (p_value(0.00001), "p < 0.0001"),
        (p_value(0.0213), "p = 0.021"),
        (count(1, "case"), "1 case"),
        (count(2_000, "case"), "2,000 cases"),
    ],
)
def test_figures_read_well(shown: str, text: str) -> None:
    assert shown == text


def test_a_change_of_any_size_can_be_read() -> None:
    assert change(12.618) == "+1,261.8 %"
    assert change(1e6).startswith("+")
    assert change(0.0001) == "0.0 %"
    assert change(-0.5) == "-50.0 %"
