"""Floors of recall and precision over the corpus; benchmarks/detectors.py prints the figures."""

import pytest

from benchmarks.detectors import measure

# Per kind: how much is found at least, and how much of what is reported is right. What passes for a
# telephone number is a matter of shape, so some bare numbers are taken for one.
FLOORS = {
    "CARD": (0.97, 0.95),
    "EMAIL": (0.97, 0.95),
    "IBAN": (0.97, 0.97),
    "IP": (0.97, 0.95),
    "NATIONAL_ID": (0.97, 0.97),
    "PHONE": (0.93, 0.85),
    "SECRET": (0.97, 0.97),
    "SSN": (1.0, 1.0),
}


@pytest.mark.parametrize("part", ["tuned", "held_out"])
def test_every_kind_keeps_its_floor(part: str) -> None:
    measured = measure(part)
    assert set(measured) == set(FLOORS)
    for kind, (recall, precision) in FLOORS.items():
        counts = measured[kind]
        assert counts.expected >= (4 if kind == "SSN" else 30)
        assert counts.found / counts.expected >= recall, counts.missed
        assert counts.right / counts.reported >= precision, counts.false
