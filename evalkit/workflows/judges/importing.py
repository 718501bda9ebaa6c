"""`evalkit judge label --import`: labels that were made elsewhere, all of them or none."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from evalkit.errors import ConfigError, Problem
from evalkit.records.asset import Rubric
from evalkit.records.label import Label, LabelledItem, LabellerKind
from evalkit.sources.labels import labels_path, read_labels
from evalkit.sources.rubrics import read_rubric
from evalkit.sources.tree import WorkingTree
from evalkit.store.labels import rubric_labels
from evalkit.workflows.judges.import_rows import ImportedRow, RowDefaults, RowProblems, read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import brought. `new` items were not there before, `labels` are new on them or on
    others; `known` labels were there already. `unlabelled` and `disputed` are of what it named."""

    file: str
    rows: int
    new: int
    labels: int
    known: int
    unlabelled: int
    disputed: int
    by: Mapping[str, int]


def import_file(
    root: Path, reference: str, file: Path, *, labeller: str | None, by: LabellerKind | None
) -> Imported:
    """`import_labels` by a rubric's reference; `labeller` and `by` are of rows that name none.

    Raises as `import_labels` does, and ConfigError for a rubric that cannot be read.
    """
    rubric = read_rubric(WorkingTree(root), reference)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return import_labels(root, rubric, file, RowDefaults(labeller=labeller, by=by, at=at))


def import_labels(root: Path, rubric: Rubric, file: Path, defaults: RowDefaults) -> Imported:
    """Add every row of a CSV or JSON Lines file to the rubric's labels.

    Rows about one output are one item with several labels, also with what is labelled already.
    Raises ConfigError with every bad row, and then nothing was written; StoreError.
    """
    problems = RowProblems(str(file))
    try:
        raw = file.read_bytes()
    except OSError as error:
        problem = Problem(file=str(file), message=f"cannot be read: {error.strerror or error}")
        raise ConfigError([problem]) from error
    rows = read_rows(raw, rubric, problems, defaults)
    labels = rubric_labels(root, labels_path(rubric))
    with labels.locked():
        known = {item.id: item for item in read_labels(WorkingTree(root), rubric)}
        merged = _Merge(known, problems)
        for row in rows:
            merged.take(row)
        problems.check()
        labels.put(merged.items.values())
    return _imported(labels_path(rubric), rows, known, merged)


class _Merge:
    """Puts rows about one output together. `items` are those that the file names."""

    def __init__(self, known: Mapping[str, LabelledItem], problems: RowProblems) -> None:
        self.items: dict[str, LabelledItem] = {}
        self.added: list[Label] = []
        self.repeated = 0
        self._known = known
        self._problems = problems
        self._lines: dict[str, int] = {}

    def take(self, row: ImportedRow) -> None:
        name = row.item.id
        before = self.items.get(name) or self._known.get(name)
        where = f"in line {self._lines[name]}" if name in self._lines else "in the label file"
        self._lines.setdefault(name, row.line)
        if before is None:
            self.items[name] = row.item
            self.added += row.item.labels
            return
        if row.part not in (None, before.part):
            self._problems.note(
                row.line,
                f"the same output is in the part {before.part} {where}",
                key="part",
                value=row.part,
            )
        if row.weight not in (None, before.weight):
            self._problems.note(
                row.line,
                f"the same output has the weight {before.weight:g} {where}",
                key="weight",
                value=row.weight,
            )
        labels = before.labels
        for label in row.item.labels:
            labels = self._with(labels, label, row.line, where)
        self.items[name] = msgspec.structs.replace(
            before, labels=labels, source=before.source or row.item.source
        )

    def _with(
        self, labels: tuple[Label, ...], label: Label, line: int, where: str
    ) -> tuple[Label, ...]:
        """The labels with one more, unless its labeller has said it already."""
        for each in labels:
            if (each.labeller, each.round) != (label.labeller, label.round):
                continue
            if each.passed != label.passed:
                said, says = _word(each.passed), _word(label.passed)
                self._problems.note(
                    line,
                    f"{label.labeller} says {says} here, and {said} of the same output {where}",
                    key="label",
                )
            self.repeated += 1
            return labels
        self.added.append(label)
        return (*labels, label)


def _imported(
    file: str, rows: Sequence[ImportedRow], known: Mapping[str, LabelledItem], merged: _Merge
) -> Imported:
    return Imported(
        file=file,
        rows=len(rows),
        new=sum(name not in known for name in merged.items),
        labels=len(merged.added),
        known=merged.repeated,
        unlabelled=sum(not item.labels for item in merged.items.values()),
        disputed=sum(item.disputed for item in merged.items.values()),
        by=Counter(label.by for label in merged.added),
    )


def _word(passed: bool) -> str:
    return "pass" if passed else "fail"
