"""The forecast agrees with exact distributions, with simulation, and with the published table."""

import msgspec
import numpy as np
import pytest
from scipy import stats

from evalkit.gate import forecast_power
from evalkit.gate.chances import pass_chance
from evalkit.gate.intervals import drop_interval, tango
from evalkit.gate.power import flip_rate
from evalkit.records.power import PowerRow, SuitePower

Matrix = np.ndarray


def _rows(forecast: SuitePower, reason: str) -> dict[int, PowerRow]:
    return {row.trials: row for row in forecast.rows if row.reason == reason}


def _flaky(n: int, noise: float, pass_rate: float = 0.85) -> Matrix:
    """Beta distributed pass rates with this mean, of which two runs differ with chance `noise`."""
    room = pass_rate * (1 - pass_rate) - noise / 2
    weight = pass_rate * (1 - pass_rate) / room - 1
    quantiles = (np.arange(n) + 0.5) / n
    return np.asarray(stats.beta(pass_rate * weight, (1 - pass_rate) * weight).ppf(quantiles))


@pytest.mark.parametrize(
    ("n", "noise", "percent"),
    [(200, 0.05, 53.7), (200, 0.10, 36.7), (500, 0.05, 89.2), (2000, 0.10, 99.5)],
)
def test_the_chance_to_pass_is_that_of_the_published_table(
    n: int, noise: float, percent: float
) -> None:
    assert 100 * pass_chance(n, noise, "0.03") == pytest.approx(percent, abs=0.2)


@pytest.mark.parametrize(
    ("n", "noise", "alpha"), [(90, 0.04, 0.05), (200, 0.1, 0.05), (180, 0.2, 0.01)]
)
def test_the_chance_to_pass_is_summed_over_every_table(n: int, noise: float, alpha: float) -> None:
    expected = 0.0
    for k in range(n + 1):
        share = stats.binom.pmf(k, n, noise)
        if share < 1e-12:
            continue
        passing = [b for b in range(k + 1) if tango(b, k - b, n, alpha)[1] < 0.03]
        if passing:
            expected += share * stats.binom.cdf(max(passing), k, 0.5)
    assert pass_chance(n, noise, "0.03", alpha) == pytest.approx(expected, rel=1e-6)


def test_too_few_cases_pass_and_fail_with_no_chance() -> None:
    assert pass_chance(87, 0.0, "0.03") == 0.0
    assert pass_chance(88, 0.0, "0.03") == 1.0
    now = _rows(forecast_power(cases=87, noise=0.1, margin="0.03", drop=0.2), "now")
    for row in now.values():
        assert (row.pass_chance, row.fail_chance, row.detectable_drop) == (0.0, 0.0, None)


@pytest.mark.parametrize(
    ("n", "noise", "drop", "percent"),
    [
        (200, 0.10, 0.05, 59.3),
        (500, 0.05, 0.05, 92.8),
        (500, 0.10, 0.03, 50),
        (2000, 0.10, 0.05, 99.1),
    ],
)
def test_the_chance_to_fail_is_that_of_the_published_table(
    n: int, noise: float, drop: float, percent: float
) -> None:
    row = _rows(forecast_power(cases=n, noise=noise, margin="0.03", drop=drop), "now")[1]
    assert 100 * (row.fail_chance or 0) == pytest.approx(percent, abs=1.5)


@pytest.mark.parametrize("noise", [0.03, 0.1])
@pytest.mark.parametrize("n", [200, 500])
@pytest.mark.parametrize("trials", [2, 4])
def test_more_trials_pass_as_often_as_simulated(trials: int, n: int, noise: float) -> None:
    sims = 400
    rng = np.random.default_rng(5)
    rates = _flaky(n, noise)[:, None]
    passed = 0
    for _ in range(sims):
        before, after = (rng.random((n, trials)) < rates for _ in range(2))
        differences = (before.mean(1) - after.mean(1)).tolist()
        passed += drop_interval(differences, None, 0.05, one_run=False).upper < 0.03
    row = _rows(forecast_power(cases=n, noise=noise, margin="0.03"), "now")[trials]
    # two standard deviations of the simulation, and 3 points for the normal distribution
    assert row.pass_chance == pytest.approx(passed / sims, abs=0.05 + 0.03)


def test_the_sizes_it_asks_for_have_the_power_asked_for() -> None:
    forecast = forecast_power(cases=200, noise=0.1, margin="0.03", drop=0.05, power=0.9)
    for trials, row in _rows(forecast, "to_pass").items():
        assert row.pass_chance >= 0.9
        smaller = forecast_power(
            cases=row.cases - max(2, row.cases // 10), noise=0.1, margin="0.03", trials=[trials]
        )
        assert _rows(smaller, "now")[trials].pass_chance < 0.9
    for row in _rows(forecast, "to_detect").values():
        assert row.fail_chance == pytest.approx(0.9, abs=0.01)
        assert row.detectable_drop == pytest.approx(0.05, abs=0.001)


def test_more_trials_ask_for_fewer_cases_and_a_bank_for_fewer_attempts() -> None:
    plain = forecast_power(cases=200, noise=0.1, margin="0.03", drop=0.05)
    for reason in ("to_pass", "to_detect"):
        sizes = [row.cases for row in _rows(plain, reason).values()]
        assert sizes == sorted(sizes, reverse=True)
    banked = forecast_power(cases=200, noise=0.1, margin="0.03", baseline_trials=10)
    one, more = _rows(plain, "now")[1], _rows(banked, "now")[1]
    assert (one.attempts, more.attempts) == (400, 200)
    assert (one.flips, more.flips) == (0.1, pytest.approx(0.055))
    assert _rows(plain, "now")[4].attempts == 1600


def test_a_drop_of_just_the_margin_is_detected_at_no_size() -> None:
    forecast = forecast_power(cases=200, noise=0.1, margin="0.03", drop=0.03)
    assert not _rows(forecast, "to_detect")
    assert _rows(forecast, "now")[1].fail_chance == pytest.approx(0.5, abs=0.2)


def test_a_forecast_is_json_and_takes_a_price() -> None:
    forecast = forecast_power(
        cases=200, noise=0.1, churn=0.02, margin="0.03", suite="support", noise_source="9 runs"
    )
    assert msgspec.json.decode(msgspec.json.encode(forecast), type=SuitePower) == forecast
    assert (forecast.minimum_cases, forecast.drop) == (88, None)
    assert forecast.rows[0].priced(1.25).cost_usd == 1.25


@pytest.mark.parametrize(
    "wrong",
    [
        {"noise": 1.5},
        {"churn": -0.1},
        {"alpha": 0.5},
        {"power": 1.0},
        {"drop": 0.0},
        {"trials": []},
        {"trials": [0]},
        {"margin": "1.5"},
    ],
)
def test_a_forecast_of_nonsense_is_refused(wrong: dict[str, object]) -> None:
    given = {"cases": 200, "noise": 0.1, "margin": "0.03", **wrong}
    with pytest.raises(ValueError, match=r"between|at least|alpha|margin"):
        forecast_power(**given)  # type: ignore[arg-type]


def test_the_flip_rate_is_the_chance_that_two_runs_differ() -> None:
    assert flip_rate([(5, 5), (0, 5)]) == 0.0
    assert flip_rate([(1, 2)]) == 1.0
    assert flip_rate([(2, 4)]) == pytest.approx(4 / 6)
    assert flip_rate([(2, 4), (4, 4), (1, 1)]) == pytest.approx(2 / 6)
    assert flip_rate([(1, 1), (0, 0)]) is None
    assert flip_rate([]) is None


def test_the_flip_rate_is_unbiased() -> None:
    rng = np.random.default_rng(8)
    rates = _flaky(40_000, 0.1)
    for runs in (2, 3, 7):
        passes = rng.binomial(runs, rates)
        assert flip_rate([(int(k), runs) for k in passes]) == pytest.approx(0.1, abs=0.005)


@pytest.mark.parametrize("passes", [(3, 2), (-1, 2)])
def test_more_passes_than_runs_are_refused(passes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="runs"):
        flip_rate([passes])
