"""Outcomes in capitals, and their colours on a terminal, where all is said in words as well."""

from typing import TYPE_CHECKING

from evalkit.records.comparison import ChangeKind
from evalkit.records.verdict import Outcome
from evalkit.report.screen import styled

if TYPE_CHECKING:
    from rich.text import Text

MARKS = {
    Outcome.PASS: "PASS",
    Outcome.FAIL: "FAIL",
    Outcome.INCONCLUSIVE: "INCONCLUSIVE",
    Outcome.INCOMPLETE: "INCOMPLETE",
    Outcome.NOT_MEASURED: "NOT MEASURED",
}
_OUTCOMES = {
    Outcome.PASS: "green",
    Outcome.FAIL: "red",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.INCOMPLETE: "magenta",
    Outcome.NOT_MEASURED: "yellow",
}
_WORDS = {MARKS[outcome]: style for outcome, style in _OUTCOMES.items()}
KIND_STYLES: dict[ChangeKind, str] = {
    "regression": "red",
    "error": "magenta",
    "fix": "green",
    "flip": "yellow",
    "failing": "default",
    "same": "default",
}


def mark(outcome: Outcome) -> "Text":
    """The outcome in capitals, in its colour."""
    return styled(MARKS[outcome], f"bold {_OUTCOMES[outcome]}")


def run_style(word: str) -> str:
    """The style of a run's mark, which may be more than an outcome."""
    return f"bold {_WORDS.get(word, 'magenta')}"
