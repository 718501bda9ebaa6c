"""Equality with what the case expects."""

from typing import Any

from evalkit.config.scorers import ExactScorer
from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.score.equality import describe, differences
from evalkit.score.normalisation import normalise
from evalkit.score.reply import NotJson, no_reply, reply_field, reply_json
from evalkit.score.scorer import Judgement, Scorer
from evalkit.score.wording import FOUND_LENGTH, clip, listed, show, stored


class ExactFields(Scorer[dict[str, Any]]):
    """Named keys of a JSON reply equal those of `expected`.

    A case is held to those of the fields that its `expected` has.
    """

    kind = "exact"

    def __init__(self, config: ExactScorer, *, label: str, gate: bool) -> None:
        """`config.fields` is given."""
        super().__init__(label=label, gate=gate)
        self._fields = tuple(dict.fromkeys(config.fields or ()))
        self._steps = tuple(config.normalise)

    def expectation(self, case: Case) -> dict[str, Any] | None:
        """The expected fields and their values."""
        return {key: case.expected[key] for key in self._fields if key in case.expected} or None

    def is_asked_by(self, case: Case) -> bool:
        """Always: only `expected` says what the values are."""
        return True

    def judge(self, attempt: Attempt, expectation: dict[str, Any]) -> Judgement:
        """Compare field by field; the message names the first differences."""
        texts: list[str] = []
        expected: dict[str, Any] = {}
        found: dict[str, Any] = {}
        for field, wanted in expectation.items():
            value = reply_field(attempt, field)
            if isinstance(value, NotJson):
                message = f"expected {', '.join(expectation)}; {value.reason}"
                return Judgement(passed=False, message=message, expected=expectation)
            left, right = normalise(wanted, self._steps), normalise(value, self._steps)
            here = [describe(each) for each in differences(left, right, field)]
            if here:
                texts += here
                expected[field], found[field] = stored(wanted), stored(value)
        if not texts:
            return Judgement(passed=True, message=f"{', '.join(expectation)} as expected")
        return Judgement(passed=False, message=listed(texts), expected=expected, found=found)


class ExactOutput(Scorer[tuple[Any]]):
    """The whole output equals `expected.output`: as text, or as JSON where that is no text."""

    kind = "exact"

    def __init__(self, config: ExactScorer, *, label: str, gate: bool) -> None:
        """`config.fields` is not given."""
        super().__init__(label=label, gate=gate)
        self._steps = tuple(config.normalise)

    def expectation(self, case: Case) -> tuple[Any] | None:
        """The expected output in a tuple of one, because it may be null."""
        return (case.expected["output"],) if "output" in case.expected else None

    def is_asked_by(self, case: Case) -> bool:
        """Always: only `expected` says what the output is."""
        return True

    def judge(self, attempt: Attempt, expectation: tuple[Any]) -> Judgement:
        """Compare texts character by character, other values as JSON."""
        (wanted,) = expectation
        if attempt.output is None:
            return no_reply(attempt, wanted)
        value = attempt.output if isinstance(wanted, str) else reply_json(attempt)
        if isinstance(value, NotJson):
            message = f"expected {show(wanted)}, {value.reason}"
            found = clip(attempt.output, FOUND_LENGTH)
            return Judgement(passed=False, message=message, expected=stored(wanted), found=found)
        left, right = normalise(wanted, self._steps), normalise(value, self._steps)
        texts = [describe(each) for each in differences(left, right)]
        if not texts:
            return Judgement(passed=True, message=f"{show(wanted)} as expected")
        return Judgement(
            passed=False, message=listed(texts), expected=stored(wanted), found=stored(value)
        )


def build_exact(config: ExactScorer, *, label: str, gate: bool) -> Scorer[Any]:
    """The scorer that the configuration asks for."""
    scorer = ExactOutput if config.fields is None else ExactFields
    return scorer(config, label=label, gate=gate)
