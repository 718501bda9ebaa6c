"""The gate of a suite's snapshot, as the arithmetic takes it."""

from evalkit.config.suites import Gate
from evalkit.gate.settings import GateSettings, MetricSettings, Rule, SliceSettings
from evalkit.records.run import SuiteSnapshot


def gate_settings(snapshot: SuiteSnapshot) -> GateSettings:
    """The suite's gate as the arithmetic takes it. Raises ValueError when it requires nothing."""
    gate = Gate.model_validate(snapshot.gate)
    return GateSettings(
        max_drop_pp=gate.max_drop_pp,
        rule=Rule(gate.rule),
        alpha=gate.alpha,
        on_inconclusive=gate.on_inconclusive,
        min_pass_rate=gate.min_pass_rate,
        invariants=tuple(gate.invariants),
        slices={
            tag: SliceSettings(
                min_pass_rate=rules.min_pass_rate,
                max_drop_pp=rules.max_drop_pp,
                required=rules.required,
            )
            for tag, rules in gate.slices.items()
        },
        metrics={
            name: MetricSettings(
                max_increase_pct=limits.max_increase_pct,
                max_increase_pp=limits.max_increase_pp,
                max_drop_pp=limits.max_drop_pp,
                required=limits.required,
            )
            for name, limits in gate.metrics.items()
        },
        anchor_margin_pp=None if snapshot.anchor is None else gate.anchor_margin_pp,
        quarantined=tuple(q for q in snapshot.quarantined if q.until >= snapshot.today),
        max_error_share=gate.max_error_share,
        owner=snapshot.owner,
        has_baseline=snapshot.has_baseline,
    )
