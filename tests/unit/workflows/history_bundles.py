"""Bundles on disk, from whether each arm's reply to each case was right."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.records.attempt import Attempt, VariantName
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.run import (
    GitState,
    RunRecord,
    StoredRun,
    SuiteRecord,
    SuiteSnapshot,
    VariantRecord,
)
from evalkit.store.bundle import Bundle
from evalkit.store.runs import RunStore
from evalkit.workflows.deciding import decide, score_attempts

SHA = "0123456789abcdef0123456789abcdef01234567"
MAIN = GitState(sha=SHA, branch="main", main=True)
GATE = {"max_drop_pp": None, "min_pass_rate": 0.5}
SCORERS = ({"exact": {}, "gate": True},)


def attempt(variant: VariantName, case: str, *, right: bool, **changes: Any) -> Attempt:
    """A live attempt with a measurement of its own, by its changes."""
    return Attempt(
        **{
            "at": "2026-11-24T01:00:00+00:00",
            "variant": variant,
            "suite": "ask",
            "case": case,
            "trial": 1,
            "key": f"{variant}-{case}",
            "state": "answered",
            "origin": "live",
            "output": "yes" if right else "no",
            "model": "tiny",
            "planned_model": "tiny",
            "latency_s": 0.5,
            "cost_usd": 0.25,
            "measurement_id": f"{variant}-{case}",
            **changes,
        }
    )


def write_run(
    root: Path,
    number: int,
    arms: Mapping[VariantName, Mapping[str, bool]],
    *,
    contents: Mapping[str, str] | None = None,
    attempts: tuple[Attempt, ...] | None = None,
    **changes: Any,
) -> StoredRun:
    """The bundle of hour `number`: whether the reply to each case was right, by arm.

    Each run's measurements are its own unless `attempts` are given.
    """
    cases = Cases.of(
        Case(id=case, input={"q": case}, expected={"output": "yes"}, tags=(case[0],))
        for case in next(iter(arms.values()))
    )
    snapshot = SuiteSnapshot(
        suite="ask",
        golden="ask@v1",
        golden_path="goldensets/ask/v1/cases.jsonl",
        cases=cases,
        scorers=SCORERS,
        gate=GATE,
        has_baseline="baseline" in arms,
        trials=1,
    )
    if attempts is None:
        attempts = tuple(
            attempt(variant, case, right=right, measurement_id=f"{number}-{variant}-{case}")
            for variant, results in arms.items()
            for case, right in results.items()
        )
    scores = tuple(score_attempts([snapshot], attempts))
    verdict = decide([snapshot], attempts, scores)
    at = f"2026-11-24T{number:02}:00:00+00:00"
    record = RunRecord(
        **{
            "schema": "evalkit.run/1",
            "id": f"20261124T{number:02}0000Z-0000",
            "evalkit": "0.3.0",
            "state": "complete",
            "started_at": at,
            "finished_at": at,
            "duration_s": 1.0,
            "command": ("run",),
            "suites": (_suite(snapshot, arms, contents or {}),),
            "verdict": verdict,
            "exit_code": verdict.exit_code,
            "git": MAIN,
            **changes,
        }
    )
    store = RunStore(root)
    bundle = Bundle(store.folder / record.id) if store.holds(record.id) else store.create(record)
    bundle.write_snapshot(snapshot)
    with bundle.journal() as journal:
        for each in attempts:
            journal.append(each)
    bundle.write_scores(scores)
    bundle.write_record(record)
    return bundle.load()


def _suite(
    snapshot: SuiteSnapshot, arms: Mapping[VariantName, Any], contents: Mapping[str, str]
) -> SuiteRecord:
    return SuiteRecord(
        suite="ask",
        golden="ask@v1",
        golden_digest="sha256:golden",
        scorers=SCORERS,
        scorers_digest="sha256:scorers",
        gate=GATE,
        variants=tuple(
            VariantRecord(
                variant=name,
                source="working tree",
                prompt="ask@v1",
                route="ask",
                models={"tiny": "tiny-2026"},
                digests={"prompts/ask/v1.yaml": "sha256:prompt"},
                content=contents.get(name, f"content of {name}"),
            )
            for name in arms
        ),
        totals=(),
        cases=len(snapshot.cases),
        trials=1,
    )
