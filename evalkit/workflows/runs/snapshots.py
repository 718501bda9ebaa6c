"""What a suite is scored and decided with, as a bundle keeps it."""

from collections.abc import Sequence
from typing import Any

import yaml

from evalkit.control.redaction import Redactor
from evalkit.errors import Refused
from evalkit.gate.settings import margin_of
from evalkit.records.cases import Cases
from evalkit.records.run import Flake, JudgeSetting, SuiteSnapshot
from evalkit.records.verdict import Look, Quarantined, Waiver
from evalkit.workflows.gate_settings import gate_settings
from evalkit.workflows.guards.guarding import guard_part
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.setup.variants import SuiteSetup, Variant


def take_snapshot(
    setup: SuiteSetup,
    cases: Cases,  # redacted
    request: RunRequest,
    *,
    guards: Sequence[str],
    repeatable: bool,
    flaky: Sequence[Flake],
    waivers: Sequence[Waiver],
    judges: Sequence[JudgeSetting],
    today: str,
) -> SuiteSnapshot:
    """The suite's snapshot before anything ran.

    `repeatable` tells that a further trial would be a new measurement: only then can the gate look
    again. Raises Refused for a gate that requires nothing.
    """
    suite = setup.assets.suite
    trials = request.trials or suite.trials
    golden = setup.assets.golden
    snapshot = SuiteSnapshot(
        suite=setup.name,
        golden=golden.reference,
        golden_path=golden.path,
        cases=cases,
        scorers=tuple(entry.plain(without_none=True) for entry in suite.scorers),
        gate=suite.gate.plain(),
        has_baseline=setup.has_baseline,
        trials=trials,
        baseline_trials=_stored_trials(setup, "baseline"),
        schemas=dict(setup.assets.schemas),
        # a drill is there to see what the fallback answers
        fallback="accept" if request.faults else suite.fallback,
        owner=suite.owner,
        guards=(*((guard_part(guards, suite.owner),) if guards else ()), *setup.parts),
        repeatable=repeatable,
        looks=_looks(setup, request, trials) if repeatable else (),
        anchor=_anchor_words(setup),
        anchor_trials=_stored_trials(setup, "anchor"),
        quarantined=tuple(
            Quarantined(case=case, until=entry.until, reason=entry.reason)
            for case, entry in suite.quarantine.cases.items()
        ),
        waivers=tuple(waivers),
        flaky=tuple(flaky),
        today=today,
        texts=_texts(setup),
        judges=tuple(judges),
    )
    try:
        gate_settings(snapshot)
    except ValueError as error:
        raise Refused(f"suite {setup.name}: {error}") from error
    return snapshot


def _looks(setup: SuiteSetup, request: RunRequest, trials: int) -> tuple[Look, ...]:
    """The looks of a gate that escalates; none where it looks once.

    A run of selected cases or with faults never gates, a shard knows nothing of the others, and
    `--trials` asks for just that many.
    """
    gate = setup.assets.suite.gate
    once = not request.gates or request.trials is not None or not setup.has_baseline
    if once or gate.on_inconclusive != "escalate":
        return ()
    from evalkit.gate.looks import plan_looks

    return plan_looks(
        trials=trials,
        alpha=gate.alpha,
        max_trials=gate.max_trials,
        groups=setup.assets.golden.groups,
        margin=margin_of(gate.max_drop_pp),
    )


def _anchor_words(setup: SuiteSetup) -> str | None:
    if setup.stored_anchor is not None:
        return f"run {setup.stored_anchor.record.id}"
    return None if setup.anchor is None else setup.anchor.source


def _stored_trials(setup: SuiteSetup, arm: str) -> int | None:
    for name, run in setup.replayed.items():
        if name == arm and (snapshot := run.snapshot(setup.name)) is not None:
            return snapshot.trials
    return None


def _texts(setup: SuiteSetup) -> dict[str, dict[str, str]]:
    """The assets of every arm as text, for a reader who asks what changed."""
    texts = {str(variant.name): _variant_texts(variant) for variant in setup.variants}
    for name, run in setup.replayed.items():
        snapshot = run.snapshot(setup.name)
        texts[name] = {} if snapshot is None else dict(snapshot.texts.get("candidate", {}))
    return texts


def _variant_texts(variant: Variant) -> dict[str, str]:
    redact = Redactor().redact
    texts: dict[str, str] = {}
    for name in variant.assets.digests:
        kind, _, key = name.partition(".")
        if kind == "routes":
            texts[name] = _as_yaml(variant.assets.route.plain(without_defaults=True))
        elif kind == "models" and key in variant.config.models:
            texts[name] = _as_yaml(variant.config.models[key].plain(without_defaults=True))
        elif kind == "indexes" and key in variant.config.indexes:
            texts[name] = _index_text(variant, key)
        elif variant.tree.exists(name):
            texts[name] = redact(variant.tree.read(name).decode("utf-8", "replace"))
    return texts


def _index_text(variant: Variant, name: str) -> str:
    """The settings of an index, and its files with their digests: not what stands in them."""
    settings = variant.config.indexes[name].plain(without_defaults=True)
    content = variant.assets.indexes.get(name)
    if content is not None:
        settings["files"] = {path: digest[:12] for path, digest in content.files.items()}
        settings["chunks"] = len(content.documents)
    return _as_yaml(settings)


def _as_yaml(settings: dict[str, Any]) -> str:
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
