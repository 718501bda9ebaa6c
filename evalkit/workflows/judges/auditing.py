"""`evalkit judge audit`: what moves a judge's verdicts that should not, asked and stored."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import msgspec

from evalkit.errors import ConfigError, Problem
from evalkit.execute.event_loop import run_calls
from evalkit.judge.drift import is_stale
from evalkit.ports import Cache
from evalkit.records.asset import Rubric
from evalkit.records.audit import JudgeAudit
from evalkit.report.audit import audit_json
from evalkit.report.calibration.document import calibration_json
from evalkit.sources.assets import read_config
from evalkit.sources.calibrations import beside, calibration_path, read_calibration
from evalkit.sources.labels import labels_at
from evalkit.sources.rubrics import read_rubric
from evalkit.sources.tree import WorkingTree
from evalkit.store.cache import ReplyCache
from evalkit.store.files import write_whole
from evalkit.workflows.judges.audit_asking import Audit, AuditRequest, OnAnswer, OnPlan
from evalkit.workflows.wiring import Wiring


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """An audit and the file that holds it now. `stale` tells that it ended the calibration."""

    audit: JudgeAudit
    stored: str
    stale: bool


def audit_judge(
    request: AuditRequest, *, wiring: Wiring, on_plan: OnPlan, on_answer: OnAnswer
) -> Audited:
    """Ask the rubric's judge about labelled outputs, as they are, again and changed.

    `on_plan(calls)` hears how many calls of a judge that takes before the first is made,
    `on_answer(done, of)` of every answer. Raises ConfigError for bad input, Refused for a model
    that cannot be reached, BudgetExhausted, ProviderError and KeyboardInterrupt where asking had to
    stop, StoreError; nothing is stored then.
    """
    return run_calls(_audit(request, wiring, on_plan, on_answer))


def audit_path(rubric: Rubric) -> str:
    """Where the audit of a rubric version is stored, relative to the project."""
    return beside(rubric, "audit.json")


async def _audit(
    request: AuditRequest, wiring: Wiring, on_plan: OnPlan, on_answer: OnAnswer
) -> Audited:
    tree = WorkingTree(wiring.root)
    rubric, config = read_rubric(tree, request.rubric), read_config(tree)
    items = [
        item for item in labels_at(wiring.root, rubric, request.labels) if item.truth is not None
    ]
    if not items:
        raise ConfigError([_no_truth(rubric)])
    calibration = read_calibration(tree, rubric)
    audit = Audit(request, rubric, config, wiring, items, calibration)
    try:
        with _cache(wiring.root, request) as cache:
            made = await audit.make(cache, on_plan, on_answer)
    finally:
        await wiring.close()
    stale = calibration is not None and is_stale(made.drift)
    if stale and calibration is not None:
        drifted = msgspec.structs.replace(calibration, drifted=made.drift)
        path = wiring.root / calibration_path(rubric)
        write_whole(path, calibration_json(drifted).encode() + b"\n")
    stored = audit_path(rubric)
    write_whole(wiring.root / stored, audit_json(made).encode() + b"\n")
    return Audited(audit=made, stored=stored, stale=stale)


def _cache(root: Path, request: AuditRequest) -> AbstractContextManager[Cache | None]:
    return ReplyCache(root) if request.use_cache else nullcontext()


def _no_truth(rubric: Rubric) -> Problem:
    return Problem(
        file=rubric.path,
        message="no output is labelled, so there is nothing to try its judge on",
        suggestion=f"evalkit judge label {rubric.ref}",
    )
