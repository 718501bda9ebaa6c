"""One machine's part of a run: `evalkit run --shard 2/4`.

Every machine plans the whole run, so that each refuses what a whole run would refuse, and comes to
the same split and the same plan digest without asking another. Then it makes its part of it.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from evalkit.config.budgets import Budget
from evalkit.config.model import Config
from evalkit.control.prices import to_nano, to_usd
from evalkit.errors import Refused
from evalkit.plan.sharding import (
    CaseKey,
    assign_shards,
    measure_cases,
    price_cases,
    share_of,
    sum_shards,
    weigh_cases,
)
from evalkit.records.attempt import Attempt
from evalkit.records.cases import Cases
from evalkit.records.planned import select_attempts
from evalkit.records.run import GitState, RunRecord, SuiteSnapshot
from evalkit.records.shard import PlanIdentity, Shard
from evalkit.workflows.runs.plan_identity import identify_plan
from evalkit.workflows.runs.preparing import PreparedRun
from evalkit.workflows.setup.request import RunRequest

SPLIT = "the split of the cases"
PRICES = "the prices"
COSTS = "what cases took in the run of --shard-costs"
# what differs as soon as something else does
_FOLLOWING = (SPLIT, PRICES)


def take_shard(
    prepared: PreparedRun,
    request: RunRequest,
    shard: Shard,
    git: GitState,
    *,
    measured: Iterable[Attempt] | None = None,
) -> tuple[PreparedRun, PlanIdentity]:
    """The part of a prepared run that is the shard's, held to its share of the run's budgets, and
    what the whole plan is.

    `measured` are the attempts of a run that says what cases take; all shards have to be given the
    same. Raises Refused for more shards than there are cases: one would have nothing to measure.
    """
    attempts = prepared.plan.attempts
    weights = weigh_cases(attempts) if measured is None else measure_cases(attempts, measured)
    if shard.of > len(weights):
        cases = "1 case" if len(weights) == 1 else f"{len(weights):,} cases"
        raise Refused(
            f"--shard {shard.index}/{shard.of}: there are {cases} for {shard.of:,} shards, so some "
            f"would have nothing to measure; make at most {len(weights):,}"
        )
    assigned = assign_shards(weights, shard.of)
    tokens = sum_shards(weights if measured is None else weigh_cases(attempts), assigned, shard.of)
    prices = price_cases(attempts)
    usd = tokens if prices is None else sum_shards(prices, assigned, shard.of)
    split: dict[str, Any] = {
        SPLIT: sorted([*key, index] for key, index in assigned.items()),
        PRICES: usd,
    }
    if measured is not None:
        split[COSTS] = sorted([*key, weight] for key, weight in weights.items())
    plan = identify_plan(prepared, request, git, shards=shard.of, split=split)
    budgets = _share_budgets(prepared.config.budgets, shard, usd=usd, tokens=tokens)
    prepared.ledger.narrow(budgets)
    mine = {key for key, index in assigned.items() if index == shard.index}
    kept = [
        (setup, snapshot)
        for setup, whole in zip(prepared.setups, prepared.snapshots, strict=True)
        if (snapshot := _narrow(whole, mine)).cases
    ]
    part = msgspec.structs.replace(
        prepared,
        config=prepared.config.model_copy(update={"budgets": budgets}),
        setups=tuple(setup for setup, _ in kept),
        snapshots=tuple(snapshot for _, snapshot in kept),
        cases={suite: _mine(cases, suite, mine) for suite, cases in prepared.cases.items()},
        plan=msgspec.structs.replace(
            prepared.plan,
            attempts=select_attempts(attempts, lambda each: (each.suite, each.case) in mine),
        ),
        warnings=(*prepared.warnings, *_counted_apart(prepared.config)),
    )
    return part, plan


def check_same_plan(before: RunRecord, now: PlanIdentity | None) -> None:
    """Raise Refused where a shard that is resumed would be of another plan than it was."""
    if before.plan is None or now is None or before.plan.digest == now.digest:
        return
    raise Refused(
        f"{', '.join(differing_parts(before.plan, now))} changed since run {before.id} was "
        "started, so that it would be no shard of the same run any more; check out what it was "
        "started from, or make all shards anew"
    )


def differing_parts(a: PlanIdentity, b: PlanIdentity) -> list[str]:
    """The parts, by name, in which two plans differ. What follows from another one is left out."""
    names = [name for name in {**a.parts, **b.parts} if a.parts.get(name) != b.parts.get(name)]
    first = [name for name in names if name not in _FOLLOWING]
    return first or names


def _mine(cases: Cases, suite: str, mine: Collection[CaseKey]) -> Cases:
    return cases.select(at for at, id_ in enumerate(cases.ids()) if (suite, id_) in mine)


def _narrow(snapshot: SuiteSnapshot, mine: Collection[CaseKey]) -> SuiteSnapshot:
    cases = _mine(snapshot.cases, snapshot.suite, mine)
    return msgspec.structs.replace(
        snapshot,
        cases=cases,
        flaky=tuple(each for each in snapshot.flaky if cases.has(each.case)),
    )


def _share_budgets(
    budgets: Sequence[Budget], shard: Shard, *, usd: Sequence[int], tokens: Sequence[int]
) -> list[Budget]:
    """The budgets of a shard: of what caps the run, its share, so that all shards together stay
    below the cap although no machine knows what another has spent."""

    def shared(budget: Budget) -> Budget:
        if budget.scope != "run":
            return budget
        changes: dict[str, float | int] = {}
        if budget.max_usd is not None:
            changes["max_usd"] = to_usd(share_of(to_nano(budget.max_usd), usd, shard.index))
        if budget.max_tokens is not None:
            changes["max_tokens"] = share_of(budget.max_tokens, tokens, shard.index)
        return budget.model_copy(update=changes)

    return [shared(budget) for budget in budgets]


def _counted_apart(config: Config) -> list[str]:
    scopes = dict.fromkeys(budget.scope for budget in config.budgets if budget.scope != "run")
    if not scopes:
        return []
    return [
        f"budgets of a {', '.join(scopes)} are counted on every machine by itself; only those of "
        "the run are divided between its shards"
    ]
