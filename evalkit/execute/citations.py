"""Which documents a reply cites."""

import re
from collections.abc import Collection, Iterable
from typing import Any

_MARK = re.compile(r"\[([^\[\]\n]{1,200})\]")


def find_citations(text: str | None, parsed: Any, known: Collection[str]) -> tuple[str, ...]:
    """Ids of cited documents, each once, in the order of their first mention.

    A JSON object cites what its `citations` list holds, known or not: a document that is not there
    has to show. A text cites by `[id]` marks; a mark that names no known document is ordinary text.
    """
    if isinstance(parsed, dict) and isinstance(parsed.get("citations"), list):
        return _each_once(each for each in parsed["citations"] if isinstance(each, str))
    marks = (part.strip() for mark in _MARK.findall(text or "") for part in mark.split(","))
    return _each_once(mark for mark in marks if mark in known)


def _each_once(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))
