"""Corrections for asking the same question several times."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p-values, in the order given; they bound the family-wise error."""
    m = len(p_values)
    adjusted = [0.0] * m
    running = 0.0
    for rank, index in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (m - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Benjamini & Hochberg's (1995) adjusted p-values, in the order given; for what only advises.

    They bound the share of false discoveries.
    """
    m = len(p_values)
    adjusted = [0.0] * m
    running = 1.0
    order = sorted(range(m), key=lambda i: p_values[i], reverse=True)
    for rank, index in zip(range(m, 0, -1), order, strict=True):
        running = min(running, m / rank * p_values[index])
        adjusted[index] = running
    return adjusted
