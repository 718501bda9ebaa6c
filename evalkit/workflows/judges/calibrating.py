"""`evalkit judge calibrate`: a judge held against labels, and what is kept of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from evalkit._version import __version__
from evalkit.config.model import Config
from evalkit.errors import ConfigError, Problem
from evalkit.execute.event_loop import run_calls
from evalkit.judge.fitness import notes as notes_on_labels
from evalkit.records.asset import Rubric
from evalkit.records.calibration import CALIBRATION_SCHEMA, Calibration
from evalkit.records.label import LabelledItem
from evalkit.report.calibration.document import calibration_json
from evalkit.score.judging.identity import judge_digest
from evalkit.sources.assets import read_config
from evalkit.sources.calibrations import calibration_path, read_calibration
from evalkit.sources.labels import labels_at, labels_digest, read_labels
from evalkit.sources.rubrics import read_rubric
from evalkit.sources.tree import WorkingTree, tree_of
from evalkit.sources.verdicts import read_verdicts
from evalkit.store.cache import ReplyCache
from evalkit.store.cache_ways import ForgetfulCache
from evalkit.store.files import write_whole
from evalkit.workflows.judges.against_labels import kept_verdicts, measure_against
from evalkit.workflows.judges.anchors import drift_since
from evalkit.workflows.judges.hearing import (
    Heard,
    OnAnswer,
    ask_about,
    heard_from,
)
from evalkit.workflows.judges.opening import asked_words, configured_digest
from evalkit.workflows.judges.remarks import against_storing, notes_on
from evalkit.workflows.wiring import Wiring

DEFAULT_WIDTH_PP = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRequest:
    """What is to be calibrated. `labels` and `verdicts` are files that stand in for the rubric's
    own; `width_pp` is the interval somebody wants, in points from end to end. Without `use_cache`
    every question is asked anew, and the new replies are kept."""

    rubric: str
    labels: Path | None = None
    verdicts: Path | None = None
    width_pp: float = DEFAULT_WIDTH_PP
    use_cache: bool = True
    store: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """A measured judge. `stored` is the file that holds it now, None where none does; `notes` say
    why, and whatever else has to be known beside the figures. `billed_usd` is what asking took,
    None where no model was asked."""

    calibration: Calibration
    rubric: Rubric
    stored: str | None
    notes: tuple[str, ...]
    billed_usd: float | None = None


def calibrate_judge(
    request: CalibrationRequest, *, wiring: Wiring, on_answer: OnAnswer
) -> Calibrated:
    """Get the judge's verdicts on the labelled outputs, measure it, and store what is known.

    `on_answer(done, of)` reports progress of a judge that is asked. Raises ConfigError for bad
    input, Refused for a model that cannot be reached, BudgetExhausted and ProviderError where
    asking had to stop, StoreError; nothing is stored then.
    """
    return run_calls(_calibrate(request, wiring, on_answer))


async def _calibrate(
    request: CalibrationRequest, wiring: Wiring, on_answer: OnAnswer
) -> Calibrated:
    tree = WorkingTree(wiring.root)
    rubric, config = read_rubric(tree, request.rubric), read_config(tree)
    items = labels_at(wiring.root, rubric, request.labels)
    known = [item for item in items if item.truth is not None]
    if not known:
        raise ConfigError([_no_truth(rubric, items)])
    try:
        heard = await _hear(request, rubric, known, config, wiring, on_answer)
    finally:
        await wiring.close()
    calibration = Calibration(
        schema=CALIBRATION_SCHEMA,
        rubric=rubric.ref,
        judge=heard.judge,
        labels=labels_digest(items),
        asked=heard.asked,
        made_at=wiring.clock.now().isoformat(timespec="seconds"),
        evalkit=__version__,
        measured=measure_against(items, heard.verdicts, rubric, width_pp=request.width_pp),
        verdicts=kept_verdicts(rubric, heard.verdicts),
    )
    before = _stored_before(tree, rubric)
    calibration = msgspec.structs.replace(
        calibration, drifted=drift_since(rubric, before, calibration, anew=not heard.cached)
    )
    graded = rubric.scale.kind == "graded"
    against = against_storing(
        rubric,
        heard,
        configured=configured_digest(rubric, config),
        elsewhere=request.verdicts is not None,
        own_labels=request.labels is None or labels_digest(items) == _own_labels(rubric, tree),
    )
    stored = None
    if request.store and not against:
        stored = calibration_path(rubric)
        write_whole(wiring.root / stored, calibration_json(calibration).encode() + b"\n")
    return Calibrated(
        calibration=calibration,
        rubric=rubric,
        stored=stored,
        notes=(
            *notes_on_labels(calibration.measured, graded=graded),
            *notes_on(heard, before),
            *against,
        ),
        billed_usd=heard.billed_usd,
    )


def _stored_before(tree: WorkingTree, rubric: Rubric) -> Calibration | None:
    """What is stored; one that cannot be read is about to be replaced."""
    try:
        return read_calibration(tree, rubric)
    except ConfigError:
        return None


async def _hear(
    request: CalibrationRequest,
    rubric: Rubric,
    known: Sequence[LabelledItem],
    config: Config,
    wiring: Wiring,
    on_answer: OnAnswer,
) -> Heard:
    if request.verdicts is not None:
        tree, name = tree_of(wiring.root, request.verdicts)
        return _read_verdicts(tree, name, rubric, known, config)
    if rubric.recorded is not None:
        return _read_verdicts(WorkingTree(wiring.root), rubric.recorded, rubric, known, config)
    with ReplyCache(wiring.root) as replies:
        cache = replies if request.use_cache else ForgetfulCache(replies)
        return await ask_about(
            known, rubric, config=config, wiring=wiring, cache=cache, on_answer=on_answer
        )


def _read_verdicts(
    tree: WorkingTree, name: str, rubric: Rubric, known: Sequence[LabelledItem], config: Config
) -> Heard:
    """Recorded verdicts: of the rubric's judge if that one is recorded, else of some other."""
    recorded = read_verdicts(tree, name, rubric)
    if not any(item.id in recorded for item in known):
        raise ConfigError([_no_verdict(name)])
    if rubric.recorded is not None:
        judge, asked = configured_digest(rubric, config), asked_words(rubric, config)
    else:
        asked = f"the judge behind {name} (recorded verdicts)"
        judge = judge_digest(rubric, {"recorded": asked})
    return heard_from(recorded, known, judge=judge, asked=asked)


def _own_labels(rubric: Rubric, tree: WorkingTree) -> str | None:
    try:
        return labels_digest(read_labels(tree, rubric))
    except ConfigError:
        return None


def _no_truth(rubric: Rubric, items: Sequence[LabelledItem]) -> Problem:
    disputed = sum(item.disputed for item in items)
    message = (
        f"the labels of {disputed} outputs differ and nobody has decided; no other output is "
        "labelled"
        if disputed
        else "no output is labelled, so there is nothing to hold the judge against"
    )
    return Problem(
        file=rubric.path,
        message=message,
        suggestion=f"evalkit judge label {rubric.ref}",
    )


def _no_verdict(file: str) -> Problem:
    return Problem(
        file=file,
        message="holds no verdict on any labelled output",
        expected="ids as `evalkit judge label` and judgments.jsonl tell them",
    )
