"""Which documents a reply cites: as `require_citations` reads it, so that both always agree."""

import re
from collections.abc import Collection
from typing import Any

_MARK = re.compile(r"\[([^\[\]\n]{1,200})\]")


def find_citations(text: str, parsed: Any, known: Collection[str]) -> tuple[str, ...]:
    """Ids of cited documents, each once, in the order of their first mention.

    `parsed` is the reply's JSON, None for a text; `known` are the ids of all documents there are.
    A JSON object cites what its `citations` list holds. A text cites by `[id]` marks: those that
    name a known document or are written like one, so that an invented id is seen and `[sic]` is
    none.
    """
    if isinstance(parsed, dict) and isinstance(parsed.get("citations"), list):
        return tuple(dict.fromkeys(str(each) for each in parsed["citations"]))
    shapes = {_shape(each) for each in known if any(letter.isdigit() for letter in each)}
    marks = (part.strip() for mark in _MARK.findall(text) for part in mark.split(","))
    return tuple(dict.fromkeys(mark for mark in marks if mark in known or _shape(mark) in shapes))


def _shape(name: str) -> str:
    """`kb-104` as `a-0`: how an id is written."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", name))
