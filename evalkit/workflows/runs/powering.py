"""`evalkit plan --power`: how many cases and trials a suite needs, and what they would cost."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from evalkit.errors import Refused, UsageError
from evalkit.gate.forecasts import USUAL_PASS_RATE, forecast_power
from evalkit.gate.power import flip_rate
from evalkit.ports import History
from evalkit.records.history import CaseTally
from evalkit.records.plan import PlannedSuite
from evalkit.records.power import SuitePower
from evalkit.records.run import SuiteSnapshot
from evalkit.store.runs import RunStore
from evalkit.workflows.gate_settings import gate_settings
from evalkit.workflows.runs.forecasting import ASSUMED_FLIP_SHARE
from evalkit.workflows.runs.planning import prepared_only
from evalkit.workflows.runs.preparing import PreparedRun
from evalkit.workflows.setup.content import arm_contents
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.setup.variants import SuiteSetup
from evalkit.workflows.wiring import Wiring

# below this many repeated cases a measured flip rate says little
_FEWEST_CASES = 20
_LOOK_BACK = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerQuestion:
    """What is asked: which drop should be seen (a fraction), and the flip rate if it is known."""

    drop: float | None = None
    flips: float | None = None


def forecast_suites(
    request: RunRequest, question: PowerQuestion, *, wiring: Wiring
) -> tuple[SuitePower, ...]:
    """What every suite of `request` can tell, and what it would take to tell more.

    Nothing is called. Raises what a run would raise before its first call, UsageError for shares
    that are none, and Refused where no suite compares anything.
    """
    for name, share in (("--drop", question.drop), ("--flip-rate", question.flips)):
        if share is not None and not 0 < share <= 1:
            raise UsageError(f"{name} is above 0 and at most 100, not {100 * share:g}")
    return asyncio.run(_forecast(request, question, wiring))


async def _forecast(
    request: RunRequest, question: PowerQuestion, wiring: Wiring
) -> tuple[SuitePower, ...]:
    store = RunStore(wiring.root)
    async with prepared_only(request, wiring) as (prepared, history):
        found = [
            _suite_power(setup, snapshot, question, prepared, history, store)
            for setup, snapshot in zip(prepared.setups, prepared.snapshots, strict=True)
        ]
    compared = tuple(each for each in found if each is not None)
    if not compared:
        raise Refused("no suite of these has a baseline and a margin, so there is no drop to see")
    return compared


def _suite_power(
    setup: SuiteSetup,
    snapshot: SuiteSnapshot,
    question: PowerQuestion,
    prepared: PreparedRun,
    history: History,
    store: RunStore,
) -> SuitePower | None:
    settings = gate_settings(snapshot)
    if settings.margin is None or not snapshot.has_baseline:
        return None
    tallies = history.tallies(setup.name, arm_contents(setup)["baseline"])
    noise, source = _noise(question, tallies)
    churn = 0.0 if question.flips is not None else _churn(setup.name, noise, history, store)
    if churn:
        source += f"; the last change that was measured flipped {100 * churn:.1f} % beyond that"
    groups = snapshot.cases.groups
    forecast = forecast_power(
        suite=setup.name,
        cases=groups,
        noise=noise,
        churn=churn,
        margin=settings.margin,
        alpha=settings.alpha,
        drop=question.drop,
        baseline_trials=min((t.runs for t in tallies), default=0) if snapshot.repeatable else 0,
        pass_rate=_pass_rate(tallies),
        noise_source=source,
    )
    price = next(_price(each) for each in prepared.plan.suites if each.suite == setup.name)
    if price is not None:
        price *= len(snapshot.cases) / groups  # a group is paid for case by case
    return msgspec.structs.replace(
        forecast,
        rows=tuple(
            row.priced(None if price is None else price * row.attempts) for row in forecast.rows
        ),
    )


def _noise(question: PowerQuestion, tallies: Sequence[CaseTally]) -> tuple[float, str]:
    """How often two identical runs of a case differ, and where that is known from."""
    if question.flips is not None:
        return question.flips, "as asked"
    repeated = [(tally.passes, tally.runs) for tally in tallies if tally.runs > 1]
    measured = flip_rate(repeated)
    if measured is None or len(repeated) < _FEWEST_CASES:
        return ASSUMED_FLIP_SHARE, "assumed: the baseline was not measured twice yet"
    runs = sum(count for _, count in repeated)
    return measured, f"measured on {runs:,} runs of {len(repeated):,} cases of the baseline"


def _churn(suite: str, noise: float, history: History, store: RunStore) -> float:
    """The share of cases that the last measured change flipped for good, without its drop."""
    for entry in history.runs(suite=suite, limit=_LOOK_BACK):
        before, after = entry.arm(suite, "baseline"), entry.arm(suite, "candidate")
        if before is None or after is None or before.content == after.content:
            continue
        if not store.holds(entry.id):
            continue
        verdict = store.open(entry.id).read_record().verdict
        for each in () if verdict is None else verdict.suites:
            drop = next((part for part in each.parts if part.kind == "drop"), None)
            if each.suite == suite and drop is not None and drop.counts is not None:
                table = drop.counts
                flips = (table.b + table.c - abs(table.b - table.c)) / max(1, table.cases)
                return max(0.0, flips - noise)
    return 0.0


def _pass_rate(tallies: Sequence[CaseTally]) -> float:
    rates = [tally.passes / tally.runs for tally in tallies if tally.runs]
    return sum(rates) / len(rates) if rates else USUAL_PASS_RATE


def _price(suite: PlannedSuite) -> float | None:
    """What an attempt is expected to cost at list price; None without a price."""
    made = suite.cases * suite.trials * len(suite.variants) - suite.refused
    return None if suite.listed_usd is None or not made else suite.listed_usd / made
