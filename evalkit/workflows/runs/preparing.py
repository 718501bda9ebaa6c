"""Everything a run needs before its first call: variants, sessions, snapshots, the plan.

`plan` stops here and prints; `run` goes on and executes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from evalkit.config.model import Config
from evalkit.config.problems import capped
from evalkit.control.foresight import MOST_KEPT
from evalkit.control.ledger.book import Ledger
from evalkit.control.redaction import Priming
from evalkit.errors import ConfigError, Refused
from evalkit.plan.build import PlanJob, build_plan
from evalkit.ports import Cache, CallLog, Clock, EventSink, History
from evalkit.records.asset import Rubric
from evalkit.records.attempt import Attempt, VariantName
from evalkit.records.call import PreparedCall
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.plan import PlannedAttempt, RunPlan
from evalkit.records.run import Flake, SuiteSnapshot
from evalkit.sources.assets import read_config
from evalkit.sources.tree import WorkingTree
from evalkit.sources.waivers import load_waivers
from evalkit.store.runs import RunStore
from evalkit.workflows.guards.accepting import unaccepted_changes
from evalkit.workflows.runs.arms import Arm
from evalkit.workflows.runs.caching import limit_cache
from evalkit.workflows.runs.forecasting import with_forecast
from evalkit.workflows.runs.judging import RunJudges
from evalkit.workflows.runs.offline import refuse_unheld
from evalkit.workflows.runs.snapshots import take_snapshot
from evalkit.workflows.scoring import SuiteScoring
from evalkit.workflows.setup.aging import aged_cache
from evalkit.workflows.setup.base_ref import find_base
from evalkit.workflows.setup.content import arm_contents
from evalkit.workflows.setup.deadlines import ended_quarantines
from evalkit.workflows.setup.faults import check_faults, drill_words
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.setup.selecting import select_cases
from evalkit.workflows.setup.variants import SuiteSetup, Variant, set_up_suites
from evalkit.workflows.wiring import Wiring

if TYPE_CHECKING:  # few suites have a judge
    from evalkit.workflows.judges.opening import OpenedJudge
    from evalkit.workflows.judges.settings import Opener, SuiteJudgeSettings


class PreparedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that could start. `cases` are the real ones of each suite, `snapshots` hold the
    redacted ones.

    `live_arms` are those of each suite that a model answers. With `content` the spans of its
    attempts hold what was said, redacted.
    """

    config: Config
    setups: tuple[SuiteSetup, ...]
    snapshots: tuple[SuiteSnapshot, ...]
    arms: Mapping[tuple[str, str], Arm]
    cases: Mapping[str, Cases]
    plan: RunPlan
    live_arms: Mapping[str, frozenset[VariantName]]
    judges: RunJudges
    ledger: Ledger
    seed: int
    warnings: tuple[str, ...]
    clock: Clock
    content: bool = False

    async def plan_trials(self, suites: Mapping[str, tuple[int, int]]) -> RunPlan:
        """Further trials of some suites: for each the first and the last one.

        Raises what planning raises: Refused, ConfigError.
        """
        jobs = [
            _job(setup, self.cases[setup.name], self.arms, first=first, last=last)
            for setup in self.setups
            for first, last in ([suites[setup.name]] if setup.name in suites else [])
        ]
        return await build_plan(jobs, seed=self.seed)

    async def make(self, planned: PlannedAttempt) -> Attempt:
        """One attempt of the plan."""
        return await self.arms[planned.suite, planned.variant].make(
            self.cases[planned.suite].by_id(planned.case),
            suite=planned.suite,
            trial=planned.trial,
            clock=self.clock,
            content=self.content,
        )


async def prepare_run(
    request: RunRequest,
    *,
    wiring: Wiring,
    store: RunStore,
    cache: Cache | None,
    ledger: Callable[[Config], Ledger],
    history: History,
    seed: int,
    emit: EventSink | None = None,
    calls: CallLog | None = None,
) -> PreparedRun:
    """Load, wire and plan. Nothing is called and nothing is written.

    `calls` is where the run's calls are to be written down.

    Raises ConfigError, UsageError, or Refused for a run that would say nothing: no suite, nothing
    to compare with, a selection that matches nothing, a fault that breaks nothing.
    """
    wiring.drill(request.faults)
    wiring.offline = request.cache == "offline"
    assets, setups = set_up_suites(
        wiring.root,
        request,
        store=store,
        environ=wiring.environ,
        priced=wiring.prices.priced,
    )
    limit_cache(cache, assets.config)
    if wiring.offline:
        refuse_unheld(setups)
    base = find_base(wiring.root, wiring.environ)
    guards: Mapping[str, Sequence[str]] = {}
    warnings: Sequence[str] = ()
    if not request.traces:  # no merge waits for a replay
        guards, warnings = unaccepted_changes(wiring.root, request, setups, base)
    goldens = {setup.assets.golden.path for setup in setups}
    config = assets.config
    if request.traces:
        # loaded by no other run
        from evalkit.workflows.replay.arms import with_traffic
        from evalkit.workflows.replay.charging import charged_to_run

        config = charged_to_run(config)
        setups = tuple(with_traffic(setup, request, wiring.root) for setup in setups)
    selected = select_cases(request, setups, store)
    setups = tuple(setup for setup in setups if selected[setup.name])
    book = ledger(config)
    primings = {setup.name: Priming(selected[setup.name]) for setup in setups}
    arms = _arms(
        setups,
        wiring,
        ledger=book,
        cache=cache,
        emit=emit,
        calls=calls,
        # a drill falls back on models that may be live, which planning must not ask
        look_ahead=not request.faults,
    )
    for (suite, _), arm in arms.items():
        arm.plane.prime_with(primings[suite])
    day = wiring.clock.now().date()
    live = {setup.name: _live_arms(setup, wiring) for setup in setups}
    judges: Mapping[str, SuiteJudgeSettings] = {}
    if any(entry.judge is not None for each in setups for entry in each.assets.suite.scorers):
        from evalkit.workflows.judges.settings import set_up_judges

        open_one = _judge_opener(
            assets.config, request, wiring, ledger=book, cache=cache, emit=emit, calls=calls
        )
        judges = {
            setup.name: set_up_judges(setup, WorkingTree(wiring.root), open_one) for setup in setups
        }
    check_faults(request.faults, wiring.broken, assets.config)
    waivers = load_waivers(WorkingTree(wiring.root), suites=assets.config.suites, today=day)
    if request.traces:
        waivers = ()  # what was accepted was accepted of a golden set
    snapshots = tuple(
        take_snapshot(
            setup,
            primings[setup.name].redact_all(),
            request,
            guards=guards.get(setup.name, ()),
            repeatable=not setup.replayed and len(live[setup.name]) == len(setup.variants),
            flaky=_flakes(history, setup),
            waivers=[each for each in waivers if each.suite == setup.name],
            judges=judges[setup.name].settings if judges else (),
            today=day.isoformat(),
        )
        for setup in setups
    )
    _check_scorable(snapshots)
    plan = await build_plan(
        [
            _job(setup, selected[setup.name], arms, first=1, last=snapshot.trials)
            for setup, snapshot in zip(setups, snapshots, strict=True)
        ],
        seed=seed,
    )
    opened = {
        (name, scorer): judge
        for name, each in judges.items()
        for scorer, judge in each.opened.items()
    }
    plan = with_forecast(plan, snapshots)
    if opened:
        from evalkit.workflows.runs.judge_planning import with_judging

        stored = {setup.name: setup.stored for setup in setups if setup.stored is not None}
        plan = with_judging(plan, snapshots, opened, stored)
    return PreparedRun(
        config=config,
        setups=setups,
        snapshots=snapshots,
        arms=arms,
        cases=selected,
        plan=msgspec.structs.replace(plan, drill=tuple(drill_words(request.faults, wiring.broken))),
        live_arms=live,
        judges=RunJudges(opened=opened, clock=wiring.clock),
        ledger=book,
        seed=seed,
        warnings=(
            *(
                str(problem)
                for problem in assets.warnings
                # of a golden set that gave way to traffic
                if not (request.traces and problem.file in goldens)
            ),
            *warnings,
            *_uncounted(setups, assets.config),
            *drill_words(request.faults, wiring.broken),
            *ended_quarantines({setup.name: setup.assets.suite for setup in setups}, day),
        ),
        clock=wiring.clock,
        content=assets.config.telemetry.content == "redacted",
    )


def _arms(
    setups: Sequence[SuiteSetup],
    wiring: Wiring,
    *,
    ledger: Ledger,
    cache: Cache | None,
    emit: EventSink | None,
    calls: CallLog | None,
    look_ahead: bool,
) -> dict[tuple[str, str], Arm]:
    """Every arm to measure, by suite and variant; what they spend is held in one ledger."""
    now = wiring.clock.now()
    return {
        (setup.name, variant.name): Arm(
            variant.name,
            wiring.control_plane(
                variant.config,
                variant.assets.route,
                suite=setup.name,
                ledger=ledger,
                cache=aged_cache(cache, setup, now=now),
                tested=True,
                may_ask=variant.assets.suite.target.program is None,
                emit=emit,
                calls=calls,
                indexes=variant.assets.indexes,
                output_schema=variant.assets.output_schema,
                policy_code=variant.assets.policy_code,
            ),
            wiring.programs.build(
                variant.assets, variant.config, variant.tree, look_ahead=look_ahead
            ),
            variant.assets.suite.target.step,
        )
        for setup in setups
        for variant in setup.variants
    }


def _judge_opener(
    config: Config,
    request: RunRequest,
    wiring: Wiring,
    *,
    ledger: Ledger,
    cache: Cache | None,
    emit: EventSink | None,
    calls: CallLog | None,
) -> "Opener":
    """Opens a judge once for all suites that use its rubric.

    A judge is the working tree's, without the changes of this run: both variants are measured with
    the instrument that was calibrated, and a change of the target cannot change it.
    """
    from evalkit.workflows.judges.opening import open_judge

    if request.changes:
        config = read_config(WorkingTree(wiring.root))
    opened: dict[str, OpenedJudge] = {}

    def open_one(rubric: Rubric, threshold: float | None) -> "OpenedJudge":
        if rubric.ref not in opened:
            opened[rubric.ref] = open_judge(
                rubric,
                config=config,
                wiring=wiring,
                ledger=ledger,
                cache=cache,
                threshold=threshold,
                emit=emit,
                calls=calls,
            )
        return opened[rubric.ref]

    return open_one


def _live_arms(setup: SuiteSetup, wiring: Wiring) -> frozenset[VariantName]:
    """The arms that a model answers, so that a further trial would be a new measurement."""
    if wiring.offline:
        return frozenset()
    return frozenset(
        variant.name for variant in setup.variants if _is_live(variant, setup.name, wiring)
    )


def _is_live(variant: Variant, suite: str, wiring: Wiring) -> bool:
    """Whether a model answers: an application by itself, a function by whom its session asks."""
    target = variant.assets.suite.target
    if target.http is not None or target.command is not None:
        return True
    route = variant.assets.route
    try:
        asked = wiring.provider(variant.config, route.models.first, suite=suite, route=route)
    except Refused:
        if target.program is None:
            raise
        return True  # the function has to answer without it
    return asked.origin == "live"


def _flakes(history: History, setup: SuiteSetup) -> tuple[Flake, ...]:
    if setup.assets.suite.target.http is not None:
        return ()  # nobody knows whether it was the same application
    content = arm_contents(setup).get("baseline")
    return () if content is None else history.flakes(setup.name, content)


def run_cap_usd(config: Config) -> float | None:
    """The tightest cap in USD of a run; None without one."""
    caps = (budget.max_usd for budget in config.budgets if budget.scope == "run")
    return min((cap for cap in caps if cap is not None), default=None)


def _uncounted(setups: Sequence[SuiteSetup], config: Config) -> list[str]:
    """What a budget in USD cannot hold: what programs ask by themselves."""
    if run_cap_usd(config) is None:
        return []
    return [
        f"suite {setup.name}: the budget in USD does not hold what {setup.assets.reference} spends "
        "by itself, outside of a session"
        for setup in setups
        if (program := setup.assets.suite.target.program) is not None and not program.gateway
    ]


def _check_scorable(snapshots: Sequence[SuiteSnapshot]) -> None:
    """Raise ConfigError for cases that no attempt could pass or fail, whatever it answers."""
    problems = [each for snapshot in snapshots for each in SuiteScoring(snapshot).problems()]
    if problems:
        raise ConfigError(capped(problems))


def _job(
    setup: SuiteSetup,
    cases: Cases,
    arms: Mapping[tuple[str, str], Arm],
    *,
    first: int,
    last: int,
) -> PlanJob:
    few = len(cases) * (last - first + 1) <= MOST_KEPT

    async def prepare(variant: str, case: Case, trial: int) -> PreparedCall | None:
        arm = arms[setup.name, variant]
        opening = arm.plane.opening(
            case,
            suite=setup.name,
            variant=variant,
            prompt=arm.target.reference,
            step=arm.step,
            keeping=few,
        )
        return await arm.target.prepare(opening, case, trial)

    return PlanJob(
        suite=setup.name,
        variants=tuple(variant.name for variant in setup.variants),
        cases=cases,
        trials=last - first + 1,
        first_trial=first,
        prepare=prepare,
    )
