"""Asking many questions at once: Holm keeps false FAILs rare, Benjamini-Hochberg false discoveries.

The strict rule is used where nothing changed: it fails on chance alone, at about alpha.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from evalkit.gate import (
    CaseResult,
    GateSettings,
    SliceSettings,
    TrialResult,
    decide_suite,
    decide_verdict,
)
from evalkit.gate.multiplicity import benjamini_hochberg, holm
from evalkit.gate.settings import Rule
from evalkit.records.verdict import Outcome, SuiteVerdict
from tests.statistics.effort import Effort, chance
from tests.statistics.gate_on_counts import ALPHA, interval_of
from tests.statistics.suites_of_chance import shares

FLIPS = 0.20
Counts = list[list[int]]


def _draw(n: int, drop: float, draws: int, members: int, seed: int) -> list[Counts]:
    """Per draw and member of a family its (b, c)."""
    against, towards = shares(FLIPS, drop)
    rng = np.random.default_rng(seed)
    cells = rng.multinomial(n, [against, towards, 1 - against - towards], size=(draws, members))
    return [list(map(list, each)) for each in cells[:, :, :2].tolist()]


def _p_values(n: int, family: Counts) -> list[float]:
    return [interval_of(b, c, n).p_value for b, c in family]


def _share(families: Sequence[bool]) -> float:
    return 100 * sum(families) / len(families)


@pytest.mark.parametrize("members", [3, 10])
def test_holm_raises_a_false_alarm_in_no_more_families_than_promised(
    members: int, effort: Effort
) -> None:
    n, draws = 200, effort.draws(10_000, 200_000)
    families = [_p_values(n, each) for each in _draw(n, 0.0, draws, members, seed=1)]
    corrected = _share([min(holm(p)) < ALPHA for p in families])
    # the p-values are those of a score test, whose tails are a little off at a finite n
    assert corrected < 100 * ALPHA + 0.5 + chance(100 * ALPHA, draws)
    uncorrected = _share([min(p) < ALPHA for p in families])
    assert uncorrected == pytest.approx(100 * (1 - 0.95**members), abs=3)


def test_holm_counts_only_the_unchanged_where_others_did_drop(effort: Effort) -> None:
    n, draws = 200, effort.draws(8_000, 100_000)
    unchanged = _draw(n, 0.0, draws, 5, seed=2)
    dropped = _draw(n, 0.10, draws, 3, seed=3)
    false = 0
    for calm, worse in zip(unchanged, dropped, strict=True):
        adjusted = holm(_p_values(n, [*calm, *worse]))
        false += min(adjusted[:5]) < ALPHA
    assert 100 * false / draws < 100 * ALPHA + 0.5 + chance(100 * ALPHA, draws)


def test_of_what_benjamini_hochberg_finds_few_are_false(effort: Effort) -> None:
    n, draws = 200, effort.draws(8_000, 100_000)
    unchanged = _draw(n, 0.0, draws, 12, seed=4)
    dropped = _draw(n, 0.10, draws, 4, seed=5)
    false_shares, found = [], 0
    for calm, worse in zip(unchanged, dropped, strict=True):
        adjusted = np.array(benjamini_hochberg(_p_values(n, [*calm, *worse])))
        discoveries = adjusted < ALPHA
        false_shares.append(discoveries[:12].sum() / max(1, discoveries.sum()))
        found += discoveries[12:].sum()
    error = 3.5 * float(np.std(false_shares)) / draws**0.5
    # the promise is alpha times the share that did not change
    assert float(np.mean(false_shares)) < ALPHA * 12 / 16 + 0.005 + error
    # and what did drop is found
    assert found / (4 * draws) > 0.5


def _cases(b: int, c: int, n: int, tag: str) -> tuple[CaseResult, ...]:
    def case(i: int) -> CaseResult:
        before, after = (True, False) if i < b else (False, True) if i < b + c else (True, True)
        return CaseResult(
            case=f"{tag}-{i}",
            baseline=(TrialResult(passed=before),),
            candidate=(TrialResult(passed=after),),
            tags=(tag,),
        )

    return tuple(case(i) for i in range(n))


def _remembered(decide: Callable[[int, int], SuiteVerdict]) -> Callable[[int, int], SuiteVerdict]:
    known: dict[tuple[int, int], SuiteVerdict] = {}

    def decided(b: int, c: int) -> SuiteVerdict:
        if (b, c) not in known:
            known[b, c] = decide(b, c)
        return known[b, c]

    return decided


def test_many_suites_fail_no_more_often_by_chance_than_one(effort: Effort) -> None:
    n, suites, draws = 100, 8, effort.draws(3_000, 50_000)
    settings = GateSettings(max_drop_pp=3, rule=Rule.STRICT)
    decide = _remembered(lambda b, c: decide_suite("s", _cases(b, c, n, "t"), settings))
    alone = together = 0
    for family in _draw(n, 0.0, draws, suites, seed=6):
        verdicts = [decide(b, c) for b, c in family]
        alone += any(verdict.outcome is Outcome.FAIL for verdict in verdicts)
        together += decide_verdict(verdicts).outcome is Outcome.FAIL
    assert 100 * together / draws < 100 * ALPHA + 0.5 + chance(100 * ALPHA, draws)
    assert alone / draws > 0.25


def test_many_slices_fail_no_more_often_by_chance_than_one(effort: Effort) -> None:
    n, tags, draws = 100, ("a", "b", "c", "d", "e"), effort.draws(300, 5_000)
    settings = GateSettings(
        max_drop_pp=None,
        rule=Rule.STRICT,
        slices={tag: SliceSettings(max_drop_pp=3) for tag in tags},
    )
    alone = together = 0
    for family in _draw(n, 0.0, draws, len(tags), seed=7):
        cases = [
            case for (b, c), tag in zip(family, tags, strict=True) for case in _cases(b, c, n, tag)
        ]
        together += decide_suite("s", cases, settings).outcome is Outcome.FAIL
        alone += min(_p_values(n, family)) < ALPHA
    assert 100 * together / draws < 100 * ALPHA + 0.5 + chance(100 * ALPHA, draws)
    assert alone / draws > 0.15
