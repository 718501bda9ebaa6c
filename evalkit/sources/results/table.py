"""Results with one row each: CSV with a header, or JSON Lines."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from evalkit.config.encoding import decode_text
from evalkit.config.json_document import STRICT, parse_json
from evalkit.errors import ConfigError
from evalkit.records.results import ResultRow, Results
from evalkit.sources.results.faults import Faults, shown
from evalkit.sources.results.labels import finite_amount, finite_number, tag_names

KEYS = ("case", "passed", "trial", "group", "tags", "cost_usd", "tokens", "latency_s")
_LAST_TRIAL = 1_000_000
_AMOUNTS = ("cost_usd", "tokens", "latency_s")
# 1.0 and 0.0 are what pandas writes for a column of booleans in which some are missing
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "1", "1.0", "yes", "pass", "passed"), True),
    **dict.fromkeys(("false", "0", "0.0", "no", "fail", "failed"), False),
    **dict.fromkeys(("", "null", "none", "nan", "error", "skipped"), None),
}


def read_csv(raw: bytes, faults: Faults) -> Results:
    """The rows of a CSV file. Raises ConfigError with what is wrong in it, line by line."""
    return _collect("csv", _csv_rows(decode_text(raw, faults.file), faults), faults)


def read_json_lines(raw: bytes, faults: Faults) -> Results:
    """The rows of a JSON Lines file. Raises ConfigError as `read_csv` does."""
    return _collect("jsonl", _json_rows(decode_text(raw, faults.file), faults), faults)


def _collect(kind: str, rows: Iterator[tuple[int, dict[str, Any]]], faults: Faults) -> Results:
    found: list[ResultRow] = []
    unknown: Counter[str] = Counter()
    seen: dict[tuple[str, int], int] = {}
    for line, row in rows:
        result = _result(line, row, faults)
        if result is None:
            continue
        first = seen.setdefault((result.case, result.trial), line)
        if first != line:
            faults.note(
                f"case {shown(result.case)}, trial {result.trial} is given twice, first in line "
                f"{first}",
                line=line,
                suggestion="number repeats with 'trial'",
            )
        if result.passed is None:
            unknown["no result"] += 1
        found.append(result)
    if not found and not faults:
        raise faults.error("holds no result")
    faults.check()
    return Results(kind=kind, rows=tuple(found), about=kind.upper(), unknown=unknown)


def _csv_rows(text: str, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = list(reader.fieldnames or ())
        if not names or not _check_keys(1, names, "table", faults):
            return
        for row in reader:
            if None in row or None in row.values():
                faults.note("the number of fields is not the header's", line=reader.line_num)
                continue
            yield reader.line_num, {key: value for key, value in row.items() if value != ""}
    except csv.Error as error:
        faults.note(f"is not CSV: {error}", line=reader.line_num)


def _json_rows(text: str, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            row = _json_row(content, line, faults.file)
        except ConfigError as error:
            faults.take(error)
            continue
        if not isinstance(row, dict):
            faults.note("is no object", line=line, value=shown(content))
        elif _check_keys(line, list(row), "line", faults):
            yield line, row


def _json_row(content: str, line: int, file: str) -> Any:
    # an escape may be half of a character, which only the slow way tells
    if "\\u" not in content:
        try:
            return STRICT(content)
        except (ValueError, RecursionError):
            pass  # the slow way says what is wrong, and where
    return parse_json(content.encode(), file, first_line=line).data


def _check_keys(line: int, names: Sequence[str], noun: str, faults: Faults) -> bool:
    before = len(faults)
    if not {"case", "passed"} & set(names):
        faults.note(
            f"has neither case nor passed, so it is no {noun} of results",
            line=line,
            value=shown(", ".join(names)),
            expected=f"some of {', '.join(KEYS)}",
            suggestion="separate fields with commas; let promptfoo and inspect_ai write JSON",
        )
        return False
    for name in names:
        if name not in KEYS:
            faults.note(
                "unknown key",
                line=line,
                key=shown(name),
                expected=f"one of {', '.join(KEYS)}",
            )
    for name in (name for name, times in Counter(names).items() if times > 1):
        faults.note("is given twice", line=line, key=shown(name))
    for name in ("case", "passed"):
        if name not in names:
            faults.note("is missing", line=line, key=name)
    return len(faults) == before


def _result(line: int, row: dict[str, Any], faults: Faults) -> ResultRow | None:
    """The row as a result, or None after noting what is wrong with it."""
    before = len(faults)

    def wrong(key: str, expected: str) -> None:
        faults.note("wrong value", line=line, key=key, value=shown(row.get(key)), expected=expected)

    case = row.get("case")
    if isinstance(case, int) and not isinstance(case, bool):
        case = str(case)
    if not isinstance(case, str) or not case.strip():
        wrong("case", "an id that is not empty")
    word = str(row.get("passed", "")).strip().casefold()
    if word not in _WORDS:
        wrong("passed", "true or false, or nothing where there is no result")
    trial = finite_number(row.get("trial", 0))
    if trial is None or trial != int(trial) or not 0 <= trial <= _LAST_TRIAL:
        wrong("trial", "a whole number from 0")
    amounts = {key: finite_amount(row.get(key)) for key in _AMOUNTS if row.get(key) is not None}
    for key in (key for key, amount in amounts.items() if amount is None):
        wrong(key, "a finite amount of at least 0")
    group = row.get("group")
    if group is not None and not isinstance(group, str):
        wrong("group", "a name")
    tags = tag_names(row.get("tags"))
    if tags is None:
        wrong("tags", "a list of names, or names with spaces between them")
    if len(faults) > before:
        return None
    assert isinstance(case, str) and trial is not None and tags is not None
    return ResultRow(
        case=case, passed=_WORDS[word], trial=int(trial), group=group, tags=tags, **amounts
    )
