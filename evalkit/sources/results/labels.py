"""Tags, groups and amounts as harnesses write them beside a result."""

import math
from typing import Any


def tag_names(tags: Any) -> tuple[str, ...] | None:
    """Tags from a list, or from a text with spaces, commas or semicolons; None if it is neither."""
    if isinstance(tags, str):
        return tuple(tags.replace(",", " ").replace(";", " ").split())
    if tags is None:
        return ()
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return None
    return tuple(tags)


def group_name(group: Any) -> str | None:
    """A group from a text or a whole number; None where there is none."""
    if isinstance(group, bool) or not isinstance(group, str | int):
        return None
    return str(group).strip() or None


def finite_number(value: Any) -> float | None:
    """A finite number from a number or a text; None from anything else."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def finite_amount(value: Any) -> float | None:
    """The same of what cannot be negative."""
    number = finite_number(value)
    return number if number is not None and number >= 0 else None
