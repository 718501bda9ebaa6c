"""What somebody asks of a run: the command line's flags, or the arguments of `Project.run`."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from evalkit.control.providers.faulty import Fault
from evalkit.errors import UsageError
from evalkit.records.shard import Shard


class RunRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to run and how. Stored in the bundle, so that a resumed run asks the same.

    `suites` empty means the project's default suites. `changes` touch the candidate only.
    `baseline` is a git ref or a bundle and wins over the configuration's; `no_baseline` asks for
    floors alone. `live` asks models that have recordings. `cache` is use, refresh (ask again,
    store), offline (what is not stored is missing) or off. `cases` and `tags` select, `broken_in`
    re-runs what regressed in that run; a run that selects never gates. `faults` are broken
    providers by name (or `primary`), of a drill, which never gates and uses no cache.
    `accept_gate_change` and `allow_unexercised` accept what the guards found. `shard` is the part
    of the run that this machine makes: it decides nothing by itself, and is merged with the others;
    `shard_costs` names a run whose measured costs say how the parts are balanced. `traces` are
    stored sessions that take the place of golden set and baseline: a replay. `min_played` is the
    share (0 to 1) of those that may be evaluated which it has to play in order to pass;
    `unreadable` counts lines beside them that could not be read, and may have been such sessions.
    """

    suites: tuple[str, ...] = ()
    changes: Mapping[str, Any] = {}
    baseline: str | None = None
    no_baseline: bool = False
    live: bool = False
    cache: str = "use"
    trials: int | None = None
    concurrency: int | None = None
    cases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    broken_in: str | None = None
    faults: Mapping[str, Fault] = {}
    accept_gate_change: bool = False
    allow_unexercised: bool = False
    shard: Shard | None = None
    shard_costs: str | None = None
    traces: tuple[str, ...] = ()
    min_played: float = 1.0
    unreadable: int = 0

    @property
    def selects(self) -> bool:
        """Whether only some cases run, so that the run cannot gate."""
        return bool(self.cases or self.tags or self.broken_in)

    @property
    def gates(self) -> bool:
        """Whether the run can gate: all cases run, and nothing is broken on purpose."""
        return self.counts and self.shard is None

    @property
    def counts(self) -> bool:
        """Whether a gate will be decided on what the run measures, by itself or once merged."""
        return not (self.selects or self.faults)


def parse_shard(text: str) -> Shard:
    """I/N as a shard. Raises UsageError."""
    found = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text.strip())
    index, of = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= index <= of:
        raise UsageError(
            f"--shard {text}: expected I/N, the I-th of N shards with I from 1 to N, such as 2/4"
        )
    return Shard(index=index, of=of)
