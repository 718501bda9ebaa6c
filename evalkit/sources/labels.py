"""Label sets: `rubrics/<name>/v<N>.labels.jsonl`, an item a line, every bad line named."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from evalkit.config.document import MAX_DEPTH
from evalkit.config.json_document import STRICT, parse_json
from evalkit.config.problems import MAX_PROBLEMS, capped, shown, suggest
from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.records.asset import Rubric
from evalkit.records.digest import digest_of
from evalkit.records.judgment import Subject
from evalkit.records.label import Label, LabelledItem
from evalkit.records.subject import subject_id
from evalkit.sources.calibrations import beside
from evalkit.sources.tree import WorkingTree, tree_of

_DECODER = msgspec.json.Decoder(LabelledItem)
_ENCODER = msgspec.json.Encoder()
_BOM = b"\xef\xbb\xbf"
_LFS = b"version https://git-lfs.github.com/"
_CONFLICT = (b"<<<<<<<", b"=======", b">>>>>>>")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_FIELDS = (*LabelledItem.__struct_fields__, *Subject.__struct_fields__, *Label.__struct_fields__)


def labels_path(rubric: Rubric) -> str:
    """Where a rubric's labels stand, relative to the project."""
    return beside(rubric, "labels.jsonl")


def guideline_path(rubric: Rubric) -> str:
    """Where the guideline for who labels stands."""
    return beside(rubric, "guideline.md")


def read_labels(
    tree: FileTree, rubric: Rubric, path: str | None = None
) -> tuple[LabelledItem, ...]:
    """The labelled items of a rubric, in the order of the file; empty where it has none yet.

    `path` names another file than the rubric's own, which then has to be there. Raises ConfigError
    with every line that is no item, an item that stands there twice, an id that is not its
    subject's, a weight that is none and labels that cannot be.
    """
    file = path or labels_path(rubric)
    check = _Check(file, rubric)
    try:
        items = tuple(check.items(_lines(tree, file)))
    except FileNotFoundError as error:
        if path is None:
            return ()
        problem = Problem(file=file, message="there is no such file of labels")
        raise ConfigError([problem]) from error
    if check.problems:
        raise ConfigError(capped(check.problems, {file: check.unsaid}))
    return items


def labels_at(root: Path, rubric: Rubric, file: Path | None) -> tuple[LabelledItem, ...]:
    """The labels in a file of the command line, else those of the rubric. Raises ConfigError."""
    if file is None:
        return read_labels(WorkingTree(root), rubric)
    tree, path = tree_of(root, file)
    return read_labels(tree, rubric, path)


def faults_of(item: LabelledItem, rubric: Rubric, *, file: str, line: int) -> tuple[Problem, ...]:
    """What is wrong with an item that was read elsewhere, at its place there."""
    return tuple(_Check(file, rubric).faults(item, line))


def labels_digest(items: Iterable[LabelledItem]) -> str:
    """The digest of what a calibration rests on: id, truth, part and weight of each item that has a
    truth, whatever their order, their notes and who labelled."""
    return digest_of(
        sorted(
            [item.id, item.truth, item.part, float(item.weight)]
            for item in items
            if item.truth is not None
        )
    )


def _lines(tree: FileTree, file: str) -> Iterator[tuple[int, bytes]]:
    """Line numbers, from 1, and lines that hold something."""
    with tree.open(file) as stream:
        for number, line in enumerate(stream, 1):
            raw = (line.removeprefix(_BOM) if number == 1 else line).strip()
            if raw:
                yield number, raw


class _Check:
    """Decodes lines and collects what is wrong with them."""

    def __init__(self, file: str, rubric: Rubric) -> None:
        self.file = file
        self.rubric = rubric
        self.problems: list[Problem] = []
        self.unsaid = 0
        self._first: dict[str, int] = {}

    def items(self, lines: Iterable[tuple[int, bytes]]) -> Iterator[LabelledItem]:
        for number, raw in lines:
            item = self._item(raw, number)
            if item is not None:
                yield item

    def _item(self, raw: bytes, number: int) -> LabelledItem | None:
        try:
            item = _DECODER.decode(raw)
            # a line as evalkit writes it needs no second look; msgspec lets repeated keys pass
            if _ENCODER.encode(item) != raw:
                STRICT(raw.decode())
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self._broken(raw, number, error)
            return None
        before = len(self.problems) + self.unsaid
        for problem in self.faults(item, number):
            self._note(problem)
        return item if len(self.problems) + self.unsaid == before else None

    def _broken(self, raw: bytes, number: int, error: Exception) -> None:
        if len(self.problems) >= MAX_PROBLEMS:
            self.unsaid += 1
            return
        if raw.startswith(_LFS):
            self._note(self._problem(number, "is a Git LFS pointer; fetch it: git lfs pull"))
            return
        if raw.startswith(_CONFLICT):
            self._note(self._problem(number, "is the mark of a merge conflict; settle it first"))
            return
        try:
            parse_json(raw, self.file, first_line=number)
        except ConfigError as broken:
            for problem in broken.problems:
                self._note(problem)
            return
        except RecursionError:
            self._note(self._problem(number, f"is nested more than {MAX_DEPTH} levels deep"))
            return
        unknown = _UNKNOWN.search(str(error))
        near = suggest(unknown[1], _FIELDS) if unknown else None
        self._note(self._problem(number, f"is no labelled item: {error}", suggestion=near))

    def faults(self, item: LabelledItem, number: int) -> Iterator[Problem]:
        first = self._first.setdefault(item.id, number)
        if first != number:
            yield self._problem(
                number,
                f"the item stands here twice, first in line {first}",
                key="id",
                value=shown(item.id),
                suggestion="put all of its labels into one line",
            )
        known = subject_id(item.subject)
        if known != item.id:
            yield self._problem(
                number,
                "the id is not that of the subject, so its labels may be another output's",
                key="id",
                value=shown(item.id),
                expected=known,
                suggestion="if the subject was changed on purpose, label it anew: evalkit "
                f"judge label {self.rubric.ref} --import FILE",
            )
        if not (math.isfinite(item.weight) and item.weight > 0):
            yield self._problem(
                number, "wrong weight", key="weight", value=shown(item.weight), expected="above 0"
            )
        pair = self.rubric.compare == "pair"
        if pair != (item.subject.other is not None):
            words = "compares two outputs" if pair else "assesses one output"
            yield self._problem(
                number,
                f"{self.rubric.ref} {words}, and the subject has {'one' if pair else 'two'}",
                key="subject.other",
            )
        yield from self._label_faults(item, number)

    def _label_faults(self, item: LabelledItem, number: int) -> Iterator[Problem]:
        for index, label in enumerate(item.labels):
            if not label.labeller.strip():
                yield self._problem(
                    number, "nobody is named", key=f"labels[{index}].labeller", expected="a name"
                )
            try:
                datetime.fromisoformat(label.at)
            except ValueError:
                yield self._problem(
                    number,
                    "is no day and no time",
                    key=f"labels[{index}].at",
                    value=shown(label.at),
                    expected="ISO 8601, such as 2026-05-04",
                )
        names = Counter(each.labeller for each in item.labels if each.round == "label")
        for name in (name for name, times in names.items() if times > 1):
            yield self._problem(
                number,
                "one labeller stands here twice, and only others can confirm a label",
                key="labels",
                value=shown(name),
            )

    def _problem(
        self,
        number: int,
        message: str,
        *,
        key: str | None = None,
        value: str | None = None,
        expected: str | None = None,
        suggestion: str | None = None,
    ) -> Problem:
        return Problem(
            file=self.file,
            line=number,
            key=key,
            message=message,
            value=value,
            expected=expected,
            suggestion=suggestion,
        )

    def _note(self, problem: Problem) -> None:
        if len(self.problems) >= MAX_PROBLEMS:
            self.unsaid += 1
        else:
            self.problems.append(problem)
