"""Series over runs, and what differs between two runs of a suite in words that fit a column."""

from collections.abc import Iterator, Mapping

from evalkit.records.history import ArmEntry, RunEntry, Trend, TrendPoint

_GOLDEN = "golden:"
_PLAIN = {"scorers": "scorers", "gate": "gate"}
_KEYED = {"routes": "route", "models": "settings of model", "providers": "provider"}

Pair = tuple[RunEntry, ArmEntry]


def suite_trends(
    suite: str, pairs: list[Pair], metric: str, *, slices: bool, limit: int
) -> Iterator[Trend]:
    """The series of one suite over its last `limit` of `pairs`, which are oldest first.

    One more pair tells what changed at the first point. Slices have pass rates only.
    """
    shown = pairs[-limit:]
    changes = [
        changes_between(pairs[number - 1], pair) if number else ()
        for number, pair in enumerate(pairs)
    ][-limit:]

    def series(name: str | None) -> Trend:
        points = tuple(
            _point(pair, arm.metrics.get(metric) if name is None else arm.slices.get(name), changed)
            for pair, changed in zip(shown, changes, strict=True)
            for arm in (pair[1],)
        )
        return Trend(suite=suite, metric=metric, slice=name, points=points)

    yield series(None)
    if slices and metric == "pass_rate":
        yield from (
            series(name) for name in sorted({tag for _, arm in shown for tag in arm.slices})
        )


def _point(pair: Pair, value: float | None, changed: tuple[str, ...]) -> TrendPoint:
    run, arm = pair
    return TrendPoint(
        run=run.id,
        at=run.started_at,
        sha=run.sha,
        branch=run.branch,
        value=value,
        outcome=arm.outcome,
        changed=changed,
        dirty=run.dirty or bool(run.changes),
    )


def changes_between(before: Pair, after: Pair) -> tuple[str, ...]:
    """The commit, prompt, models, golden set, other assets and evalkit, where they differ."""
    (old_run, old), (new_run, new) = before, after
    words = []
    if old_run.sha != new_run.sha and new_run.sha is not None:
        words.append(f"commit {new_run.sha[:7]}")
    if old.prompt != new.prompt:
        words.append(f"prompt {_moved(old.prompt, new.prompt)}")
    words += _models(old.models, new.models)
    words += _assets(old, new)
    if old_run.evalkit != new_run.evalkit:
        words.append(f"evalkit {_moved(old_run.evalkit, new_run.evalkit)}")
    return tuple(words)


def _models(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """A model of a route is known by its configured name, and called by an id."""
    for name in new:
        if name in old and old[name] != new[name]:
            yield f"model {name}: {_moved(old[name], new[name])}"
    gone = [name for name in old if name not in new]
    come = [name for name in new if name not in old]
    if gone or come:
        yield f"model {_moved(', '.join(gone), ', '.join(come))}"


def _assets(old: ArmEntry, new: ArmEntry) -> Iterator[str]:
    sets = [_golden_of(arm.assets) for arm in (old, new)]
    if sets[0] != sets[1]:
        yield f"golden set {_moved(*sets)}"
    for name in dict.fromkeys((*new.assets, *old.assets)):
        before, after = old.assets.get(name), new.assets.get(name)
        if before == after:
            continue
        kind, _, key = name.partition(".")
        if name.startswith(_GOLDEN):
            if before and after:
                yield f"golden set {name.removeprefix(_GOLDEN)} edited"
        elif name in _PLAIN:
            yield _PLAIN[name]
        elif old.prompt != new.prompt and name.startswith(("prompts/", "agents/")):
            continue  # its other version was named already
        elif kind in _KEYED and "/" not in name:
            # a model that came or went was named already, and brings its provider along
            if before and after:
                yield f"{_KEYED[kind]} {key}"
            elif kind == "routes":
                yield f"route {key} {'added' if after else 'gone'}"
        else:
            verb = "edited" if before and after else "added" if after else "gone"
            yield f"{name} {verb}"


def _golden_of(assets: Mapping[str, str]) -> str:
    names = [name.removeprefix(_GOLDEN) for name in assets if name.startswith(_GOLDEN)]
    return ", ".join(names)


def _moved(before: str, after: str) -> str:
    return f"{before or 'none'} → {after or 'none'}"
