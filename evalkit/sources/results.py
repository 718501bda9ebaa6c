"""Result files of other harnesses: `.csv` or `.jsonl` with `case, passed` and a few more."""

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.config.json_document import parse_json
from evalkit.errors import ConfigError, Problem

KEYS = ("case", "passed", "trial", "group", "tags", "cost_usd")
TRUE, FALSE = {"true", "1", "yes", "pass", "passed"}, {"false", "0", "no", "fail", "failed"}
MISSING = {"", "null", "none", "error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResult:
    """One line of a result file. `passed` None says that there is no result (an error)."""

    case: str
    passed: bool | None
    trial: int = 0
    group: str | None = None
    tags: tuple[str, ...] = ()
    cost_usd: float | None = None


def read_results(path: Path) -> tuple[RawResult, ...]:
    """Every result of the file, in order. Raises ConfigError with all that is wrong in it."""
    if path.suffix not in (".csv", ".jsonl"):
        raise _failed(path, None, "this is no result file", expected="a .csv or .jsonl file")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _failed(path, None, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _failed(path, None, f"byte {error.start} is not UTF-8") from error
    problems: list[Problem] = []
    results = []
    reader = _csv_rows if path.suffix == ".csv" else _json_rows
    seen: dict[tuple[str, int], int] = {}
    for line, row in reader(path, text, problems):
        result = _result(path, line, row, problems)
        if result is None:
            continue
        first = seen.setdefault((result.case, result.trial), line)
        if first != line:
            problems.append(
                _problem(
                    path,
                    line,
                    f"case {result.case!r}, trial {result.trial} is given twice, first in line "
                    f"{first}",
                    suggestion="number repeats with 'trial'",
                )
            )
        results.append(result)
    if not results and not problems:
        problems.append(_problem(path, None, "holds no result"))
    if problems:
        raise ConfigError(problems)
    return tuple(results)


def _csv_rows(
    path: Path, text: str, problems: list[Problem]
) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = list(reader.fieldnames or ())
        if not names:
            return
        if not _check_keys(path, 1, names, problems):
            return
        for row in reader:
            if None in row or any(value is None for value in row.values()):
                problems.append(
                    _problem(path, reader.line_num, "the number of fields is not the header's")
                )
                continue
            yield reader.line_num, {key: value for key, value in row.items() if value != ""}
    except csv.Error as error:
        problems.append(_problem(path, reader.line_num, f"is not CSV: {error}"))


def _json_rows(
    path: Path, text: str, problems: list[Problem]
) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            row = parse_json(content.encode(), str(path), first_line=line).data
        except ConfigError as error:
            problems += error.problems
            continue
        if not isinstance(row, dict):
            problems.append(_problem(path, line, "is no object", value=content[:60]))
        elif _check_keys(path, line, list(row), problems):
            yield line, row


def _check_keys(path: Path, line: int, names: list[str], problems: list[Problem]) -> bool:
    wrong = [name for name in names if name not in KEYS]
    for name in wrong:
        problems.append(
            _problem(path, line, "unknown key", key=str(name), expected=f"one of {', '.join(KEYS)}")
        )
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    for name in twice:
        problems.append(_problem(path, line, "is given twice", key=name))
    lacking = [name for name in ("case", "passed") if name not in names]
    for name in lacking:
        problems.append(_problem(path, line, "is missing", key=name))
    return not (wrong or twice or lacking)


def _result(
    path: Path, line: int, row: dict[str, Any], problems: list[Problem]
) -> RawResult | None:
    """The row as a result, or None after noting what is wrong with it."""
    before = len(problems)

    def wrong(key: str, expected: str) -> None:
        value = json.dumps(row.get(key), ensure_ascii=False)[:60]
        problems.append(
            _problem(path, line, "wrong value", key=key, value=value, expected=expected)
        )

    case = row.get("case")
    if not isinstance(case, str) or not case.strip():
        wrong("case", "an id that is not empty")
    passed: bool | None = None
    word = str(row.get("passed", "")).strip().casefold()
    if word in TRUE or word in FALSE:
        passed = word in TRUE
    elif word not in MISSING:
        wrong("passed", "true or false, or nothing where there is no result")
    trial = _number(row.get("trial", 0))
    if trial is None or trial != int(trial) or trial < 0:
        wrong("trial", "a whole number from 0")
    cost = _number(row["cost_usd"]) if row.get("cost_usd") is not None else None
    if row.get("cost_usd") is not None and (cost is None or cost < 0):
        wrong("cost_usd", "a finite amount of at least 0")
    group = row.get("group")
    if group is not None and not isinstance(group, str):
        wrong("group", "a name")
    tags = row.get("tags") or []
    if isinstance(tags, str):
        tags = [tag for tag in tags.replace(",", " ").replace(";", " ").split() if tag]
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        wrong("tags", "a list of names, or names with spaces between them")
    if len(problems) > before:
        return None
    assert isinstance(case, str) and trial is not None
    return RawResult(
        case=case,
        passed=passed,
        trial=int(trial),
        group=group,
        tags=tuple(tags),
        cost_usd=cost,
    )


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _problem(path: Path, line: int | None, message: str, **more: str) -> Problem:
    return Problem(file=str(path), line=line, message=message, **more)  # type: ignore[arg-type]


def _failed(path: Path, line: int | None, message: str, **more: str) -> ConfigError:
    return ConfigError([_problem(path, line, message, **more)])
