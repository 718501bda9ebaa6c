"""The first page of a bundle: what ran, against what, and its sums."""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from evalkit.records.attempt import Attempt
from evalkit.records.run import SuiteRecord, SuiteSnapshot, Totals, VariantRecord
from evalkit.workflows.deciding import Place
from evalkit.workflows.variants import SuiteSetup, Variant


def suite_record(
    setup: SuiteSetup,
    snapshot: SuiteSnapshot,
    attempts: Iterable[Attempt] = (),
    passes: Mapping[Place, bool | None] | None = None,
) -> SuiteRecord:
    """The suite's part of run.json; sums are empty before anything ran."""
    mine = [attempt for attempt in attempts if attempt.suite == setup.name]
    names = ("baseline", "candidate") if setup.has_baseline else ("candidate",)
    return SuiteRecord(
        suite=setup.name,
        golden=setup.assets.golden.reference,
        golden_digest=setup.assets.golden.digest,
        scorers=snapshot.scorers,
        scorers_digest=setup.assets.scorers_digest,
        gate=snapshot.gate,
        variants=_variants(setup, mine),
        totals=tuple(
            variant_totals(name, [a for a in mine if a.variant == name], passes or {})
            for name in names
        ),
        cases=len(snapshot.cases),
        trials=snapshot.trials,
        owner=snapshot.owner,
        fallback=snapshot.fallback,
        notes=setup.notes,
    )


def _variants(setup: SuiteSetup, attempts: Sequence[Attempt]) -> tuple[VariantRecord, ...]:
    records = [_variant(variant, attempts) for variant in setup.variants]
    if setup.stored is None:
        return tuple(records)
    known = next(each for each in setup.stored.record.suites if each.suite == setup.name)
    candidate = known.variant("candidate")
    assert candidate is not None, "a complete run has a candidate"
    stored = VariantRecord(
        variant="baseline",
        source=f"run {setup.stored.record.id}",
        prompt=candidate.prompt,
        route=candidate.route,
        models=candidate.models,
        digests=candidate.digests,
        origins=_origins("baseline", attempts),
    )
    return (stored, *records)


def _variant(variant: Variant, attempts: Sequence[Attempt]) -> VariantRecord:
    models = {
        name: variant.config.models[name].id or name
        for name in variant.assets.route.models.order
        if name in variant.config.models
    }
    return VariantRecord(
        variant=variant.name,
        source=variant.source,
        prompt=variant.assets.prompt.reference,
        route=variant.assets.route.name,
        models=models,
        digests=dict(variant.assets.digests),
        origins=_origins(variant.name, attempts),
    )


def _origins(variant: str, attempts: Sequence[Attempt]) -> dict[str, int]:
    return dict(Counter(a.origin for a in attempts if a.variant == variant and a.origin))


def variant_totals(
    variant: str, attempts: Sequence[Attempt], passes: Mapping[Place, bool | None]
) -> Totals:
    """Sums over one variant's attempts, errors included."""
    latencies = [a.latency_s for a in attempts if a.origin == "live" and a.latency_s is not None]
    costs = [a.cost_usd for a in attempts if a.state != "error"]
    trials = Counter(attempt.case for attempt in attempts)
    return Totals(
        variant=variant,
        cases=len(trials),
        attempts=len(attempts),
        passed=sum(bool(passes.get(a.place)) / trials[a.case] for a in attempts),
        errors=sum(a.state == "error" for a in attempts),
        states=dict(Counter(a.state for a in attempts)),
        failure_modes=dict(Counter(str(a.failure_mode) for a in attempts if a.failure_mode)),
        input_tokens=sum(a.usage.input_tokens for a in attempts),
        output_tokens=sum(a.usage.output_tokens for a in attempts),
        cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
        billed_usd=sum(a.billed_usd for a in attempts),
        fallbacks=sum(bool(a.fallbacks) for a in attempts),
        guardrails=sum(any(d.outcome == "denied" for d in a.decisions) for a in attempts),
        latency_p50_s=statistics.median(latencies) if latencies else None,
        latency_p95_s=_p95(latencies),
    )


def _p95(values: Sequence[float]) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, -(-95 * len(ordered) // 100) - 1)]
