"""Where answers came from, in words. A script is called a script wherever it shows."""

from collections.abc import Iterable, Mapping

from evalkit.records.comparison import Comparison

_WORDS = {
    "live": "live",
    "cache": "from the cache",
    "recording": "recorded",
    "scripted": "scripted",
}
SCRIPTED_NOTE = (
    "Scripted replies were written by hand: they exercise policies, tools and the gate, and "
    "measure no model."
)


def origin_words(origins: Mapping[str, int]) -> str:
    """'240 recorded', '12 live, 3 from the cache', 'none'."""
    parts = [f"{number:,} {_WORDS.get(origin, origin)}" for origin, number in origins.items()]
    return ", ".join(parts) or "none"


def scripted_words(sides: Iterable[Mapping[str, int]]) -> str:
    """'', 'on scripted replies' or 'partly on scripted replies', from the origins of all sides."""
    total = scripted = 0
    for origins in sides:
        total += sum(origins.values())
        scripted += origins.get("scripted", 0)
    if not scripted:
        return ""
    return "on scripted replies" if scripted == total else "partly on scripted replies"


def model_words(models: str, origins: Mapping[str, int]) -> str:
    """The models of a side; where a script answered everything, only whom it stands in for."""
    scripted = scripted_words([origins]) == "on scripted replies"
    return f"scripted, for {models}" if scripted and models else models


def alone(comparison: Comparison) -> bool:
    """Whether no suite has a side to be held against."""
    return bool(comparison.suites) and all(suite.before is None for suite in comparison.suites)


def origins_of(comparison: Comparison) -> list[Mapping[str, int]]:
    """The origins of every side of every suite."""
    return [
        side.origins
        for suite in comparison.suites
        for side in (suite.before, suite.after)
        if side is not None
    ]
