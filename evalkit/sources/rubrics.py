"""Rubric files: versions of a judge's instructions."""

from typing import Any

from evalkit.config.document import Document
from evalkit.config.problems import Locator
from evalkit.config.rubrics import (
    Anchor,
    AtLeast,
    BinaryScale,
    ChecklistScale,
    GradedScale,
    RubricFile,
)
from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.records.asset import CalibrationFloor, Rubric, RubricAnchor, RubricScale
from evalkit.records.digest import digest_of
from evalkit.sources.prompts import name_problems
from evalkit.sources.reading import Explain, Reader
from evalkit.sources.references import RUBRICS, UnknownReference, Version
from evalkit.sources.templates import template_problems

DATA_VARIABLES = ("input", "output", "other", "reference", "documents")
VARIABLES = (*DATA_VARIABLES, "criteria", "anchors", "scale")
FILTERS = ("data",)
# who owns a rubric, what it is about, and what it takes to gate shape no judgment
_SHAPELESS = ("owner", "description", "calibration", "digest")


def load_rubric(reader: Reader, version: Version, missing: Explain) -> Rubric | None:
    """A rubric version, or None once its problems are noted."""

    def make(document: Document) -> Rubric | None:
        file = reader.model(RubricFile, document)
        if file is None:
            return None
        locator = Locator(document)
        digest = rubric_digest(document.data)
        problems = [
            *name_problems(locator, version, file.name, file.version),
            *template_problems(
                locator, ("judge", "prompt"), file.judge.prompt, VARIABLES, filters=FILTERS
            ),
        ]
        if file.digest not in (None, digest):
            following = RUBRICS.path(version.name, version.number + 1)
            problems.append(
                locator.problem(
                    ("digest",),
                    "the rubric was frozen and has changed since, so verdicts before and after "
                    "would be of two rubrics under one name",
                    value=file.digest,
                    expected=f"the content it was frozen with; now it is {digest}",
                    suggestion=f"put the change into {following}",
                )
            )
        reader.problems += problems
        return None if problems else build_rubric(file, digest, version.path)

    return reader.once(version.path, missing, make)


def read_rubric(tree: FileTree, reference: str) -> Rubric:
    """A rubric by `name@vN`, `name@latest`, or a bare name for its latest version.

    Raises ConfigError with every problem of its file.
    """
    reader = Reader(tree)
    try:
        asked = reference if "@" in reference else f"{reference}@latest"
        version = RUBRICS.resolve(reader, asked)
    except UnknownReference as error:
        problem = Problem(message=str(error), expected=error.expected, suggestion=error.suggestion)
        raise ConfigError([problem]) from error
    rubric = load_rubric(reader, version, lambda message: Problem(message=message))
    if rubric is None:
        raise ConfigError([each for each in reader.problems if each.severity == "error"])
    return rubric


def all_rubrics(tree: FileTree) -> tuple[Rubric, ...]:
    """Every rubric version that is in order; what is wrong with others is told elsewhere."""
    reader = Reader(tree)
    found = [
        load_rubric(reader, version, lambda message: Problem(message=message))
        for version in RUBRICS.all(reader)
    ]
    return tuple(rubric for rubric in found if rubric is not None)


def rubric_digest(data: Any) -> str:
    """The digest of what shapes a judgment in a rubric file's data."""
    return digest_of({key: value for key, value in data.items() if key not in _SHAPELESS})


def build_rubric(file: RubricFile, digest: str, path: str) -> Rubric:
    """The record of a rubric file that has been checked."""
    recorded = file.judge.recorded
    return Rubric(
        name=file.name,
        version=file.version,
        digest=digest,
        path=path,
        scale=_scale(file.scale),
        criteria=tuple(file.criteria),
        prompt=file.judge.prompt,
        routes=file.judge.routes,
        recorded=None if recorded is None else recorded.file,
        recorded_by="" if recorded is None else recorded.judge,
        params=file.judge.params.plain(without_none=True),
        anchors=tuple(_anchor(each) for each in file.anchors),
        compare=file.compare,
        reference=file.reference,
        floor=CalibrationFloor(**file.calibration.plain()),
        description=file.description,
        owner=file.owner,
        frozen=file.digest is not None,
    )


def _scale(scale: BinaryScale | GradedScale | ChecklistScale) -> RubricScale:
    if isinstance(scale, BinaryScale):
        return RubricScale(kind="binary", passes=scale.passes, fails=scale.fails)
    if isinstance(scale, GradedScale):
        return RubricScale(
            kind="graded",
            lowest=scale.lowest,
            highest=scale.highest,
            levels=dict(scale.levels),
            pass_from=scale.pass_from,
        )
    rule = scale.rule
    return RubricScale(
        kind="checklist",
        items=dict(scale.items),
        rule="at_least" if isinstance(rule, AtLeast) else rule,
        at_least=rule.at_least if isinstance(rule, AtLeast) else None,
    )


def _anchor(anchor: Anchor) -> RubricAnchor:
    return RubricAnchor(
        text=anchor.text, verdict=anchor.verdict, score=anchor.score, why=anchor.why
    )
