"""A project whose replies are judged: by recorded verdicts, or by a model behind a server."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.records.judgment import Subject
from evalkit.records.subject import subject_id
from tests.cli.project import ProjectFiles

Quality = Callable[[int], bool]
TOPICS = ("invoice", "login", "parcel", "refund", "calendar")


@dataclass
class JudgedProject(ProjectFiles):
    """Suite `ask` with a judge `tone`. `good` says of each prompt's reply whether it is good.

    A good reply says please; what the recorded judge says of a reply is wrong about once in twenty.
    """

    good_v1: Quality = lambda number: number % 5 != 0
    good_v2: Quality = lambda number: number % 5 != 0
    labelled: int = 320
    gate: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.replies = {
            "ask@v1": lambda n: {"content": reply(n, good=self.good_v1(n), version=1)},
            "ask@v2": lambda n: {"content": reply(n, good=self.good_v2(n), version=2)},
        }
        self.suite["scorers"] = [
            {"contains": {"any": ["yes", "Yes"]}},
            {"judge": {"rubric": "tone@v1"}, **({} if self.gate else {"gate": False})},
        ]
        self.suite["gate"] = {"max_drop_pp": 10}
        self.suite["assume_equal_errors"] = True

    def rubric(self) -> dict[str, Any]:
        """The rubric file as data."""
        return {
            "name": "tone",
            "version": 1,
            "owner": "support",
            "scale": {"kind": "binary", "pass": "Polite.", "fail": "Not polite."},
            "criteria": ["The reply is polite."],
            "judge": {"recorded": {"file": "rubrics/tone/v1.verdicts.jsonl", "judge": "a model"}},
            "calibration": {"labelled_by": "anyone"},
        }

    def write(self) -> "JudgedProject":
        super().write()
        self._write("rubrics/tone/v1.yaml", json.dumps(self.rubric()))
        subjects: dict[str, tuple[Subject, bool]] = {}
        for number in range(self.labelled):
            good = number % 2 == 0
            subject = Subject(
                input={"question": f"An older question {number}"},
                output=reply(number, good=good, version=3),
            )
            subjects[subject_id(subject)] = (subject, good)
        labels = []
        for number, (id_, (subject, good)) in enumerate(subjects.items()):
            labels.append(
                {
                    "id": id_,
                    "subject": {"input": subject.input, "output": subject.output},
                    "part": "tuning" if number % 8 < 2 else "test",
                    "labels": [
                        {"passed": good, "labeller": "t", "by": "model", "at": "2026-01-01"}
                    ],
                    "source": {"from": "author"},
                }
            )
        self._write("rubrics/tone/v1.labels.jsonl", _lines(labels))
        for prompt, quality in ((1, self.good_v1), (2, self.good_v2)):
            for number in range(self.cases):
                subject = Subject(
                    input=self.case(number)["input"],
                    output=reply(number, good=quality(number), version=prompt),
                )
                subjects[subject_id(subject)] = (subject, quality(number))
        self._write("rubrics/tone/v1.verdicts.jsonl", _lines(self.verdicts(subjects)))
        return self

    def verdicts(self, subjects: dict[str, tuple[Subject, bool]]) -> list[dict[str, Any]]:
        """What the judge says: by a digit of the id it is wrong about once in twenty."""
        return [
            {"id": id_, "verdict": "pass" if good != (int(id_[:4], 16) % 20 == 0) else "fail"}
            for id_, (_, good) in subjects.items()
        ]


def reply(number: int, *, good: bool, version: int) -> str:
    """A reply with the right answer in a good or a bad tone."""
    topic = TOPICS[number % len(TOPICS)]
    kind = "please see your" if good else "how often do I have to say it, look at your"
    return f"Yes. Number {number} of v{version}: {kind} {topic}."


def write_text(root: Path, path: str, text: str) -> None:
    """Write a file of the project."""
    (root / path).write_text(text, encoding="utf-8")


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
