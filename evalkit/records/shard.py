"""A run that many machines make: which part one of them makes, and what all of them agree on."""

import msgspec


class Shard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `of` parts of a run; `index` counts from 1."""

    index: int
    of: int

    def __str__(self) -> str:
        """As people say it: shard 2 of 4."""
        return f"shard {self.index} of {self.of}"


class PlanIdentity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the shards of a run have in common, which is how they are known to be of one run.

    `parts` digests each thing that the plan depends on, by its name in words, and `digest` all of
    them. `suites` are in the order of the run, with the number of their cases. `budget_usd` is the
    cap of the whole run, of which a shard has its share.
    """

    digest: str
    parts: dict[str, str]
    suites: dict[str, int]
    budget_usd: float | None = None


class MergedShard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A shard of a merged run: the run that made it, what it made, and what that was charged."""

    index: int
    run: str
    attempts: int
    billed_usd: float
