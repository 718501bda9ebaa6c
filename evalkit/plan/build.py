"""Counts, prices and orders every attempt of a run before the first one is made."""

import random
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from evalkit.config.problems import capped
from evalkit.errors import ConfigError, PolicyBlocked, Problem, Refused
from evalkit.records.call import PreparedCall
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.plan import PlannedSuite, RunPlan
from evalkit.records.planned import Attempts, Shared, SuiteAttempts

# where all cases are wrong, the first say enough
_MOST_PROBLEMS = 10_000

Prepare = Callable[[str, Case, int], Awaitable[PreparedCall | None]]


class PlanJob(msgspec.Struct, frozen=True, kw_only=True):
    """One suite to plan. `prepare(variant, case, trial)` says what a call would be, without
    making it, None for a program that makes its own; it raises PolicyBlocked for what a policy
    stops before any model is asked, and ConfigError for a prompt that cannot be rendered for the
    case. Trials are numbered from `first_trial` on, which is above 1 where a run goes on from
    earlier ones."""

    suite: str
    variants: tuple[str, ...]
    cases: Cases
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
    planned: list[SuiteAttempts] = []
    suites: list[PlannedSuite] = []
    problems: dict[Problem, None] = {}
    for job in jobs:
        _refuse_empty(job)
        attempts, sums = _attempts_of(job, seed), _Sums()
        for variant, position, trial in attempts.places():
            try:
                _add(attempts, sums, variant, await _prepared(job, variant, position, trial))
            except ConfigError as error:
                problems.update(dict.fromkeys(error.problems))
                if len(problems) > _MOST_PROBLEMS:
                    raise ConfigError(capped(problems)) from error
        planned.append(attempts)
        suites.append(sums.suite(job))
    if problems:
        raise ConfigError(capped(problems))
    return RunPlan(attempts=Attempts(planned), suites=tuple(suites))


def _refuse_empty(job: PlanJob) -> None:
    for what, there in (
        ("case", bool(job.cases)),
        ("variant", bool(job.variants)),
        ("trial", job.trials >= 1),
    ):
        if not there:
            raise Refused(f"suite {job.suite} has no {what} to run, so a run would say nothing")


def _attempts_of(job: PlanJob, seed: int) -> SuiteAttempts:
    # Seeded by the suite's name too, so that a suite has one order whatever runs beside it.
    order = array("I", range(len(job.cases)))
    random.Random(f"{seed}:{job.suite}").shuffle(order)
    trials = range(job.first_trial, job.first_trial + job.trials)
    return SuiteAttempts(job.suite, job.variants, job.cases, order, trials)


async def _prepared(
    job: PlanJob, variant: str, position: int, trial: int
) -> PreparedCall | PolicyBlocked | None:
    try:
        return await job.prepare(variant, job.cases[position], trial)
    except PolicyBlocked as blocked:
        return blocked


_REFUSED = Shared("", None, 0, 0.0, True, 1, ())
_OF_PROGRAM = Shared("", "live", 0, 0.0, False, 0, ())


def _add(
    attempts: SuiteAttempts, sums: "_Sums", variant: str, call: PreparedCall | PolicyBlocked | None
) -> None:
    if isinstance(call, PolicyBlocked):
        attempts.add(_REFUSED, tokens={}, refused=f"{call.rule}: {call}")
        sums.refused += 1
        sums.tokens_of(variant)
    elif call is None:
        attempts.add(_OF_PROGRAM, tokens={})
        sums.programs += 1
        sums.tokens_of(variant)
    else:
        sums.add(variant, call)
        attempts.add(
            Shared(
                model=call.model,
                origin=call.origin,
                output_tokens=call.output_tokens,
                # with half of the output cap: what is known of a reply before there is one
                half_output_usd=(call.max_output_cost_usd or 0.0) / 2,
                priced=call.max_cost_usd is not None,
                max_calls=call.max_calls,
                parts=tuple(call.input_tokens),
            ),
            tokens=call.input_tokens,
            max_usd=call.max_cost_usd or 0.0,
            missing=call.missing,
        )


class _Usd(msgspec.Struct):
    """A sum of costs; unknown as soon as one has no price, for then nobody knows."""

    known: float = 0.0
    unknown: bool = False

    def add(self, usd: float | None) -> None:
        if usd is None:
            self.unknown = True
        else:
            self.known += usd

    @property
    def total(self) -> float | None:
        return None if self.unknown else self.known


class _Sums(msgspec.Struct):
    """The sums of a suite, as its attempts come."""

    refused: int = 0
    programs: int = 0
    missing: int = 0
    calls: int = 0
    max_calls: int = 0
    tokens: dict[str, Counter[str]] = msgspec.field(default_factory=dict)
    origins: Counter[str] = msgspec.field(default_factory=Counter)
    unpriced: set[str] = msgspec.field(default_factory=set)
    most: _Usd = msgspec.field(default_factory=_Usd)
    expected: _Usd = msgspec.field(default_factory=_Usd)
    listed: _Usd = msgspec.field(default_factory=_Usd)

    def add(self, variant: str, call: PreparedCall) -> None:
        tokens = self.tokens_of(variant)
        for part, count in call.input_tokens.items():
            tokens[part] += count
        tokens["output"] += call.output_tokens
        most, expected = call.max_cost_usd, None
        if most is not None:
            expected = most - (call.max_output_cost_usd or 0.0) / 2
        self.listed.add(expected)
        if call.missing is not None:
            self.missing += 1
            return
        self.origins[call.origin] += 1
        if call.origin == "live":
            self.calls += 1
            self.max_calls += call.max_calls
            self.most.add(most)
            self.expected.add(expected)
            if most is None:
                self.unpriced.add(call.model)

    def tokens_of(self, variant: str) -> Counter[str]:
        """The tokens of a variant so far."""
        tokens = self.tokens.get(variant)
        if tokens is None:
            tokens = self.tokens[variant] = Counter()
        return tokens

    def suite(self, job: PlanJob) -> PlannedSuite:
        tokens: Counter[str] = Counter()
        for each in self.tokens.values():
            each["output"] += 0
            tokens.update(each)
        replayed = self.origins.total() - self.calls
        if self.programs:
            self.origins["live"] += self.programs
            for usd in (self.most, self.expected, self.listed):
                usd.add(None)
        return PlannedSuite(
            suite=job.suite,
            variants=job.variants,
            cases=len(job.cases),
            trials=job.trials,
            calls=self.calls,
            programs=self.programs,
            max_calls=self.max_calls,
            replayed=replayed,
            refused=self.refused,
            missing=self.missing,
            tokens=dict(tokens),
            tokens_by_variant={name: dict(each) for name, each in self.tokens.items()},
            expected_output_tokens=tokens["output"] // 2,
            max_cost_usd=self.most.total,
            expected_cost_usd=self.expected.total,
            listed_usd=self.listed.total,
            origins=dict(self.origins),
            unpriced_models=tuple(sorted(self.unpriced)),
        )
