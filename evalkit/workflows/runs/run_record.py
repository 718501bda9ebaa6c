"""The first page of a bundle: what ran, against what, and its sums."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from evalkit._version import __version__
from evalkit.errors import Refused
from evalkit.gate.verdict import EXIT_INCOMPLETE
from evalkit.records.attempt import Attempt, FailureMode, Place
from evalkit.records.run import (
    JudgingTotals,
    RunRecord,
    SuiteRecord,
    SuiteSnapshot,
    Totals,
    VariantRecord,
)
from evalkit.records.shard import PlanIdentity
from evalkit.report.amounts import measure
from evalkit.score.scoring import guardrail_triggered
from evalkit.workflows.runs.preparing import PreparedRun, run_cap_usd
from evalkit.workflows.setup.commit import read_commit
from evalkit.workflows.setup.content import arm_contents
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.setup.variants import SuiteSetup, Variant
from evalkit.workflows.wiring import Wiring

_NAMED = 4


def started_record(
    prepared: PreparedRun,
    request: RunRequest,
    wiring: Wiring,
    run_id: str,
    command: tuple[str, ...],
    before: RunRecord | None,
    plan: PlanIdentity | None = None,
) -> RunRecord:
    """run.json as it stands while the run is under way: a killed run stays like this."""
    now = wiring.clock.now().isoformat()
    return RunRecord(
        schema="evalkit.run/1",
        id=run_id,
        evalkit=__version__,
        state="running",
        started_at=now if before is None else before.started_at,
        finished_at=now,
        duration_s=0.0 if before is None else before.duration_s,
        command=command,
        suites=tuple(
            suite_record(setup, snapshot)
            for setup, snapshot in zip(prepared.setups, prepared.snapshots, strict=True)
        ),
        verdict=None,
        exit_code=EXIT_INCOMPLETE,
        git=read_commit(wiring.root, wiring.environ),
        gates=request.gates,
        why=("The run did not finish.",),
        warnings=prepared.warnings,
        budget_usd=run_cap_usd(prepared.config),
        concurrency=request.concurrency or prepared.config.run.concurrency,
        changes=dict(request.changes),
        baseline=request.baseline,
        request=msgspec.to_builtins(request),
        prices=wiring.prices.used,
        shard=request.shard,
        plan=plan,
    )


def check_unchanged(before: RunRecord, now: RunRecord) -> None:
    """Raise Refused where the project is no longer what the stopped run was measuring."""
    for old, new in zip(before.suites, now.suites, strict=False):
        changed = [
            name
            for name, a, b in (
                ("the suites", old.suite, new.suite),
                ("the golden set", old.golden_digest, new.golden_digest),
                ("the scorers", old.scorers_digest, new.scorers_digest),
                ("the gate", old.gate, new.gate),
                ("the trials", old.asked_trials, new.asked_trials),
                ("the fallback rule", old.fallback, new.fallback),
            )
            if a != b
        ]
        for variant in new.variants:
            known = old.variant(variant.variant)
            before_, now_ = {} if known is None else known.digests, variant.digests
            differ = sorted(
                name for name in before_.keys() | now_.keys() if before_.get(name) != now_.get(name)
            )
            if differ:
                more = f" and {len(differ) - _NAMED} more" if len(differ) > _NAMED else ""
                changed.append(f"the {variant.variant}'s {', '.join(differ[:_NAMED])}{more}")
        if changed:
            raise Refused(
                f"{', '.join(changed)} of suite {new.suite} changed since run {before.id} was "
                "started, so its attempts cannot be joined with new ones; start a new run"
            )
    if len(before.suites) != len(now.suites):
        raise Refused(f"the suites changed since run {before.id} was started; start a new run")


def check_judges(before: Iterable[SuiteSnapshot], now: Iterable[SuiteSnapshot]) -> None:
    """Raise Refused where another judge, or one by another threshold, would go on judging."""
    old = {each.suite: _judges(each) for each in before}
    for snapshot in now:
        known = old.get(snapshot.suite)
        if known is not None and known != _judges(snapshot):
            raise Refused(
                f"the judges of suite {snapshot.suite} changed since the run was started, so its "
                "judgments cannot be joined with new ones; start a new run"
            )


def _judges(snapshot: SuiteSnapshot) -> dict[str, tuple[str, float | None]]:
    """Who judges by each scorer, and from which score on an output passes."""
    return {each.scorer: (each.judge, each.standing.threshold) for each in snapshot.judges}


def suite_record(
    setup: SuiteSetup,
    snapshot: SuiteSnapshot,
    attempts: Iterable[Attempt] = (),
    passes: Mapping[Place, bool | None] | None = None,
    modes: Mapping[Place, FailureMode] | None = None,
    *,
    note: str | None = None,
    judging: JudgingTotals | None = None,
) -> SuiteRecord:
    """The suite's part of run.json; sums are empty before anything ran.

    What earlier runs lent is told by run and stays out of the sums: they measured and paid for it.
    """
    mine = [attempt for attempt in attempts if attempt.suite == setup.name]
    own = [attempt for attempt in mine if attempt.pooled_from is None]
    variants = _variants(setup, mine)
    return SuiteRecord(
        suite=setup.name,
        golden=setup.assets.golden.reference,
        golden_digest=setup.assets.golden.digest,
        scorers=snapshot.scorers,
        scorers_digest=setup.assets.scorers_digest,
        gate=snapshot.gate,
        variants=variants,
        totals=tuple(
            variant_totals(
                each.variant,
                [a for a in own if a.variant == each.variant],
                passes or {},
                modes or {},
            )
            for each in variants
        ),
        cases=len(snapshot.cases),
        trials=snapshot.trials,
        asked_trials=min((look.trials for look in snapshot.looks), default=snapshot.trials),
        owner=snapshot.owner,
        fallback=snapshot.fallback,
        notes=setup.notes if note is None else (*setup.notes, note),
        judging=judging,
    )


def _variants(setup: SuiteSetup, attempts: Sequence[Attempt]) -> tuple[VariantRecord, ...]:
    contents = arm_contents(setup)
    records = [_variant(variant, contents[variant.name], attempts) for variant in setup.variants]
    for arm, run in setup.replayed.items():
        known = next(each for each in run.record.suites if each.suite == setup.name)
        candidate = known.variant("candidate")
        assert candidate is not None, "a complete run has a candidate"
        records.append(
            VariantRecord(
                variant=arm,
                source=f"run {run.record.id}",
                prompt=candidate.prompt,
                route=candidate.route,
                models=candidate.models,
                digests=candidate.digests,
                content=contents[arm],
                origins=count_origins(arm, attempts),
                pooled=count_pooled(arm, attempts),
            )
        )
    order = ("baseline", "candidate", "anchor")
    return tuple(sorted(records, key=lambda record: order.index(record.variant)))


def _variant(variant: Variant, content: str, attempts: Sequence[Attempt]) -> VariantRecord:
    models = {
        name: variant.config.models[name].id or name
        for name in variant.assets.route.every_model
        if name in variant.config.models
    }
    return VariantRecord(
        variant=variant.name,
        source=variant.source,
        prompt=variant.assets.reference,
        route=variant.assets.route.name,
        models=models,
        digests=dict(variant.assets.digests),
        content=content,
        origins=count_origins(variant.name, attempts),
        pooled=count_pooled(variant.name, attempts),
    )


def count_pooled(variant: str, attempts: Sequence[Attempt]) -> dict[str, int]:
    """How many attempts of an arm each earlier run lent."""
    return dict(Counter(a.pooled_from for a in attempts if a.variant == variant and a.pooled_from))


def count_origins(variant: str, attempts: Sequence[Attempt]) -> dict[str, int]:
    """Where the replies of an arm came from, without those of earlier runs."""
    mine = (a for a in attempts if a.variant == variant and a.pooled_from is None)
    return dict(Counter(attempt.origin for attempt in mine if attempt.origin))


def variant_totals(
    variant: str,
    attempts: Sequence[Attempt],
    passes: Mapping[Place, bool | None],
    modes: Mapping[Place, FailureMode],
) -> Totals:
    """Sums over one variant's attempts, errors included."""
    amounts = measure(attempts, [passes.get(attempt.place) for attempt in attempts])
    trials = Counter(attempt.case for attempt in attempts)
    return Totals(
        variant=variant,
        cases=len(trials),
        attempts=len(attempts),
        passed=sum(bool(passes.get(a.place)) / trials[a.case] for a in attempts),
        errors=sum(not attempt.has_result for attempt in attempts),
        states=dict(Counter(a.state for a in attempts)),
        failure_modes=dict(Counter(str(modes[a.place]) for a in attempts if a.place in modes)),
        input_tokens=amounts.input_tokens,
        output_tokens=amounts.output_tokens,
        cost_usd=amounts.cost_usd,
        billed_usd=amounts.billed_usd,
        fallbacks=sum(bool(a.fallbacks) for a in attempts),
        guardrails=sum(guardrail_triggered(attempt) for attempt in attempts),
        latency_p50_s=amounts.latency_p50_s,
        latency_p95_s=amounts.latency_p95_s,
        warned=_warned(attempts),
    )


def _warned(attempts: Sequence[Attempt]) -> dict[str, int]:
    """Attempts by the rule that would have acted on them; a vendor's guardrail has no such mode."""
    rules = Counter(
        rule
        for attempt in attempts
        for rule in {
            decision.rule
            for decision in attempt.decisions
            if decision.outcome == "warned" and decision.act != "guardrail"
        }
    )
    return dict(sorted(rules.items()))
