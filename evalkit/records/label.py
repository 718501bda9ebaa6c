"""Labels: what people (or, said openly, a model or a rule) say about outputs that judges judge."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from evalkit.records.judgment import Subject

LabellerKind = Literal["person", "model", "rule"]
LabelPart = Literal["tuning", "test"]


class Label(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What one labeller said of one subject. `at` is an ISO 8601 day or time in UTC.

    `by` says what the labeller is: only a person's label is ever called human. `round` is
    adjudication for the decision about labels that differ, which then stands. For a pair passed
    says that the subject's `output` is better than its `other`.
    """

    passed: bool
    labeller: str
    by: LabellerKind
    at: str
    round: Literal["label", "adjudication"] = "label"
    note: str = ""


class LabelledItem(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A subject with its labels: one line of `rubrics/<name>/v<N>.labels.jsonl`.

    `id` digests the subject (`score.judging.identity.subject_id`). `part` says what it is for:
    tuning chooses thresholds, test measures. `weight` is one over the probability with which it was
    sampled. `source` tells where the output comes from: `model` or `author`, and for a run's output
    `run`, `suite`, `variant`, `case`, `trial`, and `content`, the digest of the arm's assets.
    """

    id: str
    subject: Subject
    part: LabelPart
    labels: tuple[Label, ...] = ()
    weight: float = 1.0
    source: dict[str, Any] = {}

    @property
    def truth(self) -> bool | None:
        """What stands: the last adjudication, else what all labels agree on, else None."""
        decided = [label.passed for label in self.labels if label.round == "adjudication"]
        if decided:
            return decided[-1]
        said = {label.passed for label in self.labels}
        return said.pop() if len(said) == 1 else None

    @property
    def disputed(self) -> bool:
        """Whether its labels differ and nobody has adjudicated."""
        return len(self.labels) > 1 and self.truth is None


def labelled_by(items: Iterable[LabelledItem]) -> frozenset[LabellerKind]:
    """Who made the labels that count."""
    return frozenset(label.by for item in items for label in item.labels)


def wholly_human(items: Iterable[LabelledItem]) -> bool:
    """Whether every label that counts is a person's."""
    return labelled_by(items) == {"person"}
