"""What another harness measured of one variant: rows that the gate can compare, and their story."""

from collections.abc import Mapping

import msgspec


class ResultRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One result of one arm: a case in one trial.

    `passed` None says that there is no result (an error, a test that was not run); it is counted,
    and never as a pass or a failure. `trial` counts from 0. Amounts are None where the harness
    measured none; `latency_s` is in seconds.
    """

    case: str
    passed: bool | None
    trial: int = 0
    group: str | None = None
    tags: tuple[str, ...] = ()
    cost_usd: float | None = None
    tokens: float | None = None
    latency_s: float | None = None


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """All results of one file.

    `kind` is the form of the file, `about` says in a few words what was read from it. `unknown`
    counts the rows without a result by reason. `checks` maps a case to a digest of what it was
    given and of how it was judged, where the file tells. `used` names the choices (`scorer`,
    `pass_at`, `select`) that had something to decide.
    """

    kind: str
    rows: tuple[ResultRow, ...]
    about: str
    unknown: Mapping[str, int] = {}
    checks: Mapping[str, str] = {}
    used: frozenset[str] = frozenset()
