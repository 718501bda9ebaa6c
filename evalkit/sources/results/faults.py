"""What is wrong with one result file: the first of it in full, the rest as a number."""

import json
import reprlib
from typing import Any

from evalkit.errors import ConfigError, Problem

_KEPT = 20
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def shown(value: Any) -> str:
    """A value of a file for a message: short, and with everything a terminal would obey escaped."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return _SHORT.repr(value)


class Faults:
    """Collects the problems of the file named `file`. A hundred thousand bad rows stay readable."""

    def __init__(self, file: str) -> None:
        """Nothing is wrong yet."""
        self.file = file
        self._problems: list[Problem] = []
        self._more = 0

    def note(
        self,
        message: str,
        *,
        line: int | None = None,
        column: int | None = None,
        key: str | None = None,
        value: str | None = None,
        expected: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        """Keep one problem. `value` is ready to be shown."""
        if len(self._problems) >= _KEPT:
            self._more += 1
            return
        self._problems.append(
            Problem(
                file=self.file,
                line=line,
                column=column,
                key=key,
                message=message,
                value=value,
                expected=expected,
                suggestion=suggestion,
            )
        )

    def take(self, error: ConfigError) -> None:
        """Keep the problems of an error, whose keys are as the file has them."""
        for problem in error.problems:
            self.note(
                problem.message,
                line=problem.line,
                column=problem.column,
                key=None if problem.key is None else shown(problem.key),
                value=problem.value,
                expected=problem.expected,
                suggestion=problem.suggestion,
            )

    def __len__(self) -> int:
        """How many problems there are."""
        return len(self._problems) + self._more

    def error(
        self,
        message: str,
        *,
        line: int | None = None,
        expected: str | None = None,
        suggestion: str | None = None,
    ) -> ConfigError:
        """The error to raise when nothing more can be read; it holds what was noted before too."""
        self.note(message, line=line, expected=expected, suggestion=suggestion)
        return ConfigError(self._all())

    def check(self) -> None:
        """Raise ConfigError if anything was noted."""
        if self._problems:
            raise ConfigError(self._all())

    def _all(self) -> list[Problem]:
        if not self._more:
            return self._problems
        more = Problem(file=self.file, message=f"has {self._more:,} more problems like these")
        return [*self._problems, more]
