"""Flags of `run` and `plan` as a request."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from evalkit.config.changes import parse_change
from evalkit.errors import UsageError
from evalkit.workflows.setup.faults import parse_faults
from evalkit.workflows.setup.request import RunRequest, parse_shard


def build_request(
    *,
    suites: Sequence[str] | None,
    set_: Sequence[str] | None,
    baseline: str | None,
    no_baseline: bool,
    live: bool,
    no_cache: bool,
    refresh: bool,
    offline: bool = False,
    trials: int | None,
    concurrency: int | None = None,
    tags: Sequence[str] | None,
    cases: Sequence[str] | None,
    cases_from: str | None,
    regressed: bool,
    accept_gate_change: bool,
    allow_unexercised: bool,
    faults: Sequence[str] | None = None,
    shard: str | None = None,
    shard_costs: str | None = None,
) -> RunRequest:
    """The request. Raises UsageError for flags that contradict each other."""
    if baseline and no_baseline:
        raise UsageError("--baseline names a baseline and --no-baseline asks for none; give one")
    if no_cache and refresh:
        raise UsageError("--refresh stores new replies and --no-cache stores none; give one")
    if offline:
        _check_offline(no_cache=no_cache, refresh=refresh, live=live, faults=bool(faults))
    if faults and refresh:
        raise UsageError("--fault makes a drill, which stores no replies; leave --refresh out")
    if (cases_from is not None) != regressed:
        raise UsageError("--cases-from RUN and --regressed go together")
    if shard_costs is not None and shard is None:
        raise UsageError("--shard-costs balances shards; give --shard I/N with it")
    if shard is not None:
        _check_shardable(cases=cases, tags=tags, regressed=regressed, faults=faults)
    changes = parse_changes(set_)
    return RunRequest(
        suites=tuple(dict.fromkeys(suites or ())),
        changes=changes,
        baseline=baseline,
        no_baseline=no_baseline,
        live=live,
        cache=_cache_way(no_cache=no_cache, refresh=refresh, offline=offline),
        trials=trials,
        concurrency=concurrency,
        cases=tuple(cases or ()),
        tags=tuple(tags or ()),
        broken_in=cases_from,
        faults=parse_faults(faults or ()),
        accept_gate_change=accept_gate_change,
        allow_unexercised=allow_unexercised,
        shard=None if shard is None else parse_shard(shard),
        shard_costs=shard_costs,
    )


def parse_changes(set_: Sequence[str] | None) -> dict[str, Any]:
    """What `--set` asks for. Raises UsageError for a key that is given twice."""
    changes = [parse_change(text) for text in set_ or ()]
    twice = [key for key, count in Counter(key for key, _ in changes).items() if count > 1]
    if twice:
        raise UsageError(f"--set gives {twice[0]} more than one value; give one")
    return dict(changes)


def _check_offline(*, no_cache: bool, refresh: bool, live: bool, faults: bool) -> None:
    for given, flag, why in (
        (no_cache, "--no-cache", "reads nothing from the cache"),
        (refresh, "--refresh", "asks the models again"),
        (live, "--live", "asks the models themselves"),
        (faults, "--fault", "makes a drill, which uses no cache"),
    ):
        if given:
            raise UsageError(
                f"--offline answers from the cache alone, and {flag} {why}; give one of the two"
            )


def _cache_way(*, no_cache: bool, refresh: bool, offline: bool) -> str:
    return "off" if no_cache else "refresh" if refresh else "offline" if offline else "use"


def _check_shardable(
    *,
    cases: Sequence[str] | None,
    tags: Sequence[str] | None,
    regressed: bool,
    faults: Sequence[str] | None,
) -> None:
    flags = {"--case": cases, "--tag": tags, "--regressed": regressed, "--fault": faults}
    for flag, given in flags.items():
        if given:
            raise UsageError(
                f"{flag} makes a run that never gates, and the shards of a run are merged to gate "
                "it; leave --shard or the other out"
            )
