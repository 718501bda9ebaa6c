"""A JSON Schema cut down to what vendors with a closed dialect can enforce."""

from collections.abc import Mapping
from typing import Any

# Keywords that Anthropic's structured outputs know; the rest would be refused as a bad request.
_KEPT = frozenset({"type", "enum", "const", "description", "title", "$ref", "required"})
_LISTS = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_FORMATS = frozenset(
    {
        "date-time",
        "time",
        "date",
        "duration",
        "email",
        "hostname",
        "uri",
        "ipv4",
        "ipv6",
        "uuid",
    }
)


class _NotEnforceable(ValueError):
    """The schema allows what a closed dialect cannot say."""


def enforceable(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema with every object closed and without keywords that are not enforced.

    A reply that meets it has the shape that the schema asks for; bounds and patterns are left to
    the scorers. None where an object is open on purpose (`additionalProperties`,
    `patternProperties`, no properties at all) or a part allows anything: closing it would change
    what the model may say, so the schema is better not sent.
    """
    try:
        return _node(schema)
    except _NotEnforceable:
        return None


def _node(node: Any) -> dict[str, Any]:
    if not isinstance(node, Mapping):
        raise _NotEnforceable
    kept = {key: value for key, value in node.items() if key in _KEPT}
    for key in ("$defs", "definitions"):
        if key in node:
            kept[key] = {name: _node(each) for name, each in node[key].items()}
    for key, there in _LISTS.items():
        if key in node:
            kept[there] = [_node(each) for each in node[key]]
    if "items" in node:
        kept["items"] = _node(node["items"])
    if node.get("minItems") in (0, 1):
        kept["minItems"] = node["minItems"]
    if node.get("format") in _FORMATS:
        kept["format"] = node["format"]
    kinds = node.get("type")
    if "properties" in node or kinds == "object" or (isinstance(kinds, list) and "object" in kinds):
        is_open = node.get("additionalProperties", False) is not False
        if is_open or "patternProperties" in node or not node.get("properties"):
            raise _NotEnforceable
        kept["properties"] = {name: _node(each) for name, each in node["properties"].items()}
        kept["additionalProperties"] = False
    elif not kept.keys() & {"type", "enum", "const", "$ref", "anyOf", "allOf"}:
        raise _NotEnforceable
    return kept
