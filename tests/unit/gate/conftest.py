"""Builders of cases: a paired table by its four counts."""

from collections.abc import Callable

import pytest

from evalkit.gate import CaseResult, TrialResult

Table = Callable[..., list[CaseResult]]


@pytest.fixture
def table() -> Table:
    """Cases by their counts; `tags` and `per_group` apply to all, `lost` are unknown candidates."""

    def build(
        both_pass: int = 0,
        b: int = 0,
        c: int = 0,
        both_fail: int = 0,
        *,
        lost: int = 0,
        tags: tuple[str, ...] = (),
        per_group: int | None = None,
        prefix: str = "case",
        trials: int = 1,
    ) -> list[CaseResult]:
        arms = [(True, True)] * both_pass + [(True, False)] * b + [(False, True)] * c
        arms += [(False, False)] * both_fail
        results: list[tuple[bool, bool | None]] = [*arms, *[(True, None)] * lost]
        return [
            CaseResult(
                case=f"{prefix}-{i}",
                baseline=(TrialResult(passed=base),) * trials,
                candidate=(TrialResult(passed=cand),) * trials,
                group=None if per_group is None else f"group-{i // per_group}",
                tags=tags,
            )
            for i, (base, cand) in enumerate(results)
        ]

    return build
