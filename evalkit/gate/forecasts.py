"""How many cases and trials a suite needs: the chances of its verdicts before anything is run.

One run an arm is worked out exactly, flip by flip. With more runs the mean differences are taken
as normal with the spread E[D^2], which averaging over k runs divides by k. The interval follows
that spread, down to where it would be that of a drop made of whole cases alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.gate.amounts import Amount, exact
from evalkit.gate.chances import pass_chance
from evalkit.gate.power import flip_share, minimum_cases
from evalkit.records.power import PowerRow, RowReason, SuitePower
from evalkit.statistics.distributions import normal_quantile, normal_tail

# the base rate of the design's simulations, for a suite whose own is not known
USUAL_PASS_RATE = 0.85
TRIALS = (1, 2, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """The statistical rule: its margin, its alpha, and the z of the power asked for."""

    margin: float
    alpha: float
    z_alpha: float
    z_power: float
    minimum: int


@dataclass(frozen=True, slots=True)
class _Case:
    """A case between identical versions; its spread is E[D^2]."""

    spread: float
    pass_rate: float
    one_run: bool

    def broken(self, drop: float) -> float:
        """The spread when `drop` of the cases, which passed, fail for good.

        What breaks differs between the arms as well, on top of what flips by chance.
        """
        whole = 1 - min(1.0, drop / self.pass_rate)
        return min(1.0, self.spread * whole + drop)


def forecast_power(
    *,
    cases: int,
    noise: float,
    margin: Amount,
    churn: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    drop: float | None = None,
    trials: Sequence[int] = TRIALS,
    baseline_trials: int = 0,
    pass_rate: float = USUAL_PASS_RATE,
    suite: str = "",
    noise_source: str = "",
) -> SuitePower:
    """What `cases` independent cases can tell at each number of `trials`, and what it would take.

    For each number of trials there is a row for the cases there are, one for those that PASS with
    `power` when nothing changed, and with `drop` (a fraction) one for those that FAIL with `power`
    when it dropped by that. A drop of the margin or less has none: no size settles it.
    `baseline_trials` are runs of the baseline that a bank holds already. `noise` and `churn` as in
    `flip_share`, `pass_rate` the suite's usual one.

    Raises ValueError for a margin outside (0, 1), a drop outside (0, 1], shares outside [0, 1],
    trials below 1, or alpha or power that are no chances.
    """
    pass_rate = min(1.0, max(pass_rate, 0.01))
    _check(noise, churn, alpha, power, drop, trials)
    rule = _Rule(
        margin=float(exact(margin)),
        alpha=alpha,
        z_alpha=normal_quantile(alpha),
        z_power=normal_quantile(1 - power),
        minimum=minimum_cases(margin, alpha),
    )
    rows: list[PowerRow] = []
    for runs in trials:
        banked = max(runs, baseline_trials)
        case = _Case(
            spread=min(1.0, flip_share(churn, noise, banked, runs)),
            pass_rate=pass_rate,
            one_run=banked == runs == 1,
        )
        sizes: list[tuple[RowReason, int | None]] = [("now", cases)]
        sizes.append(("to_pass", _cases_to_pass(case, rule)))
        if drop is not None:
            sizes.append(("to_detect", _cases_to_detect(drop, case, rule)))
        for reason, size in sizes:
            if size is not None:
                bought = size * (runs + max(0, runs - baseline_trials))
                rows.append(_row(reason, size, runs, banked, bought, case, rule, drop))
    return SuitePower(
        suite=suite,
        cases=cases,
        margin=rule.margin,
        alpha=alpha,
        power=power,
        noise=noise,
        churn=churn,
        minimum_cases=rule.minimum,
        rows=tuple(rows),
        drop=drop,
        noise_source=noise_source,
    )


def _row(
    reason: RowReason,
    cases: int,
    trials: int,
    baseline_trials: int,
    attempts: int,
    case: _Case,
    rule: _Rule,
    drop: float | None,
) -> PowerRow:
    return PowerRow(
        reason=reason,
        cases=cases,
        trials=trials,
        baseline_trials=baseline_trials,
        flips=case.spread,
        detectable_drop=_detectable(cases, case, rule),
        pass_chance=_chance_to_pass(cases, case, rule),
        fail_chance=None if drop is None else _chance_to_fail(drop, cases, case, rule),
        attempts=attempts,
    )


def _chance_to_pass(cases: int, case: _Case, rule: _Rule) -> float:
    if case.one_run:
        return pass_chance(cases, case.spread, rule.margin, rule.alpha)
    if cases < rule.minimum:
        return 0.0
    if case.spread <= 0:
        return 1.0
    # the largest measured drop whose interval still ends below the margin
    largest = rule.margin - rule.z_alpha * math.sqrt(_passing_spread(case, rule) / cases)
    return 1.0 - normal_tail(largest * math.sqrt(cases / case.spread))


def _passing_spread(case: _Case, rule: _Rule) -> float:
    """The spread that the interval has when its end is at the margin."""
    return max(case.spread, rule.margin * (1 - rule.margin))


def _chance_to_fail(drop: float, cases: int, case: _Case, rule: _Rule) -> float:
    if cases < rule.minimum:
        return 0.0
    spread = case.broken(drop)
    reach = max(rule.margin, rule.z_alpha * math.sqrt(spread / cases))
    left = spread - drop * drop
    if left <= 0:
        return 1.0 if drop >= reach else 0.0
    return normal_tail((reach - drop) / math.sqrt(left / cases))


def _detectable(cases: int, case: _Case, rule: _Rule) -> float | None:
    """The smallest true drop that fails with the power asked for."""
    if cases < rule.minimum or _fails_at(1.0, case, rule) > cases:
        return None
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _fails_at(middle, case, rule) > cases else (low, middle)
    return high


def _fails_at(drop: float, case: _Case, rule: _Rule) -> float:
    """The cases at which `drop` fails with the power asked for, not rounded."""
    beyond = drop - rule.margin
    if beyond <= 0:
        return math.inf
    spread = case.broken(drop)
    left = math.sqrt(max(0.0, spread - drop * drop))
    shown = (rule.z_alpha * math.sqrt(spread) + rule.z_power * left) / drop
    return max(shown**2, (rule.z_power * left / beyond) ** 2)


def _cases_to_detect(drop: float, case: _Case, rule: _Rule) -> int | None:
    needed = _fails_at(drop, case, rule)
    return None if math.isinf(needed) else max(rule.minimum, math.ceil(needed))


def _cases_to_pass(case: _Case, rule: _Rule) -> int:
    """The cases at which an unchanged candidate passes with the power asked for."""
    reach = rule.z_alpha * math.sqrt(_passing_spread(case, rule))
    reach += rule.z_power * math.sqrt(case.spread)
    cases = max(rule.minimum, math.ceil((reach / rule.margin) ** 2))
    if case.one_run:
        # counts are whole, so the chance has teeth: take the first step that reaches it
        wanted = 1 - normal_tail(rule.z_power)
        while _chance_to_pass(cases, case, rule) < wanted:
            cases += max(1, cases // 100)
    return cases


def _check(
    noise: float,
    churn: float,
    alpha: float,
    power: float,
    drop: float | None,
    trials: Sequence[int],
) -> None:
    if not (0 <= noise <= 1 and 0 <= churn <= 1):
        raise ValueError(f"flip shares lie between 0 and 1, not {noise} and {churn}")
    if not (0 < alpha < 0.5 and 0.5 < power < 1):
        raise ValueError(f"alpha is below and power above 0.5, not {alpha} and {power}")
    if drop is not None and not 0 < drop <= 1:
        raise ValueError(f"a drop to detect is between 0 and 1, not {drop}")
    if not trials or min(trials) < 1:
        raise ValueError("a case is tried at least once")
