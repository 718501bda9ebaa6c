"""What became weaker between two configurations of a suite or a route, in sentences.

Pure comparisons; `guards` decides what they are held against and what they mean for a verdict.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evalkit.config.model import Config
from evalkit.config.routes import Route, ScreenMode
from evalkit.config.suites import (
    Gate,
    MetricGate,
    Quarantine,
    SliceGate,
    Suite,
)
from evalkit.control.screening import screen_rules
from evalkit.gate.wording import count, named
from evalkit.records.asset import Tool
from evalkit.workflows.guards.permissions import wider_permissions
from evalkit.workflows.guards.yardstick import baseline_words
from evalkit.workflows.setup.aging import FLOATING_DAYS

_RULES = ("strict", "statistical", "simple")
_INCONCLUSIVE = ("fail", "escalate", "warn")
# what a reply rests on, the most first
_EVIDENCE = ("a live model", "a live model or its stand-in", "recordings", "a script")


def weaker_suite(old: Suite, new: Suite) -> Iterable[str]:
    """What a suite requires less than it did, a sentence each.

    `gate.max_trials` is not among it: with fewer trials more stays open, and nothing passes easier.
    """
    yield from _weaker_gate(old.gate, new.gate)
    yield from _weaker_anchor(old.gate, new.gate)
    yield from _longer_quarantine(old.quarantine, new.quarantine)
    if old.trials > new.trials:
        yield f"trials went from {old.trials} to {new.trials}"
    if old.fallback == "error" and new.fallback == "accept":
        yield "answers of a fallback model count now"
    if old.evidence == "live" and new.evidence == "any":
        yield "recordings and scripts count as evidence now"
    if new.assume_equal_errors and not old.assume_equal_errors:
        yield "judges are taken to err alike on both variants now, without labels that show it"
    after = {entry.label: entry for entry in new.scorers}
    for entry in old.scorers:
        now = after.get(entry.label)
        if not entry.gate:
            continue
        if now is None:
            yield f"the gating scorer {entry.label} is gone"
        elif not now.gate:
            yield f"the scorer {entry.label} no longer gates"
        elif now != entry:
            yield f"the gating scorer {entry.label} was changed"


def unguarded_target(old: Suite, new: Suite) -> Iterable[str]:
    """A program in the place of what the session played, whose own calls pass no policy."""
    if old.target.program is None and new.target.program is not None:
        yield (
            f"the target is a program now ({new.target.words}); what it asks outside of a session "
            "passes no policy and no budget"
        )


def _weaker_gate(old: Gate, new: Gate) -> Iterable[str]:
    if _looser(old.max_drop_pp, new.max_drop_pp):
        yield f"gate.max_drop_pp went from {old.max_drop_pp:g} to {_or_none(new.max_drop_pp)}"
    if _RULES.index(new.rule) > _RULES.index(old.rule):
        yield f"gate.rule went from {old.rule} to {new.rule}"
    if new.alpha != old.alpha:
        yield f"gate.alpha went from {old.alpha:g} to {new.alpha:g}"
    if _INCONCLUSIVE.index(new.on_inconclusive) > _INCONCLUSIVE.index(old.on_inconclusive):
        yield f"gate.on_inconclusive went from {old.on_inconclusive} to {new.on_inconclusive}"
    if _lower(old.min_pass_rate, new.min_pass_rate):
        yield f"gate.min_pass_rate went from {old.min_pass_rate:g} to {_or_none(new.min_pass_rate)}"
    if new.max_error_share > old.max_error_share:
        yield f"gate.max_error_share went from {old.max_error_share:g} to {new.max_error_share:g}"
    for name in old.invariants:
        if name not in new.invariants:
            yield f"the invariant {name} is gone"
    yield from _older_replies(old.baseline_max_age_days, new.baseline_max_age_days)
    yield from _weaker_slices(old, new)
    for metric, limits in old.metrics.items():
        if limits.required:
            yield from _weaker_metric(metric, limits, new.metrics.get(metric))


def _older_replies(old: float | None, new: float | None) -> Iterable[str]:
    """Without a limit of its own a floating model has one, so naming a larger one loosens it."""
    if _looser(old, new) or (old is None and new is not None and new > FLOATING_DAYS):
        before, after = ("the default" if days is None else f"{days:g}" for days in (old, new))
        yield f"gate.baseline_max_age_days went from {before} to {after}"


def _weaker_slices(old: Gate, new: Gate) -> Iterable[str]:
    for tag, rules in old.slices.items():
        now = new.slices.get(tag)
        if not rules.required:
            continue
        if now is None or not now.required:
            yield f"the slice {tag} is no longer required"
            continue
        # a slice without a rule of its own has the suite's margin, which is told for itself
        own = _inherits(rules) and _inherits(now)
        margins = (_margin(old, rules), _margin(new, now))
        if _lower(rules.min_pass_rate, now.min_pass_rate) or (not own and _looser(*margins)):
            yield f"the slice {tag} requires less"


def _inherits(rules: SliceGate) -> bool:
    return rules.max_drop_pp is None and rules.min_pass_rate is None


def _margin(gate: Gate, rules: SliceGate) -> float | None:
    return gate.max_drop_pp if _inherits(rules) else rules.max_drop_pp


def _weaker_metric(name: str, old: MetricGate, new: MetricGate | None) -> Iterable[str]:
    if new is None or not new.required:
        yield f"the metric {name} is no longer gated"
        return
    before, after = _limit(old), _limit(new)
    if before[0] != after[0]:
        yield f"the metric {name} went from {_written(before)} to {_written(after)}"
    elif after[1] > before[1]:
        yield f"the metric {name} may {'fall' if before[0] == 'max_drop_pp' else 'rise'} more"


def _limit(metric: MetricGate) -> tuple[str, float]:
    """The one limit that a metric has: its key and its value."""
    keys = ("max_increase_pct", "max_increase_pp", "max_drop_pp")
    return next((key, value) for key in keys if (value := getattr(metric, key)) is not None)


def _written(limit: tuple[str, float]) -> str:
    return f"{limit[0]} {limit[1]:g}"


def _weaker_anchor(old: Gate, new: Gate) -> Iterable[str]:
    before, after = old.anchor, new.anchor
    if before is None:
        return
    if after is None:
        yield "gate.anchor is gone"
        return
    if after.to != before.to:
        yield f"gate.anchor.to went from {baseline_words(before.to)} to {baseline_words(after.to)}"
    if _looser(old.anchor_margin_pp, new.anchor_margin_pp):
        yield (
            f"gate.anchor.max_drop_pp went from {old.anchor_margin_pp:g} to "
            f"{_or_none(new.anchor_margin_pp)}"
        )


def _longer_quarantine(old: Quarantine, new: Quarantine) -> Iterable[str]:
    added = [case for case in new.cases if case not in old.cases]
    if added:
        yield f"{count(len(added), 'case')} went into quarantine: {named(added)}"
    longer = [
        f"{case} (to {entry.until})"
        for case, entry in new.cases.items()
        if case in old.cases and entry.until > old.cases[case].until
    ]
    if longer:
        yield f"the quarantine lasts longer for {named(longer)}"
    if new.max_share > old.max_share:
        yield f"quarantine.max_share went from {old.max_share:g} to {new.max_share:g}"


def weaker_evidence(old: Config, new: Config, models: Sequence[str]) -> Iterable[str]:
    """Models that are asked less than they were: their replies are replayed or written by hand."""
    for name in models:
        if name in old.models and name in new.models:
            before, after = _evidence(old, name), _evidence(new, name)
            if after > before:
                yield f"model {name} went from {_EVIDENCE[before]} to {_EVIDENCE[after]}"


def _evidence(config: Config, model: str) -> int:
    """The place in _EVIDENCE of a configured model."""
    provider = config.providers[config.models[model].provider]
    if provider.kind == "scripted":
        return 3
    return 2 if provider.recordings else int(provider.without_key is not None)


def wider_route(old: Route, new: Route) -> Iterable[str]:
    """What a route permits more than it did, a sentence each."""
    name = new.name
    allowed = [
        each for each in old.policies.disallow_actions if each not in new.policies.disallow_actions
    ]
    if allowed:
        yield f"route {name} no longer disallows {', '.join(allowed)}"
    yield from _milder_screens(old, new)
    yield from wider_permissions(old, new)
    before, after = old.retrieval.allow_indexes, new.retrieval.allow_indexes
    if before is not None and after is None:
        yield f"route {name} may read every index"
    elif before is not None and after is not None and set(after) - set(before):
        yield f"route {name} may also read {', '.join(sorted(set(after) - set(before)))}"
    if _looser(old.retrieval.max_chunks, new.retrieval.max_chunks):
        yield f"route {name} may retrieve more chunks"
    if _looser(old.retrieval.max_tokens, new.retrieval.max_tokens):
        yield f"route {name} may retrieve more tokens"


_STRENGTH = {"warn": 1, "redact": 2, "block": 3}
_NO_LONGER = {"warn": "warns of", "redact": "redacts", "block": "blocks"}


def _milder_screens(old: Route, new: Route) -> Iterable[str]:
    """Personal data and secrets of which more may pass than before."""
    before, after = _screens(old), _screens(new)
    dropped: dict[str, list[str]] = {}
    for kind, mode in before.items():
        now = after.get(kind)
        if now is None or _STRENGTH[now] < _STRENGTH[mode]:
            gone = f"no longer {_NO_LONGER[mode]}"
            change = gone if now is None else f"goes from {mode} to {now} for"
            dropped.setdefault(change, []).append(kind)
    for change, kinds in dropped.items():
        what = "personal data and secrets" if set(kinds) == set(before) else ", ".join(kinds)
        yield f"route {new.name} {change} {what}"


def _screens(route: Route) -> dict[str, ScreenMode]:
    return {kind: rule.mode for rule in screen_rules(route.policies) for kind in rule.kinds}


def wider_tools(old: Sequence[Tool], new: Sequence[Tool]) -> Iterable[str]:
    """Tools that the prompt did not have, those whose effect is declared milder than it was, so
    that approvals no longer see them, and those whose arguments are held to something else."""
    order = ("read", "draft", "execute")
    before: Mapping[str, Tool] = {tool.name: tool for tool in old}
    for tool in new:
        known = before.get(tool.name)
        if known is None:
            yield f"tool {tool.name} is new, with effect {tool.effect}"
        elif order.index(tool.effect) < order.index(known.effect):
            yield f"tool {tool.name} went from effect {known.effect} to {tool.effect}"
        if known is not None and _asked(known.parameters) not in ({}, _asked(tool.parameters)):
            yield f"arguments of tool {tool.name} are held to another schema than they were"


# what a schema says to people, and no argument is held to
_REMARKS = frozenset({"title", "description", "default", "examples", "$comment", "deprecated"})


def _asked(schema: Any) -> Any:
    """A schema without its remarks. A property may be called like one, and stays."""
    if isinstance(schema, list):
        return [_asked(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _asked(each) for name, each in value.items()}
        if key in ("properties", "$defs") and isinstance(value, dict)
        else _asked(value)
        for key, value in schema.items()
        if key not in _REMARKS
    }


def _looser(old: float | None, new: float | None) -> bool:
    """Whether an upper limit was raised or removed."""
    return old is not None and (new is None or new > old)


def _lower(old: float | None, new: float | None) -> bool:
    """Whether a floor was lowered or removed."""
    return old is not None and (new is None or new < old)


def _or_none(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
