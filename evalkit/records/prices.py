"""Prices that a run took from a price list, so that it can be told what they were."""

from typing import Any

import msgspec


class ListedPrices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`source` is the list and its version, `at` the day (UTC) whose prices held, `models` what was
    found by the configured names, in USD per million tokens."""

    source: str
    at: str
    models: dict[str, dict[str, Any]] = {}
