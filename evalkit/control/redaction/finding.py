"""A stretch of text that is personal data or a secret."""

from typing import NamedTuple

from evalkit.records.placeholder import PlaceholderKind


class Finding(NamedTuple):
    """Where something stands and what it is, the same for every way of writing it.

    A finding that is not `certain` is personal data only where the same `digits` were certain
    somewhere else: "555 0129" alone says little, after "call 555-0129" it says enough.
    """

    start: int
    end: int
    kind: PlaceholderKind
    value: str
    digits: str = ""
    certain: bool = True
