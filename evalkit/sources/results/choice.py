"""What a result file leaves open, so that somebody has to say it."""

from collections.abc import Mapping

import msgspec


class ResultChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which results of a file are meant.

    `scorer` is the inspect_ai scorer that decides, `pass_at` the smallest of its scores that
    passes. `select` picks one column of a promptfoo evaluation by `prompt`, `provider` or
    `promptIdx`.
    """

    scorer: str | None = None
    pass_at: float | None = None
    select: Mapping[str, str] = {}
