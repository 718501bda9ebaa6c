"""What `evalkit prune` removed, or would.

Schema history: `evalkit.prune/1` is the first.
"""

from typing import Literal

import msgspec


class Pruned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of private state. `kept` are runs that stay whatever their age, and why."""

    kind: str
    count: int = 0
    bytes: int = 0
    names: tuple[str, ...] = ()
    kept: dict[str, str] = {}


class PruneReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every kind that was asked for and has an age."""

    dry_run: bool
    pruned: tuple[Pruned, ...]
    schema: Literal["evalkit.prune/1"] = "evalkit.prune/1"
