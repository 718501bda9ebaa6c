"""Words of a calibration that several of its blocks use."""

from collections.abc import Sequence

from evalkit.records.calibration import Share
from evalkit.records.label import LabellerKind
from evalkit.report.figures import percent

_LABELLERS: dict[LabellerKind, str] = {"person": "people", "model": "a model", "rule": "a rule"}
NOT_DEFINED = "–"


def labelled_words(by: Sequence[LabellerKind]) -> str:
    """Who made the labels; that it was not people is said outright."""
    who = [words for kind, words in _LABELLERS.items() if kind in by]
    if not who:
        return "no labels"
    words = f"labels made by {' and '.join(who)}"
    if "person" not in by:
        return f"{words} (not by people)"
    return words if len(who) == 1 else f"{words} (not by people alone)"


def ceiling_words(human: bool) -> str:
    """What the agreement of two labellers is called."""
    return "human ceiling" if human else "labeller ceiling"


def share_words(share: Share | None) -> tuple[str, str, str]:
    """A rate, its 95 % interval, and what it rests on."""
    if share is None:
        return NOT_DEFINED, NOT_DEFINED, "0"
    return percent(share.value), interval_words(share.lower, share.upper), number(share.n)


def interval_words(lower: float, upper: float) -> str:
    """'84.0 to 96.0 %'."""
    return f"{percent(lower).removesuffix(' %')} to {percent(upper)}"


def number(n: float) -> str:
    """A count that may be an effective number, which a weighted sample has."""
    return f"{n:,.0f}" if float(n).is_integer() else f"{n:,.1f}"


def coefficient(value: float | None) -> str:
    """A coefficient of agreement with two decimals: '0.71'."""
    return NOT_DEFINED if value is None else f"{round(value, 2) + 0.0:.2f}"


def coefficient_with(value: float | None, interval: tuple[float, float] | None) -> str:
    """The same with its interval: '0.71 (0.60 to 0.82)'."""
    if value is None or interval is None:
        return coefficient(value)
    lower, upper = interval
    return f"{coefficient(value)} ({coefficient(lower)} to {coefficient(upper)})"
