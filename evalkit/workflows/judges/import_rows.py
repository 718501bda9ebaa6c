"""Rows of a CSV or JSON Lines file as labelled items, every bad row named with its line."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast, get_args

import msgspec

from evalkit.config.encoding import decode_text
from evalkit.config.json_document import STRICT, parse_json
from evalkit.config.problems import MAX_PROBLEMS, capped, listed, shown, suggest
from evalkit.errors import ConfigError, Problem
from evalkit.records.asset import Rubric
from evalkit.records.case import Document
from evalkit.records.json_text import decode_json
from evalkit.records.judgment import Subject
from evalkit.records.label import Label, LabelledItem, LabellerKind, LabelPart
from evalkit.records.subject import subject_id
from evalkit.sources.labels import faults_of
from evalkit.workflows.judges.sampling import part_of

COLUMNS = (
    "output",
    "other",
    "input",
    "reference",
    "documents",
    "label",
    "labeller",
    "by",
    "at",
    "note",
    "second_label",
    "second_labeller",
    "second_by",
    "part",
    "weight",
    "model",
    "author",
    "case",
)
_INPUT = "input."
_SOURCE = ("model", "author", "case")
_MAX_FIELD = 8 * 1024 * 1024
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("pass", "passed", "yes", "true", "1", "1.0"), True),
    **dict.fromkeys(("fail", "failed", "no", "false", "0", "0.0"), False),
    **dict.fromkeys(("", "null", "none"), None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDefaults:
    """What counts for rows that do not say it. `at` is the time of the import."""

    labeller: str | None = None
    by: LabellerKind | None = None
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRow:
    """A row with its line. `part` and `weight` are None where the row does not say them."""

    line: int
    item: LabelledItem
    part: LabelPart | None
    weight: float | None


@dataclass(slots=True)
class RowProblems:
    """What is wrong with a file of rows."""

    file: str
    found: list[Problem] = field(default_factory=list)
    unsaid: int = 0

    def note(
        self,
        line: int,
        message: str,
        *,
        key: str | None = None,
        value: Any = None,
        expected: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        """Keep one problem; beyond fifty they are counted."""
        self.take(
            Problem(
                file=self.file,
                line=line,
                key=key,
                message=message,
                value=None if value is None else shown(value),
                expected=expected,
                suggestion=suggestion,
            )
        )

    def take(self, problem: Problem) -> None:
        """Keep a problem that is made already."""
        if len(self.found) >= MAX_PROBLEMS:
            self.unsaid += 1
        else:
            self.found.append(problem)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.found) + self.unsaid

    def check(self) -> None:
        """Raise ConfigError if there is any."""
        if self.found:
            raise ConfigError(capped(self.found, {self.file: self.unsaid}))


def read_rows(
    raw: bytes, rubric: Rubric, problems: RowProblems, defaults: RowDefaults
) -> list[ImportedRow]:
    """The rows of a file as items; what is wrong with the others is in `problems`.

    JSON Lines are told by their first character. Raises ConfigError for what is not UTF-8.
    """
    text = decode_text(raw, problems.file)
    rows = _json_rows if text.lstrip().startswith("{") else _csv_rows
    found = []
    for line, row in rows(text, problems):
        before = problems.count
        made = _Row(line, row, rubric, problems, defaults).made()
        if made is not None and problems.count == before:
            found.append(made)
    if not found and not problems.count:
        problems.note(1, "holds no row")
    return found


def _csv_rows(text: str, problems: RowProblems) -> Iterator[tuple[int, dict[str, Any]]]:
    before = csv.field_size_limit()  # of the whole process, so it is put back
    csv.field_size_limit(max(before, _MAX_FIELD))
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if not _known(1, list(reader.fieldnames or ()), problems):
            return
        end = reader.line_num
        for row in reader:
            line, end = end + 1, reader.line_num  # a field may hold line breaks
            if None in row or None in row.values():
                problems.note(line, "the number of fields is not the header's")
                continue
            yield line, {key: value for key, value in row.items() if value != ""}
    except csv.Error as error:
        problems.note(reader.line_num, f"is not CSV: {error}")
    finally:
        csv.field_size_limit(before)


def _json_rows(text: str, problems: RowProblems) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            row = parse_json(content.encode(), problems.file, first_line=line).data
        except ConfigError as error:
            for each in error.problems:
                problems.note(line, each.message, key=each.key, suggestion=each.suggestion)
            continue
        if not isinstance(row, dict):
            problems.note(line, "is no object", value=row)
        elif "subject" in row or _known(line, list(row), problems):
            yield line, {key: value for key, value in row.items() if value is not None}


def _known(line: int, names: Sequence[str], problems: RowProblems) -> bool:
    before = problems.count
    for name in names:
        if name not in COLUMNS and not (name.startswith(_INPUT) and len(name) > len(_INPUT)):
            near = suggest(name, COLUMNS)
            expected = f"one of {listed(COLUMNS, len(COLUMNS))}, or {_INPUT}NAME"
            problems.note(line, "unknown column", key=name, expected=expected, suggestion=near)
        elif names.count(name) > 1:
            problems.note(line, "the column is there twice", key=name)
    if "output" not in names and problems.count == before:
        problems.note(line, "the column is missing: it is what was labelled", key="output")
    return problems.count == before


@dataclass(slots=True)
class _Row:
    """One row on its way to an item."""

    line: int
    row: dict[str, Any]
    rubric: Rubric
    problems: RowProblems
    defaults: RowDefaults

    def made(self) -> ImportedRow | None:
        if "subject" in self.row:
            return self._own_form()
        before = self.problems.count
        subject, labels = self._subject(), self._labels()
        part, weight = self._part(), self._weight()
        if self.problems.count > before or subject is None:
            return None
        name = subject_id(subject)
        item = LabelledItem(
            id=name,
            subject=subject,
            part=part or part_of(name),
            weight=1.0 if weight is None else weight,
            labels=labels,
            source={key: self.row[key] for key in _SOURCE if key in self.row},
        )
        return ImportedRow(line=self.line, item=item, part=part, weight=weight)

    def _own_form(self) -> ImportedRow | None:
        """A line of another label file."""
        try:
            item = msgspec.convert(self.row, LabelledItem)
        except msgspec.ValidationError as error:
            self._wrong(None, f"is no labelled item: {error}")
            return None
        for each in faults_of(item, self.rubric, file=self.problems.file, line=self.line):
            self.problems.take(each)
        return ImportedRow(line=self.line, item=item, part=item.part, weight=item.weight)

    def _subject(self) -> Subject | None:
        output = _reply(self.row.get("output", ""))
        if isinstance(output, str) and not output.strip():
            self._wrong("output", "is empty, so there is nothing to judge")
        other = _reply(self.row["other"]) if "other" in self.row else None
        self._check_pair(other)
        reference = self.row.get("reference")
        if reference is not None and not isinstance(reference, str):
            self._wrong("reference", "wrong value", reference, "a text")
        if self.rubric.reference == "required" and not reference:
            self._wrong("reference", f"is missing, and {self.rubric.ref} needs one")
        shown_reference = reference if isinstance(reference, str) and reference else None
        return Subject(
            input=self._input(),
            output=output,
            reference=None if self.rubric.reference == "none" else shown_reference,
            documents=self._documents(),
            other=other,
        )

    def _check_pair(self, other: Any) -> None:
        pair = self.rubric.compare == "pair"
        if pair and other is None:
            self._wrong("other", f"is missing: {self.rubric.ref} compares two outputs")
        if not pair and other is not None:
            self._wrong("other", f"is one too many: {self.rubric.ref} assesses one output")

    def _input(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        whole = self.row.get("input")
        if isinstance(whole, str):
            read = _structure(whole)
            whole = read if isinstance(read, dict) else {"text": whole}
        if isinstance(whole, dict):
            found |= whole
        elif whole is not None:
            self._wrong("input", "wrong value", whole, "an object or a text")
        for key, value in self.row.items():
            if key.startswith(_INPUT):
                found[key.removeprefix(_INPUT)] = value
        return found

    def _documents(self) -> tuple[Document, ...]:
        given = self.row.get("documents", [])
        try:
            read = STRICT(given) if isinstance(given, str) else given
            return msgspec.convert(read, tuple[Document, ...])
        except (ValueError, RecursionError):
            expected = "a list of objects with id, index and text"
            self._wrong("documents", "wrong value", given, expected)
            return ()

    def _labels(self) -> tuple[Label, ...]:
        default = self.defaults
        first = self._label("label", "labeller", "by", default.labeller, default.by)
        second = self._label("second_label", "second_labeller", "second_by", None, self._first_by())
        if second is not None and first is None:
            self._wrong("second_label", "is there without a label")
        if first is not None and second is not None and first.labeller == second.labeller:
            self._wrong("second_labeller", "is the first labeller too", second.labeller)
        return tuple(label for label in (first, second) if label is not None)

    def _first_by(self) -> LabellerKind | None:
        given = self.row.get("by", self.defaults.by)
        return cast(LabellerKind, given) if given in get_args(LabellerKind) else None

    def _label(
        self, key: str, who: str, kind: str, labeller: str | None, by: LabellerKind | None
    ) -> Label | None:
        given = self.row.get(key, "")
        word = str(given).strip().casefold()
        if word not in _WORDS:
            self._wrong(key, "wrong value", given, "pass or fail (or yes, no, 1, 0)")
            return None
        passed = _WORDS[word]
        if passed is None:
            return None
        name = self.row.get(who, labeller)
        if not isinstance(name, str) or not name.strip():
            flag = " or --labeller NAME" if key == "label" else ""
            self._wrong(who, "nobody is named", expected=f"who made the label: this column{flag}")
        kind_of = self.row.get(kind, by)
        if kind_of not in get_args(LabellerKind):
            flag = " (this column, or --by)" if key == "label" else ""
            self._wrong(kind, "says not what labelled", kind_of, f"person, model or rule{flag}")
        at, note = self.row.get("at", self.defaults.at), self.row.get("note", "")
        try:
            datetime.fromisoformat(at)
        except (TypeError, ValueError):
            self._wrong("at", "is no day and no time", at, "ISO 8601, such as 2026-05-04")
        return Label(
            passed=passed,
            labeller=str(name).strip(),
            by=cast(LabellerKind, kind_of),
            at=str(at),
            note=str(note) if key == "label" else "",
        )

    def _part(self) -> LabelPart | None:
        given = self.row.get("part")
        if given is not None and given not in get_args(LabelPart):
            self._wrong("part", "wrong value", given, "tuning or test")
            return None
        return cast("LabelPart | None", given)

    def _weight(self) -> float | None:
        given = self.row.get("weight")
        if given is None:
            return None
        try:
            weight = math.nan if isinstance(given, bool) else float(given)
        except (TypeError, ValueError):
            weight = math.nan
        if not (math.isfinite(weight) and weight > 0):
            self._wrong("weight", "wrong value", given, "a number above 0")
        return weight

    def _wrong(
        self, key: str | None, message: str, value: Any = None, expected: str | None = None
    ) -> None:
        self.problems.note(self.line, message, key=key, value=value, expected=expected)


def _reply(value: Any) -> Any:
    """An output as a judge is shown it: JSON where the text is an object or a list."""
    if not isinstance(value, str):
        return value
    read = _structure(value)
    return value if read is None else read


def _structure(text: str) -> dict[str, Any] | list[Any] | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        read = decode_json(text)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict | list) else None
