"""Scores of inspect_ai: which scorer decides, and which of its values pass."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evalkit.sources.results.faults import Faults, shown
from evalkit.sources.results.labels import finite_number

_VALUES = {
    **{"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0},
    **dict.fromkeys(("yes", "true"), 1.0),
    **dict.fromkeys(("no", "false"), 0.0),
}
Scores = Mapping[str, Any]  # the value that each scorer gave


def value_of(scores: Scores, scorer: str) -> Any:
    """The value that `scorer`, or its part after the last dot, gave; None where there is none."""
    if scorer in scores:
        value = scores[scorer]
        only = isinstance(value, dict) and len(value) == 1
        return next(iter(value.values())) if only else value
    name, _, part = scorer.rpartition(".")
    value = scores.get(name)
    return value.get(part) if isinstance(value, dict) else None


def is_unscored(value: Any) -> bool:
    """Whether it is NaN (a text by now, see `tool_json`): the scorer could not tell."""
    return isinstance(value, str) and value == "NaN"


def choose_scorer(samples: Iterable[Scores], wanted: str | None, faults: Faults) -> str:
    """The scorer that decides: `wanted`, or the only one there is; "" where nothing was scored.

    Raises ConfigError that lists them where it has to be said.
    """
    names = _names(samples)
    if wanted is not None:
        if wanted in names or not names:
            return wanted
        raise faults.error(f"has no scorer {shown(wanted)}", expected=_listed(names))
    if len(names) > 1:
        raise faults.error(
            "was scored in several ways", suggestion=f"say which decides: --scorer {_listed(names)}"
        )
    return names[0] if names else ""


def _names(samples: Iterable[Scores]) -> list[str]:
    """Scorers in order of appearance; one that gives several values as one name for each."""
    names: dict[str, None] = {}
    for scores in samples:
        for name, value in scores.items():
            if isinstance(value, dict) and len(value) > 1:
                names.update(dict.fromkeys(f"{name}.{part}" for part in value))
            else:
                names[name] = None
    return list(names)


def _listed(names: Sequence[str]) -> str:
    return " | ".join(shown(name)[1:-1] for name in names)


class Scale:
    """Tells passes from failures, and keeps what it cannot tell."""

    def __init__(self, pass_at: float | None, faults: Faults) -> None:
        self._pass_at = pass_at
        self._faults = faults
        self._between: list[tuple[str, Any]] = []

    def passed(self, case: str, value: Any) -> bool | None:
        """Whether the value passes; None once it was noted that this cannot be told."""
        number = _number(value)
        if number is None:
            self._faults.note(
                f"sample {shown(case)} has a score that cannot be told as passed or failed",
                value=shown(value),
                expected="a number, or C, I, P, N, yes, no, true, false",
                suggestion="choose another --scorer",
            )
            return None
        if self._pass_at is not None:
            return number >= self._pass_at
        if number not in (0.0, 1.0):
            self._between.append((case, value))
            return None
        return number == 1.0

    def check(self) -> None:
        """Raise ConfigError for scores that could not be told."""
        if self._between:
            case, value = self._between[0]
            are = "is" if len(self._between) == 1 else "are"
            self._faults.note(
                f"{len(self._between)} of its scores {are} neither 1 nor 0, first that of sample "
                f"{shown(case)}",
                value=shown(value),
                suggestion="say from which score on a sample passes: --pass-at",
            )
        self._faults.check()


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        known = _VALUES.get(value, _VALUES.get(value.lower()))
        return known if known is not None else finite_number(value)
    return finite_number(value) if isinstance(value, int | float) else None
