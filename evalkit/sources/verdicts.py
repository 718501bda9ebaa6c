"""Files of recorded verdicts: what a judge elsewhere said, by the id of the output."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from evalkit.config.json_document import STRICT
from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.records.asset import Rubric
from evalkit.records.judgment import RecordedVerdict

_WORDS: Mapping[str, bool] = {
    "pass": True,
    "fail": False,
    "true": True,
    "false": False,
    "1": True,
    "0": False,
}
_NO_VERDICT = ("", "none", "null", "unsure", "abstained")
_KEYS = ("id", "verdict", "score", "reason")
_EXAMPLE = '{"id": "...", "verdict": "pass"}'
_AT_MOST = 20  # problems named before the rest is counted


def read_recorded_verdicts(tree: FileTree, rubric: Rubric) -> Mapping[str, RecordedVerdict]:
    """The verdicts of a rubric whose judge is `recorded`, by subject id. Raises ConfigError."""
    if rubric.recorded is None:
        raise ValueError(f"{rubric.ref} asks its judge, so nothing is recorded")
    return read_verdicts(tree, rubric.recorded, rubric)


def read_verdicts(tree: FileTree, path: str, rubric: Rubric) -> Mapping[str, RecordedVerdict]:
    """The verdicts in a .jsonl or .csv file with the columns id and verdict or score.

    verdict: pass, fail, or nothing (unsure) where the judge abstained; a graded rubric takes
    `score`. Raises ConfigError with every line that cannot be read, ids that stand twice with
    different verdicts, and a file without any verdict.
    """
    try:
        text = tree.read(path).decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            [Problem(file=path, message="is not there", expected="a .jsonl or .csv of verdicts")]
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(file=path, message=f"is not UTF-8: {error.reason}")]) from None
    found: dict[str, RecordedVerdict] = {}
    problems: list[Problem] = []
    rows = _csv_rows(text) if path.lower().endswith(".csv") else _json_rows(text)
    for line, row in rows:
        try:
            if isinstance(row, _Unfit):
                raise row
            name, verdict = _verdict(row, rubric)
            if found.setdefault(name, verdict) != verdict:
                raise _Unfit("id", f"{name} stands here a second time with another verdict")
        except _Unfit as unfit:
            problems.append(
                Problem(
                    file=path,
                    line=line,
                    key=unfit.key,
                    message=str(unfit),
                    value=unfit.value,
                    expected=unfit.expected,
                )
            )
    if not found and not problems:
        problems.append(Problem(file=path, message="holds no verdict"))
    if problems:
        rest = len(problems) - _AT_MOST
        more = [Problem(file=path, message=f"and {rest} more lines")] if rest > 0 else []
        raise ConfigError([*problems[:_AT_MOST], *more])
    return found


class _Unfit(Exception):
    def __init__(
        self, key: str | None, message: str, value: Any = None, expected: str | None = None
    ) -> None:
        self.key, self.value, self.expected = key, value, expected
        super().__init__(message)


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    # not splitlines: a reason may hold a line separator of Unicode
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, STRICT(line.strip())
            except (ValueError, RecursionError):
                yield number, _Unfit(None, "is no JSON, or has a key twice", expected=_EXAMPLE)


def _csv_rows(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = list(reader.fieldnames or ())
        for name in {name for name in names if names.count(name) > 1}:
            yield 1, _Unfit(name, "is a column twice")
        for row in reader:
            if None in row or None in row.values():
                yield reader.line_num, _Unfit(None, "has not as many fields as the header")
            else:
                yield reader.line_num, row
    except csv.Error as error:
        yield reader.reader.line_num, _Unfit(None, f"is no CSV: {error}")


def _verdict(row: Any, rubric: Rubric) -> tuple[str, RecordedVerdict]:
    if not isinstance(row, dict):
        raise _Unfit(None, "is no object", expected=_EXAMPLE)
    unknown = [str(key) for key in row if key not in _KEYS]
    if unknown:
        raise _Unfit(unknown[0], "unknown key", expected=f"one of {', '.join(_KEYS)}")
    name = row.get("id")
    if not isinstance(name, str) or not name.strip():
        raise _Unfit("id", "names no output", value=name, expected="the id of a labelled output")
    reason = row.get("reason") or ""
    if not isinstance(reason, str):
        raise _Unfit("reason", "is no text", value=reason)
    key = "score" if rubric.scale.kind == "graded" else "verdict"
    if row.get(key) is None and key not in row:
        other = "a score" if key == "score" else "a verdict"
        raise _Unfit(key, f"is missing: {rubric.ref} is judged by {other}")
    value = row[key]
    if value is None or (isinstance(value, str) and value.strip().casefold() in _NO_VERDICT):
        return name.strip(), RecordedVerdict(state="abstained", reason=reason)
    if key == "verdict":
        return name.strip(), RecordedVerdict(passed=_passed(value), reason=reason)
    return name.strip(), RecordedVerdict(score=_score(value, rubric), reason=reason)


def _passed(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    if word not in _WORDS:
        raise _Unfit("verdict", "is none", value=value, expected="pass, fail, or unsure")
    return _WORDS[word]


def _score(value: Any, rubric: Rubric) -> float:
    lowest, highest = rubric.scale.lowest, rubric.scale.highest
    try:
        score = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        score = float("nan")
    if not lowest <= score <= highest:
        raise _Unfit(
            "score", "is not on the scale", value=value, expected=f"{lowest:g} to {highest:g}"
        )
    return score
