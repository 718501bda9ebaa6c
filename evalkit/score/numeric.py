"""A number within a tolerance, in exact arithmetic: 1.1 and 1.2 differ by 0.1, no less."""

import math
from fractions import Fraction
from typing import Any

from evalkit.config.scorers import PLAIN_DECIMAL, NumericScorer
from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.score.reply import NotJson, no_reply, reply_field
from evalkit.score.scorer import Judgement, Scorer, ScorerError
from evalkit.score.wording import show, stored


class Numeric(Scorer[tuple[Any]]):
    """The output, or a key of the JSON reply, is a number near the expected one.

    Near: `|found - expected| <= max(absolute, relative * |expected|)`. A text is a number when it
    is one in plain decimal notation, such as `-1200.50`, with or without spaces around it. Where a
    case expects null in a field, only null passes.
    """

    kind = "numeric"

    def __init__(self, config: NumericScorer, *, label: str, gate: bool) -> None:
        """Built by the registry."""
        super().__init__(label=label, gate=gate)
        self._field = config.field
        self._absolute = _exact(config.absolute)
        self._relative = _exact(config.relative)
        self._tolerance = " or ".join(
            text
            for text, amount in (
                (f"{config.absolute:g}", config.absolute),
                (f"{config.relative * 100:g} %", config.relative),
            )
            if amount
        )

    def expectation(self, case: Case) -> tuple[Any] | None:
        """The expected number, or null in a field, in a tuple of one."""
        key = self._field or "output"
        if key not in case.expected:
            return None
        wanted = case.expected[key]
        if wanted is None and self._field is not None:
            return (None,)
        try:
            read_number(wanted)
        except ValueError as error:
            raise ScorerError(f"expected.{key} {error}") from None
        return (wanted,)

    def is_asked_by(self, case: Case) -> bool:
        """Always: only `expected` says which number."""
        return True

    def judge(self, attempt: Attempt, expectation: tuple[Any]) -> Judgement:
        """Compare the two numbers."""
        (wanted,) = expectation
        value: Any = attempt.output
        if self._field is not None:
            value = reply_field(attempt, self._field)
        elif value is None:
            return no_reply(attempt, wanted)
        at = f"{self._field}: " if self._field is not None else ""
        if isinstance(value, NotJson):
            message = f"{at}expected {show(wanted)}, {value.reason}"
            return Judgement(passed=False, message=message, expected=stored(wanted))
        passed, remark = self._compare(wanted, value)
        within = f" within {self._tolerance}" if self._tolerance and wanted is not None else ""
        message = f"{at}expected {show(wanted)}{within}, found {show(value)}{remark}"
        if passed:
            return Judgement(passed=True, message=message)
        return Judgement(
            passed=False, message=message, expected=stored(wanted), found=stored(value)
        )

    def _compare(self, wanted: Any, value: Any) -> tuple[bool, str]:
        if wanted is None:
            return value is None, ""
        try:
            found = read_number(value)
        except ValueError as error:
            return False, f", which {error}"
        expected = read_number(wanted)
        distance = abs(found - expected)
        return distance <= max(self._absolute, self._relative * abs(expected)), ""


def read_number(value: Any) -> Fraction:
    """The number that a JSON value or a text is, exactly as written. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("is not a number")
    if isinstance(value, str):
        if not PLAIN_DECIMAL.fullmatch(value.strip()):
            raise ValueError("is not a number in plain decimal notation")
        return Fraction(value.strip())
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("is not a finite number")
    return _exact(value)


def _exact(number: float) -> Fraction:
    """The number as it is written, not as binary stores it: 0.1 is one tenth."""
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))
