"""What a scorer is: it reads what a case expects and judges what an attempt did."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.records.score import ScoreState

Expectation = TypeVar("Expectation")


class ScorerError(Exception):
    """A scorer cannot say anything about an attempt: what is expected makes no sense, or the check
    itself broke. The score records it, and the attempt cannot pass."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an attempt passed and why; `expected` and `found` are JSON, for reports, `measures`
    figures such as precision and recall.

    `passed` is None for a tie of a pair alone, which is neither.
    """

    passed: bool | None
    message: str
    expected: Any = None
    found: Any = None
    measures: Mapping[str, float] = {}


class Unscored(msgspec.Struct, frozen=True):
    """Why a scorer does not judge."""

    state: ScoreState
    message: str


class Scorer(ABC, Generic[Expectation]):
    """One scorer of a suite. `label` is what it is reported under, `gate` whether it decides."""

    kind: ClassVar[str]

    # Set by scorers that an attempt passes by doing nothing at all: they say something about every
    # case, and decide one only where the case asks for it.
    vacuous: ClassVar[bool] = False

    def __init__(self, *, label: str, gate: bool) -> None:
        """Built by the registry."""
        self.label = label
        self.gate = gate

    @abstractmethod
    def expectation(self, case: Case) -> Expectation | None:
        """What the case expects, or None where this scorer does not apply. Raises ScorerError."""

    @abstractmethod
    def judge(self, attempt: Attempt, expectation: Expectation) -> Judgement:
        """Judge an attempt that has a result. Raises ScorerError."""

    @abstractmethod
    def is_asked_by(self, case: Case) -> bool:
        """Whether the case itself, not only the suite, says what is expected."""

    def decides(self, case: Case) -> bool:
        """Whether a case to which this scorer applies may pass by it alone."""
        return not self.vacuous or self.is_asked_by(case)
