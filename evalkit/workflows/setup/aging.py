"""How old a cached reply may be before a live model is measured again.

A model behind a floating alias changes under its name, so a baseline that was measured long ago is
another model's. All arms of a suite are held to the same age: what differs between them is then the
change.
"""

import re
from datetime import datetime, timedelta

from evalkit.ports import Cache
from evalkit.records.call import Reply
from evalkit.workflows.setup.variants import SuiteSetup, Variant

FLOATING_DAYS = 7.0
# a date, as in gpt-4.1-2025-04-14 or claude-3-7-sonnet-20250219, or a version, as in
# gemini-2.0-flash-001
_PINNED = re.compile(r"\d{4}-\d{2}-\d{2}|(?<!\d)\d{8}(?!\d)|-\d{3}$|@sha256:")


def max_age(setup: SuiteSetup) -> timedelta | None:
    """What the suite's gate says, else 7 days where an arm has a model id that names no date.

    None: no limit.
    """
    days = setup.assets.suite.gate.baseline_max_age_days
    if days is None and any(_floats(variant) for variant in setup.variants):
        days = FLOATING_DAYS
    return None if days is None else timedelta(days=days)


def aged_cache(cache: Cache | None, setup: SuiteSetup, *, now: datetime) -> Cache | None:
    """The cache without the replies that are too old for the suite; None stays None."""
    age = max_age(setup)
    return cache if cache is None or age is None else _AgedCache(cache, now - age)


def is_pinned(model_id: str) -> bool:
    """Whether a model id names one snapshot for good."""
    return _PINNED.search(model_id) is not None


def _floats(variant: Variant) -> bool:
    """Whether a model of the route is reached over a name that may come to mean another one."""
    for name in variant.assets.route.every_model:
        model = variant.config.models.get(name)
        if model is None:
            continue
        kind = variant.config.providers[model.provider].kind
        if kind not in ("local", "scripted") and not is_pinned(model.id or name):
            return True
    return False


class _AgedCache:
    def __init__(self, cache: Cache, not_before: datetime) -> None:
        self._cache = cache
        self._not_before = not_before

    def get(self, key: str) -> Reply | None:
        reply = self._cache.get(key)
        if reply is None or datetime.fromisoformat(reply.measured_at) < self._not_before:
            return None
        return reply

    def put(self, key: str, reply: Reply) -> None:
        self._cache.put(key, reply)
