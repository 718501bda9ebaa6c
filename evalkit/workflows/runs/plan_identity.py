"""The digest of a plan: what machines that share a run have to agree on, part by part.

A part is named in words, so that a refusal says which one differs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from evalkit._version import __version__
from evalkit.records.digest import digest_of
from evalkit.records.run import GitState, JudgeSetting, SuiteSnapshot
from evalkit.records.shard import PlanIdentity
from evalkit.workflows.runs.preparing import PreparedRun, run_cap_usd
from evalkit.workflows.runs.run_record import suite_record
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.setup.variants import SuiteSetup

# how a machine works, and not what is measured
_OWN = ("shard", "concurrency", "cache")


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
    asked = msgspec.to_builtins(request)
    parts = {
        "the version of evalkit": __version__,
        "the number of shards": shards,
        "the commit": git.sha,
        "what the run was asked for": {k: v for k, v in asked.items() if k not in _OWN},
        "the suites": [snapshot.suite for snapshot in prepared.snapshots],
        "the budgets": [budget.model_dump() for budget in prepared.config.budgets],
        **split,
    }
    for setup, snapshot in zip(prepared.setups, prepared.snapshots, strict=True):
        parts |= _suite_parts(setup, snapshot)
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


def _suite_parts(setup: SuiteSetup, snapshot: SuiteSnapshot) -> dict[str, Any]:
    name = setup.name
    record = suite_record(setup, snapshot)
    parts: dict[str, Any] = {
        cases_part(name): sorted(case.id for case in snapshot.cases),
        f"the golden set of suite {name}": record.golden_digest,
        f"the scorers of suite {name}": [record.scorers_digest, snapshot.schemas],
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
        stored = variant.source if variant.variant in setup.replayed else None
        parts[f"the {variant.variant} of suite {name}"] = [
            variant.content,
            variant.digests,
            variant.models,
            stored,
        ]
    return parts


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
