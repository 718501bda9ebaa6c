"""The digest of a plan: what machines that share a run have to agree on, part by part.

A part is named in words, so that a refusal says which one differs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from evalkit._version import __version__
from evalkit.records.digest import digest_of
from evalkit.records.run import GitState, JudgeSetting, SuiteRecord, SuiteSnapshot
from evalkit.records.shard import PlanIdentity
from evalkit.workflows.runs.preparing import PreparedRun, run_cap_usd
from evalkit.workflows.runs.run_record import suite_record
from evalkit.workflows.setup.request import RunRequest

ASKED = "what the run was asked for"
# how a machine works, and not what is measured
_OWN = ("shard", "shard_costs", "concurrency", "cache")


def identify_plan(
    prepared: PreparedRun,
    request: RunRequest,
    git: GitState,
    *,
    shards: int,
    split: Mapping[str, Any],
) -> PlanIdentity:
    """What a whole run is, before it is narrowed to a shard; `split` are the parts that tell
    who makes which case, and with which share of the budget."""
    parts: dict[str, Any] = {
        "the version of evalkit": __version__,
        "the number of shards": shards,
        "the commit": git.sha,
        ASKED: asked_part(msgspec.to_builtins(request)),
        "the suites": [snapshot.suite for snapshot in prepared.snapshots],
        "the budgets": [budget.plain() for budget in prepared.config.budgets],
        **split,
    }
    for setup, snapshot in zip(prepared.setups, prepared.snapshots, strict=True):
        parts[cases_part(snapshot.suite)] = sorted(case.id for case in snapshot.cases)
        parts |= suite_parts(suite_record(setup, snapshot), snapshot)
    digests = {name: digest_of(value) for name, value in parts.items()}
    return PlanIdentity(
        digest=digest_parts(digests),
        parts=digests,
        suites={snapshot.suite: len(snapshot.cases) for snapshot in prepared.snapshots},
        budget_usd=run_cap_usd(prepared.config),
    )


def digest_parts(parts: Mapping[str, str]) -> str:
    """The digest of a plan by those of its parts."""
    return digest_of(dict(parts))


def cases_part(suite: str) -> str:
    """The name of the part that digests which cases a suite has."""
    return f"the cases of suite {suite}"


def digest_cases(cases: Iterable[str]) -> str:
    """The digest of which cases those are, in whatever order."""
    return digest_of(sorted(cases))


def asked_part(request: Mapping[str, Any]) -> dict[str, Any]:
    """What a request asks of the run, apart from how one machine goes about it."""
    return {key: value for key, value in request.items() if key not in _OWN}


def suite_parts(record: SuiteRecord, snapshot: SuiteSnapshot) -> dict[str, Any]:
    """The parts of a suite, apart from its cases: the same of a plan, and of a shard's bundle."""
    name = snapshot.suite
    parts: dict[str, Any] = {
        f"the golden set of suite {name}": record.golden_digest,
        f"the scorers of suite {name}": [
            record.scorers_digest,
            snapshot.scorers,
            snapshot.schemas,
        ],
        f"the gate of suite {name}": [
            snapshot.gate,
            snapshot.guards,
            snapshot.quarantined,
            snapshot.waivers,
            snapshot.has_baseline,
            snapshot.anchor,
        ],
        f"the trials of suite {name}": [
            snapshot.trials,
            snapshot.baseline_trials,
            snapshot.anchor_trials,
        ],
        f"the fallback rule of suite {name}": snapshot.fallback,
        f"the judges of suite {name}": [_judge(each) for each in snapshot.judges],
    }
    for variant in record.variants:
        # a ref has many names, a stored run one
        stored = None if stored_trials(snapshot, variant.variant) is None else variant.source
        parts[f"the {variant.variant} of suite {name}"] = [
            variant.content,
            variant.digests,
            variant.models,
            stored,
        ]
    return parts


def stored_trials(snapshot: SuiteSnapshot, variant: str) -> int | None:
    """The trials of an arm that a stored run stands for; None for one that is measured."""
    if variant == "baseline":
        return snapshot.baseline_trials
    return snapshot.anchor_trials if variant == "anchor" else None


def _judge(judge: JudgeSetting) -> list[Any]:
    """Who judges, from which score on an output passes, and what the gate makes of it."""
    return [
        judge.scorer,
        judge.judge,
        judge.standing.threshold,
        judge.gate,
        judge.margin_pp,
        judge.floor,
        judge.assume_equal_errors,
        judge.same_arms,
    ]
