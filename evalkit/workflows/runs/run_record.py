"""The first page of a bundle: what ran, against what, and its sums."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from evalkit._version import __version__
from evalkit.errors import Refused
from evalkit.gate.exit_codes import EXIT_INCOMPLETE
from evalkit.records.run import (
    GitState,
    JudgingTotals,
    RunRecord,
    SuiteRecord,
    SuiteSnapshot,
    VariantRecord,
)
from evalkit.records.shard import PlanIdentity
from evalkit.workflows.runs.arm_sums import ArmSums
from evalkit.workflows.runs.preparing import PreparedRun, run_cap_usd
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
    git: GitState,
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
        git=git,
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
    sums: Mapping[tuple[str, str], ArmSums] = MappingProxyType({}),
    *,
    note: str | None = None,
    judging: JudgingTotals | None = None,
) -> SuiteRecord:
    """The suite's part of run.json, with the `sums` of its arms; none before anything ran."""
    arms = {variant: arm for (suite, variant), arm in sums.items() if suite == setup.name}
    variants = _variants(setup, arms)
    return SuiteRecord(
        suite=setup.name,
        golden=setup.assets.golden.reference,
        golden_digest=setup.assets.golden.digest,
        scorers=snapshot.scorers,
        scorers_digest=setup.assets.scorers_digest,
        gate=snapshot.gate,
        variants=variants,
        totals=tuple(arms.get(each.variant, ArmSums()).totals(each.variant) for each in variants),
        cases=len(snapshot.cases),
        trials=snapshot.trials,
        asked_trials=min((look.trials for look in snapshot.looks), default=snapshot.trials),
        owner=snapshot.owner,
        fallback=snapshot.fallback,
        notes=setup.notes if note is None else (*setup.notes, note),
        judging=judging,
    )


def _variants(setup: SuiteSetup, arms: Mapping[str, ArmSums]) -> tuple[VariantRecord, ...]:
    contents = arm_contents(setup)
    records = [
        _variant(variant, contents[variant.name], arms.get(variant.name, ArmSums()))
        for variant in setup.variants
    ]
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
                origins=dict(arms.get(arm, ArmSums()).origins),
                pooled=dict(arms.get(arm, ArmSums()).pooled),
            )
        )
    order = ("baseline", "candidate", "anchor")
    return tuple(sorted(records, key=lambda record: order.index(record.variant)))


def _variant(variant: Variant, content: str, sums: ArmSums) -> VariantRecord:
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
        origins=dict(sums.origins),
        pooled=dict(sums.pooled),
    )
