"""Everything a run needs before its first call: variants, sessions, snapshots, the plan.

`plan` stops here and prints; `run` goes on and executes.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from evalkit.config.model import Config
from evalkit.config.problems import capped
from evalkit.control.budget import Ledger
from evalkit.control.factory import ControlPlane
from evalkit.control.redaction import redact_case
from evalkit.errors import ConfigError, Refused
from evalkit.execute.prompt_target import PromptTarget
from evalkit.gate.power import detectable_drop, minimum_cases
from evalkit.plan.build import PlanJob, build_plan
from evalkit.ports import Cache, Clock, EventSink
from evalkit.records.attempt import Attempt, VariantName
from evalkit.records.call import PreparedCall
from evalkit.records.case import Case
from evalkit.records.plan import PlannedAttempt, PlannedSuite, RunPlan
from evalkit.records.run import SuiteSnapshot
from evalkit.store.runs import RunStore
from evalkit.workflows.base_ref import find_base
from evalkit.workflows.deciding import SuiteScoring, gate_settings
from evalkit.workflows.guards import guard_part, guard_suites
from evalkit.workflows.request import RunRequest
from evalkit.workflows.selecting import select_cases
from evalkit.workflows.unexercised import find_unexercised, unexercised_error
from evalkit.workflows.variants import SuiteSetup, set_up_suites
from evalkit.workflows.wiring import Wiring

# what flips between identical runs where nothing is known about the suite yet
ASSUMED_FLIP_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant of one suite, ready to make attempts."""

    plane: ControlPlane
    target: PromptTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRun:
    """A run that could start. `cases` are the real ones, `snapshots` hold the redacted ones."""

    config: Config
    setups: tuple[SuiteSetup, ...]
    snapshots: tuple[SuiteSnapshot, ...]
    arms: Mapping[tuple[str, str], Arm]
    cases: Mapping[tuple[str, str], Case]
    plan: RunPlan
    warnings: tuple[str, ...]
    clock: Clock

    async def make(self, planned: PlannedAttempt) -> Attempt:
        """One attempt of the plan."""
        variant: VariantName = "candidate" if planned.variant == "candidate" else "baseline"
        arm = self.arms[planned.suite, variant]
        case = self.cases[planned.suite, planned.case]
        session = arm.plane.open(
            case,
            suite=planned.suite,
            variant=variant,
            prompt=arm.target.prompt.reference,
        )
        return await arm.target.attempt(
            session,
            case,
            suite=planned.suite,
            variant=variant,
            trial=planned.trial,
            clock=self.clock,
        )


async def prepare_run(
    request: RunRequest,
    *,
    wiring: Wiring,
    store: RunStore,
    cache: Cache | None,
    ledger: Callable[[Config], Ledger],
    seed: int,
    emit: EventSink | None = None,
) -> PreparedRun:
    """Load, wire and plan. Nothing is called and nothing is written.

    Raises ConfigError, UsageError, or Refused for a run that would say nothing: no suite, nothing
    to compare with, a selection that matches nothing.
    """
    assets, setups = set_up_suites(wiring.root, request, store=store, environ=wiring.environ)
    guards, warnings = _guards(request, setups, wiring)
    selected = select_cases(request, setups, store)
    setups = tuple(setup for setup in setups if selected[setup.name])
    book = ledger(assets.config)
    arms: dict[tuple[str, str], Arm] = {
        (setup.name, variant.name): Arm(
            wiring.control_plane(
                variant.config,
                variant.assets.route,
                suite=setup.name,
                ledger=book,
                cache=cache,
                emit=emit,
            ),
            PromptTarget(variant.assets.prompt, route=variant.assets.route.name),
        )
        for setup in setups
        for variant in setup.variants
    }
    cases = {(name, case.id): case for name, chosen in selected.items() for case in chosen}
    snapshots = tuple(
        _snapshot(setup, selected[setup.name], request, guards.get(setup.name, ()))
        for setup in setups
    )
    _check_scorable(snapshots)
    plan = await build_plan(
        [
            PlanJob(
                suite=snapshot.suite,
                variants=tuple(variant.name for variant in setup.variants),
                cases=selected[snapshot.suite],
                trials=snapshot.trials,
                prepare=_prepare(arms, snapshot.suite),
            )
            for setup, snapshot in zip(setups, snapshots, strict=True)
        ],
        seed=seed,
    )
    plan = _with_power(plan, snapshots)
    return PreparedRun(
        config=assets.config,
        setups=setups,
        snapshots=snapshots,
        arms=arms,
        cases=cases,
        plan=plan,
        warnings=(*(str(problem) for problem in assets.warnings), *warnings),
        clock=wiring.clock,
    )


def run_cap_usd(config: Config) -> float | None:
    """The tightest cap in USD of a run; None without one."""
    caps = [budget.max_usd for budget in config.budgets if budget.max_usd is not None]
    return min(caps, default=None)


def _guards(
    request: RunRequest, setups: Sequence[SuiteSetup], wiring: Wiring
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """What became weaker, per suite, unless it was accepted; and warnings for what was accepted."""
    base = find_base(wiring.root, wiring.environ)
    warnings = []
    if base.unseen:
        warnings.append(
            "this clone is shallow, so nothing shows whether the change loosened its own gate; "
            "check out with fetch-depth: 0"
        )
    unexercised = find_unexercised(wiring.root, setups, base)
    if unexercised and not request.selects:
        names = ", ".join(setup.name for setup in setups)
        if not request.allow_unexercised:
            raise unexercised_error(unexercised, names)
        warnings.append(
            f"accepted by --allow-unexercised, tested by nothing: {', '.join(unexercised)}"
        )
    guards, gone = guard_suites(wiring.root, setups, base)
    if gone and setups:
        first = setups[0].name
        sentences = tuple(f"the suite {name} is gone or no longer runs by default" for name in gone)
        guards[first] = (*guards[first], *sentences)
    if request.accept_gate_change:
        warnings += [
            f"accepted by --accept-gate-change, {name}: {sentence}"
            for name, sentences in guards.items()
            for sentence in sentences
        ]
        return {}, tuple(warnings)
    return guards, tuple(warnings)


def _snapshot(
    setup: SuiteSetup, cases: Sequence[Case], request: RunRequest, guards: Sequence[str]
) -> SuiteSnapshot:
    suite = setup.assets.suite
    stored = setup.stored.snapshot(setup.name) if setup.stored is not None else None
    golden = setup.assets.golden
    snapshot = SuiteSnapshot(
        suite=setup.name,
        golden=golden.reference,
        golden_path=golden.path,
        cases=tuple(redact_case(case) for case in cases),
        scorers=tuple(entry.model_dump(exclude_none=True) for entry in suite.scorers),
        gate=suite.gate.model_dump(),
        has_baseline=setup.has_baseline,
        trials=request.trials or suite.trials,
        baseline_trials=None if stored is None else stored.trials,
        schemas=dict(setup.assets.schemas),
        lines={case.id: golden.lines[case.id] for case in cases if case.id in golden.lines},
        fallback=suite.fallback,
        owner=suite.owner,
        guards=(guard_part(guards, suite.owner),) if guards else (),
    )
    try:
        gate_settings(snapshot)
    except ValueError as error:
        raise Refused(f"suite {setup.name}: {error}") from error
    return snapshot


def _check_scorable(snapshots: Sequence[SuiteSnapshot]) -> None:
    """Raise ConfigError for cases that no attempt could pass or fail, whatever it answers."""
    problems = [each for snapshot in snapshots for each in SuiteScoring(snapshot).problems()]
    if problems:
        raise ConfigError(capped(problems))


def _prepare(
    arms: Mapping[tuple[str, str], Arm], suite: str
) -> Callable[[str, Case, int], Awaitable[PreparedCall]]:
    async def prepare(variant: str, case: Case, trial: int) -> PreparedCall:
        arm = arms[suite, variant]
        session = arm.plane.open(
            case, suite=suite, variant=variant, prompt=arm.target.prompt.reference
        )
        return await arm.target.prepare(session, case, trial)

    return prepare


def _with_power(plan: RunPlan, snapshots: Sequence[SuiteSnapshot]) -> RunPlan:
    """The plan with what each suite can tell, by the formulas of the gate."""
    by_name = {snapshot.suite: snapshot for snapshot in snapshots}
    suites = tuple(_powered(suite, by_name[suite.suite]) for suite in plan.suites)
    return RunPlan(attempts=plan.attempts, suites=suites)


def _powered(suite: PlannedSuite, snapshot: SuiteSnapshot) -> PlannedSuite:
    settings = gate_settings(snapshot)
    if not snapshot.has_baseline or settings.margin is None:
        return suite
    groups = len({case.group or case.id for case in snapshot.cases})
    return msgspec.structs.replace(
        suite,
        flip_share=ASSUMED_FLIP_SHARE,
        detectable_drop=detectable_drop(
            groups, ASSUMED_FLIP_SHARE, alpha=settings.alpha, margin=settings.margin
        ),
        cases_to_pass=minimum_cases(settings.margin, settings.alpha),
    )
