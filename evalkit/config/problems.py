"""What is wrong with a document, in words for the person who wrote it."""

import difflib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from evalkit.config.document import Document, PathPart
from evalkit.config.wording import describe
from evalkit.errors import Problem, Severity

Path = tuple[PathPart, ...]
M = TypeVar("M", bound=BaseModel)

MAX_PROBLEMS = 50
_MAX_SHOWN = 60
_MAX_KEY = 100
_SECRET = re.compile(r"(api_?key|secret|password|passwd|authorization|(^|_)token$)", re.IGNORECASE)
_NOTHING: Any = object()


class Locator:
    """Makes problems about a document, with the place of what they are about.

    `data` is what was read, where that is not the document's own content; values at `changed`
    paths were put there by `--set` or a baseline, so they have no place in the file.
    """

    def __init__(
        self, document: Document, *, data: Any = _NOTHING, changed: Collection[Path] = ()
    ) -> None:
        """Locate things in `document`."""
        self.document = document
        self.data = document.data if data is _NOTHING else data
        self.changed = changed

    def problem(
        self,
        path: Sequence[PathPart],
        message: str,
        *,
        at_key: bool = False,
        value: Any = _NOTHING,
        expected: str | None = None,
        suggestion: str | None = None,
        severity: Severity = "error",
    ) -> Problem:
        """A problem with the value at `path`, or with its key."""
        whole = tuple(path)
        line: int | None
        column: int | None
        line, column = self.document.position(whole, key=at_key)
        if any(whole[: len(each)] == each for each in self.changed):
            line = column = None
            message += " (a changed value, not the file's)"
        return Problem(
            file=self.document.file,
            line=line,
            column=column,
            key=dotted(whole, self.data) or None,
            message=message,
            value=None if value is _NOTHING else shown(value, whole),
            expected=expected,
            suggestion=suggestion,
            severity=severity,
        )


def validate(model: type[M], locator: Locator) -> tuple[M | None, list[Problem]]:
    """The document's data as `model`, or None and every reason why it is none."""
    try:
        return model.model_validate(locator.data), []
    except ValidationError as error:
        return None, explain(error, model, locator)


def explain(error: ValidationError, model: type[BaseModel], locator: Locator) -> list[Problem]:
    """One problem for each thing that is wrong, in the order of the file."""
    problems = []
    for each in describe(error, model, locator.data):
        problems.append(
            locator.problem(
                each.path,
                each.message,
                at_key=each.at_key,
                value=_value_at(locator.data, each.path) if each.show_value else _NOTHING,
                expected=each.expected,
                suggestion=suggest(each.found, each.options) if each.found else None,
            )
        )
    return in_order(problems)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems of one file as they stand in it, from the top."""
    return sorted(problems, key=lambda each: (each.line or 0, each.column or 0))


def suggest(found: str, options: Iterable[str]) -> str | None:
    """`did you mean …?`, where one of `options` is close to `found`."""
    by_folded = {option.casefold(): option for option in options}
    close = difflib.get_close_matches(found.casefold(), by_folded, n=1, cutoff=0.6)
    return f"did you mean {by_folded[close[0]]!r}?" if close else None


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names as a list for a sentence, `none` without any."""
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return (", ".join(every[:most]) or "none") + more


def shown(value: Any, path: Sequence[PathPart] = ()) -> str:
    """A value as it may be printed: short, and never what may be a secret."""
    if isinstance(value, str) and path and _SECRET.search(str(path[-1])):
        return "a text that is not shown, it may be a secret"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def dotted(path: Sequence[PathPart], data: Any) -> str:
    """A path as people write it: `routes.support_triage.models.primary`, `scorers[0].exact`."""
    text = ""
    for part in path:
        inner = _step(data, part)
        if isinstance(part, int):
            name = inner.get("name") if isinstance(inner, dict) else None
            text += f".{name}" if isinstance(name, str) and text == "routes" else f"[{part}]"
        else:
            name = part if len(part) <= _MAX_KEY else f"{part[: _MAX_KEY - 1]}…"
            text += f".{name}" if text else name
        data = inner
    return text


def capped(
    problems: Iterable[Problem], unsaid: Mapping[str, int] | None = None, most: int = MAX_PROBLEMS
) -> list[Problem]:
    """At most `most` errors and as many warnings a file, and a line that says how many more.

    `unsaid` counts the lines of each file that are wrong and were not looked at any closer.
    """
    by_file: dict[tuple[str | None, Severity], list[Problem]] = {}
    for problem in problems:
        by_file.setdefault((problem.file, problem.severity), []).append(problem)
    kept = []
    for (file, severity), found in by_file.items():
        kept += found[:most]
        uncounted = (unsaid or {}).get(file or "", 0) if severity == "error" else 0
        if more := len(found[most:]) + uncounted:
            least = "at least " if uncounted else ""
            message = f"and {least}{more} more"
            kept.append(Problem(file=file, message=message, severity=severity))
    return kept


def _value_at(data: Any, path: Sequence[PathPart]) -> Any:
    for part in path:
        data = _step(data, part, _NOTHING)
    return data


def _step(data: Any, part: PathPart, default: Any = None) -> Any:
    try:
        return data[part]
    except (LookupError, TypeError):
        return default
