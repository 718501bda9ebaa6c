"""A small project with a rubric, labelled outputs and a judge whose verdicts are written down."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import yaml

from evalkit.records.judgment import Subject
from evalkit.records.label import Label, LabelledItem, LabellerKind, LabelPart
from evalkit.records.subject import subject_id
from evalkit.workflows.wiring import SystemClock

START = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
BINARY = {"kind": "binary", "pass": "It is good.", "fail": "It is not."}
GRADED = {"kind": "graded", "lowest": 1, "highest": 5, "levels": {"1": "bad", "5": "good"}}
SCRIPTED: dict[str, Any] = {"route": "judge", "prompt": "Assess {{ output | data }}"}
CLOUD: dict[str, Any] = {
    "providers": {
        "cloud": {
            "kind": "openai",
            "base_url": "https://llm.example/v1",
            "api_key_env": "TEST_KEY",
            "without_key": "scripts",
        },
        "scripts": {"kind": "scripted", "path": "{suite}.jsonl"},
    },
    "models": {
        "tiny": {
            "provider": "cloud",
            "price": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1},
        }
    },
}
RECORDED: dict[str, Any] = {"recorded": {"file": "verdicts.jsonl", "judge": "a judge elsewhere"}}


class StoppedClock(SystemClock):
    """Stands still, and tells how late it is by what the test sets."""

    def __init__(self) -> None:
        self.late_s = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.late_s)


def labelled(
    name: str,
    *passed: bool,
    part: LabelPart = "test",
    by: LabellerKind = "person",
    weight: float = 1.0,
    decided: bool | None = None,
) -> LabelledItem:
    """An output called `name` with a label by each of several labellers, and perhaps a decision."""
    subject = Subject(input={"question": "Which?"}, output=name)
    labels = [
        Label(passed=each, labeller=f"labeller {number}", by=by, at="2026-05-01")
        for number, each in enumerate(passed)
    ]
    if decided is not None:
        labels.append(
            Label(passed=decided, labeller="lead", by=by, at="2026-05-02", round="adjudication")
        )
    return LabelledItem(
        id=subject_id(subject), subject=subject, part=part, labels=tuple(labels), weight=weight
    )


def outputs(kind: str, count: int, *passed: bool, **more: Any) -> list[LabelledItem]:
    """Several outputs with the same labels."""
    return [labelled(f"{kind} {number}", *passed, **more) for number in range(count)]


@dataclass
class JudgedProject:
    """A rubric `tone@v1` and what its judge says of each output, by id; None for no verdict."""

    root: Path
    items: Sequence[LabelledItem]
    said: dict[str, bool | float | None] = field(default_factory=dict)
    judge: Mapping[str, Any] = field(default_factory=lambda: RECORDED)
    scale: Mapping[str, Any] = field(default_factory=lambda: BINARY)
    calibration: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)

    def write(self) -> "JudgedProject":
        """Write every file. Can be called again after a change."""
        self._write(
            "evalkit.yaml",
            yaml.safe_dump(
                {
                    "version": 1,
                    "providers": {"scripts": {"kind": "scripted", "path": "{suite}.jsonl"}},
                    "models": {
                        "tiny": {
                            "provider": "scripts",
                            "price": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1},
                        }
                    },
                    "routes": [{"name": "judge", "models": {"primary": "tiny"}, "max_tokens": 50}],
                    "suites": {},
                    **self.config,
                }
            ),
        )
        self._write("rubrics/tone/v1.yaml", self.rubric())
        self.write_labels("rubrics/tone/v1.labels.jsonl", self.items)
        self._write("verdicts.jsonl", _lines(self.verdicts()))
        self._write("tone.jsonl", _lines(self._script()))
        return self

    def rubric(self) -> str:
        """The rubric's file, with a comment that has to survive."""
        data = {
            "name": "tone",
            "version": 1,
            "scale": dict(self.scale),
            "criteria": ["It is kind."],
            "judge": dict(self.judge),
            "calibration": self.calibration,
        }
        return "# who reviews it: ana\n" + yaml.safe_dump(data, sort_keys=False)

    def write_labels(self, path: str, items: Sequence[LabelledItem]) -> Path:
        """Write labels as a file of the project."""
        return self._write(path, _lines([msgspec.to_builtins(item) for item in items]))

    def verdicts(self) -> list[dict[str, Any]]:
        """What the judge says, as a file of recorded verdicts has it."""
        if self.scale["kind"] == "graded":
            return [{"id": id_, "score": said} for id_, said in self.said.items()]
        words = {True: "pass", False: "fail", None: "unsure"}
        return [{"id": id_, "verdict": words[bool(said) if said is not None else None]}
                for id_, said in self.said.items()]  # fmt: skip

    def _script(self) -> list[dict[str, Any]]:
        """The same as a model's replies."""
        return [
            {
                "case": each["id"],
                "prompt": "judge judge",
                "reply": {
                    "content": json.dumps(
                        {"reason": "So it is.", "evidence": "", "verdict": each["verdict"]}
                    )
                },
            }
            for each in self.verdicts()
            if "verdict" in each
        ]

    def _write(self, path: str, text: str) -> Path:
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text, encoding="utf-8")
        return full


def _lines(rows: Sequence[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def project_of(
    root: Path,
    *,
    right_passes: int = 95,
    wrong_passes: int = 5,
    right_fails: int = 90,
    wrong_fails: int = 10,
    **more: Any,
) -> JudgedProject:
    """A project whose judge is right and wrong this often: a fit judge unless told otherwise."""
    items: list[LabelledItem] = []
    said: dict[str, bool | float | None] = {}
    for kind, count, truth, verdict in (
        ("good, seen so", right_passes, True, True),
        ("good, missed", wrong_passes, True, False),
        ("bad, seen so", right_fails, False, False),
        ("bad, missed", wrong_fails, False, True),
    ):
        made = outputs(kind, count, truth, truth)
        items += made
        said |= {item.id: verdict for item in made}
    return JudgedProject(root, items, said, **more).write()
