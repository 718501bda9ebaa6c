"""Counts, prices and orders every attempt of a run before the first one is made."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from evalkit.config.problems import capped
from evalkit.errors import ConfigError, PolicyBlocked, Problem, Refused
from evalkit.records.call import PreparedCall
from evalkit.records.case import Case
from evalkit.records.plan import PlannedAttempt, PlannedSuite, RunPlan

Prepare = Callable[[str, Case, int], Awaitable[PreparedCall | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanJob:
    """One suite to plan. `prepare(variant, case, trial)` says what a call would be, without
    making it, None for a program that makes its own; it raises PolicyBlocked for what a policy
    stops before any model is asked, and ConfigError for a prompt that cannot be rendered for the
    case. Trials are numbered from `first_trial` on, which is above 1 where a run goes on from
    earlier ones."""

    suite: str
    variants: tuple[str, ...]
    cases: Sequence[Case]
    trials: int
    prepare: Prepare
    first_trial: int = 1


async def build_plan(jobs: Sequence[PlanJob], *, seed: int) -> RunPlan:
    """The attempts of a run in the order they are to be started, with the sums of each suite.

    Suites follow each other. Within one, cases come in an order that `seed` decides, all of them
    in the first trial before the second begins, and the variants of a case side by side: what is
    cut short leaves pairs, and whole trials where it can. Every second pair is turned round, so
    that neither drift nor being asked first favours a variant.

    Raises Refused for a run without suites, cases, variants or trials, and ConfigError with every
    problem that preparing the calls brought up.
    """
    if not jobs:
        raise Refused("there is no suite to run, so there is nothing to plan")
    attempts: list[PlannedAttempt] = []
    suites: list[PlannedSuite] = []
    problems: dict[Problem, None] = {}
    for job in jobs:
        _refuse_empty(job)
        planned: list[PlannedAttempt] = []
        for variant, case, trial in _in_order(job, seed):
            try:
                planned.append(await _plan_attempt(job, variant, case, trial))
            except ConfigError as error:
                problems.update(dict.fromkeys(error.problems))
        attempts += planned
        suites.append(_sum_up(job, planned))
    if problems:
        raise ConfigError(capped(problems))
    return RunPlan(attempts=tuple(attempts), suites=tuple(suites))


def _refuse_empty(job: PlanJob) -> None:
    for what, there in (
        ("case", bool(job.cases)),
        ("variant", bool(job.variants)),
        ("trial", job.trials >= 1),
    ):
        if not there:
            raise Refused(f"suite {job.suite} has no {what} to run, so a run would say nothing")


def _in_order(job: PlanJob, seed: int) -> Iterator[tuple[str, Case, int]]:
    # Seeded by the suite's name too, so that a suite has one order whatever runs beside it.
    cases = list(job.cases)
    random.Random(f"{seed}:{job.suite}").shuffle(cases)
    pair = 0
    for trial in range(job.first_trial, job.first_trial + job.trials):
        for case in cases:
            for variant in job.variants if pair % 2 == 0 else reversed(job.variants):
                yield variant, case, trial
            pair += 1


async def _plan_attempt(job: PlanJob, variant: str, case: Case, trial: int) -> PlannedAttempt:
    try:
        call = await job.prepare(variant, case, trial)
    except PolicyBlocked as blocked:
        return PlannedAttempt(
            suite=job.suite,
            variant=variant,
            case=case.id,
            trial=trial,
            key="",
            model="",
            origin=None,
            input_tokens={},
            output_tokens=0,
            max_cost_usd=0.0,
            expected_cost_usd=0.0,
            refused=f"{blocked.rule}: {blocked}",
        )
    if call is None:
        return PlannedAttempt(
            suite=job.suite,
            variant=variant,
            case=case.id,
            trial=trial,
            key="",
            model="",
            origin="live",
            input_tokens={},
            output_tokens=0,
            max_cost_usd=None,
            max_calls=0,
        )
    return PlannedAttempt(
        suite=job.suite,
        variant=variant,
        case=case.id,
        trial=trial,
        key=call.request.key,
        model=call.model,
        origin=call.origin,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        max_cost_usd=call.max_cost_usd,
        expected_cost_usd=_expected_usd(call),
        missing=call.missing,
        max_calls=call.max_calls,
    )


def _expected_usd(call: PreparedCall) -> float | None:
    """With half of the output cap: what is known of a reply before there is one."""
    if call.max_cost_usd is None:
        return None
    return call.max_cost_usd - (call.max_output_cost_usd or 0.0) / 2


def _sum_up(job: PlanJob, planned: Sequence[PlannedAttempt]) -> PlannedSuite:
    made = [attempt for attempt in planned if attempt.refused is None]
    there = [attempt for attempt in made if attempt.missing is None]
    programs = sum(attempt.max_calls == 0 for attempt in there)
    calls = [attempt for attempt in there if attempt.origin == "live" and attempt.max_calls]
    tokens: Counter[str] = Counter()
    for attempt in made:
        tokens.update(attempt.input_tokens)
        tokens["output"] += attempt.output_tokens
    return PlannedSuite(
        suite=job.suite,
        variants=job.variants,
        cases=len(job.cases),
        trials=job.trials,
        calls=len(calls),
        programs=programs,
        max_calls=sum(attempt.max_calls for attempt in calls),
        replayed=len(there) - len(calls) - programs,
        refused=len(planned) - len(made),
        missing=len(made) - len(there),
        tokens=dict(tokens),
        expected_output_tokens=sum(attempt.output_tokens for attempt in made) // 2,
        max_cost_usd=None if programs else _total_usd([each.max_cost_usd for each in calls]),
        expected_cost_usd=None
        if programs
        else _total_usd([each.expected_cost_usd for each in calls]),
        origins=dict(Counter(attempt.origin for attempt in there if attempt.origin)),
        unpriced_models=tuple(sorted({call.model for call in calls if call.max_cost_usd is None})),
    )


def _total_usd(costs: Sequence[float | None]) -> float | None:
    """What the calls cost together; None as soon as one has no price, for then nobody knows."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
