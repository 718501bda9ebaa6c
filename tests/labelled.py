"""Rubrics, outputs and labels for tests of labelling."""

from pathlib import Path
from typing import Any

import yaml

from evalkit.records.asset import Rubric, RubricScale
from evalkit.records.judgment import Subject
from evalkit.records.label import Label, LabelledItem
from evalkit.records.subject import subject_id

RUBRIC: dict[str, Any] = {
    "name": "tone",
    "version": 1,
    "description": "Whether a reply is kind.",
    "scale": {"kind": "binary", "pass": "A colleague would send it.", "fail": "Nobody would."},
    "criteria": ["Kind: no blame."],
    "judge": {"route": "judge", "prompt": "{{ output }}"},
}


def rubric(**changes: Any) -> Rubric:
    """The rubric as a record."""
    found: dict[str, Any] = {
        "name": "tone",
        "version": 1,
        "digest": "sha256:0",
        "path": "rubrics/tone/v1.yaml",
        "scale": RubricScale(kind="binary", passes="A colleague would send it.", fails="Nobody."),
        "criteria": ("Kind: no blame.",),
    }
    return Rubric(**{**found, **changes})


def label(passed: bool = True, labeller: str = "Ana", **changes: Any) -> Label:
    """A label of a person."""
    return Label(
        **{"passed": passed, "labeller": labeller, "by": "person", "at": "2026-05-04"} | changes
    )


def item(output: Any, *labels: Label, **changes: Any) -> LabelledItem:
    """An output with its labels."""
    other = changes.pop("other", None)
    subject = Subject(input={"question": "Where is it?"}, output=output, other=other)
    return LabelledItem(
        **{"id": subject_id(subject), "subject": subject, "part": "test", "labels": labels}
        | changes
    )


def write_rubric(root: Path, **changes: Any) -> None:
    """A project with the rubric, and nothing else that is in order."""
    folder = root / "rubrics/tone"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "v1.yaml").write_text(yaml.safe_dump(RUBRIC | changes), encoding="utf-8")
    config = root / "evalkit.yaml"
    if not config.exists():
        config.write_text("version: 1\n", encoding="utf-8")
