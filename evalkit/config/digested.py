"""A part of the configuration as digests see it: a key that came later counts once it is used.

Digests of routes, models and providers tell stored runs and calibrations apart. Were a key that
evalkit learns today in the digest at its default, every one of them would be another tomorrow, for
a file that nobody changed.
"""

from collections.abc import Collection, Mapping
from typing import Any

from evalkit.config.base import Part
from evalkit.config.prices import Price
from evalkit.config.route_models import RouteModels
from evalkit.config.routes import (
    Approvals,
    Model,
    Policies,
    Provider,
    Retrieval,
    Route,
)

# What the first stored digests were made of: always in them, at its default as well.
_FIRST: Mapping[type[Part], frozenset[str]] = {
    Route: frozenset(
        {
            "name",
            "models",
            "max_tokens",
            "max_tool_calls",
            "retrieval",
            "policies",
            "require_citations",
            "approvals",
            "owner",
        }
    ),
    RouteModels: frozenset({"primary", "fallback"}),
    Retrieval: frozenset({"max_chunks", "allow_indexes"}),
    Policies: frozenset({"pii_redaction", "disallow_actions"}),
    Approvals: frozenset({"on_execute"}),
    Model: frozenset({"provider", "id", "price", "tier"}),
    Price: frozenset({"input_usd_per_mtok", "output_usd_per_mtok", "cached_input_usd_per_mtok"}),
    Provider: frozenset({"kind", "base_url", "api_key_env", "without_key", "recordings", "path"}),
}


def digested(part: Part, *, exclude: Collection[str] = ()) -> dict[str, Any]:
    """The part as plain JSON, without keys that are new and at their default, nor `exclude`."""
    plain = part.plain()
    found = {}
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        is_first = name in _FIRST.get(type(part), ())
        if name not in exclude and (is_first or value != field.get_default()):
            found[name] = digested(value) if isinstance(value, Part) else plain[name]
    return found
