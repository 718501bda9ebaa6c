"""What a route says of an index, and of what a reply cites: pure decisions."""

import re
from collections.abc import Collection
from typing import Any

from evalkit.config.routes import Route
from evalkit.control.ruling import Ruling


def rule_retrieval(route: Route, index: str) -> Ruling:
    """Whether an index may be read."""
    rule = "retrieval.allow_indexes"
    allowed = route.retrieval.allow_indexes
    if allowed is None:
        return Ruling(True, rule, f"index {index}: the route names no indexes, so any may be read")
    if index in allowed:
        return Ruling(True, rule, f"index {index} is one of the route's")
    names = ", ".join(allowed) or "none"
    return Ruling(False, rule, f"route {route.name} may not read index {index}; it may: {names}")


def rule_citations(
    content: str,
    parsed: Any,
    *,
    known: Collection[str],
    retrieved: Collection[str],
    shadow: bool = False,
) -> Ruling:
    """Whether a reply cites documents, and only such that this session retrieved.

    `parsed` is the JSON of the reply, None for a text. `known` are the ids of all documents there
    are, `retrieved` of those that the model may have read.
    """
    rule = "require_citations"
    cited = cited_documents(content, parsed, known=known)
    if not cited:
        return Ruling(False, rule, "the reply cites no document", shadow)
    foreign = [each for each in cited if each not in retrieved]
    if foreign:
        names = ", ".join(foreign)
        message = f"the reply cites what this session did not retrieve: {names}"
        return Ruling(False, rule, message, shadow)
    return Ruling(True, rule, f"the reply cites {', '.join(cited)}")


_MARK = re.compile(r"\[([^\[\]\n]{1,200})\]")


def cited_documents(content: str, parsed: Any, *, known: Collection[str]) -> tuple[str, ...]:
    """Ids that a reply cites, each once: its `citations` where it is JSON, else its `[id]` marks.

    A mark counts when it names a known document or is written like one, so that an invented id is
    seen, and `[sic]` is not one.
    """
    if isinstance(parsed, dict) and isinstance(parsed.get("citations"), list):
        return tuple(dict.fromkeys(str(each) for each in parsed["citations"]))
    if "[" not in content:
        return ()
    shapes = {_shape(each) for each in known if any(letter.isdigit() for letter in each)}
    marks = (part.strip() for mark in _MARK.findall(content) for part in mark.split(","))
    return tuple(dict.fromkeys(mark for mark in marks if mark in known or _shape(mark) in shapes))


def _shape(name: str) -> str:
    """`kb-104` as `a-0`: how an id is written."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", name))
