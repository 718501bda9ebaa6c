"""What keeps a template from being rendered safely, and what a template is given.

The engine counts steps, so a loop ends. It does not see how deep an expression is nested, which
takes the process's stack, nor how large a list grows that is put into itself again and again. Both
are found here, in the source, before the engine sees it: wherever a template comes from.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

MOST_TAGS = 5_000
LONGEST_TAG = 2_000
"""Characters of one tag, texts in quotes apart."""
MOST_ELIF = 500
MOST_GROWTH = 1_000
"""How many times over a template may repeat what it is given, by lists of lists."""

_BEGIN = re.compile(r"\{[{%#]")
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}")
_END_OF_RAW = re.compile(r"\{%[-+]?\s*endraw\b|\Z")
_IN_TAG = re.compile(
    r"[^\"'(){}\[\]%]++|\"(?:[^\"\\]|\\.)*+(?:\"|\Z)|'(?:[^'\\]|\\.)*+(?:'|\Z)|.", re.DOTALL
)
_TEXT = re.compile(r"\"(?:[^\"\\]|\\.)*+(?:\"|\Z)|'(?:[^'\\]|\\.)*+(?:'|\Z)", re.DOTALL)
_NAME = re.compile(r"(?<![.\w])[A-Za-z_]\w*")
_MACRO = re.compile(r"\{%[-+]?\s*macro\s+(\w+)")
_END_OF_MACRO = re.compile(r"\{%[-+]?\s*endmacro\b")
_BINDS = re.compile(r"\{%[-+]?\s*(?:set|for|with|macro|call)\b")
_ELIF = re.compile(r"\{%[-+]?\s*elif\b")
_STATE = re.compile(r"\bnamespace\b")
_ROUND = re.compile(r"\{%[-+]?\s*for\b.*\brecursive\b|\bloop\s*\(", re.DOTALL)
_GATHERS = re.compile(r"[\[{,+](?!%)")
_MULTIPLIES = re.compile(r"\*|\|\s*(?:batch|slice|map|groupby|zip|chain|sum)\b")
_FORMATS = re.compile(r"[.|]\s*format\b")
_OF_DATA = re.compile(r"(?<![\"\s])\s*[.|]\s*format\b")
_LONG_LIST = re.compile(
    r"\*\s*(?:0[xobXOB]|[\d_]{5})|(?:\b0[xobXOB]\w+|[\d_]{5})\s*\*|[\])]\s*\*\s*[\d_]{4}|[\d_]{4}\s*\*\s*[\[(]"
)
_WIDE = re.compile(r"[:%][^{}]*?(?:\d{5}|\{)", re.DOTALL)
_INDENTED = re.compile(r"\|\s*tojson\s*\((?!\s*(?:(?:indent\s*=\s*)?(?:\d{1,2}|true|false))?\s*\))")
_WORDS = frozenset(
    re.findall(r"\w+", "set for in if else elif with macro call not and or is true false none")
)


def unbounded(source: str) -> Iterator[tuple[int, str]]:
    """Lines of a template, from 1, and why what stands there could take the memory or the stack."""
    if source.count("{%") + source.count("{{") > MOST_TAGS:
        yield 1, f"has more than {MOST_TAGS:,} tags"
        return
    growth, macros, inside, branches = 1, set(_MACRO.findall(source)), False, 0
    for line, tag in _tags(source):
        code = _TEXT.sub('""', tag)
        if len(code) > LONGEST_TAG:
            yield line, f"an expression is longer than {LONGEST_TAG:,} characters"
            continue
        branches += _ELIF.match(tag) is not None
        if branches > MOST_ELIF:
            yield line, f"has more than {MOST_ELIF} `elif`"
            return
        yield from ((line, why) for why in _told(tag, code))
        names = Counter(name for name in _NAME.findall(code) if name not in _WORDS)
        begins = _MACRO.match(tag) is not None
        if inside and macros & names.keys() and not begins:
            yield line, "a macro uses a macro, which may never end"
        inside = (inside or begins) and _END_OF_MACRO.match(tag) is None
        if macros or _BINDS.match(tag):
            growth *= _growth(code, names)
        if growth > MOST_GROWTH:
            yield line, f"repeats what it is given more than {MOST_GROWTH:,} times over"
            return


def _tags(source: str) -> Iterator[tuple[int, str]]:
    """Every tag with its line, as the engine tells them from comments and raw text."""
    at, line, counted = 0, 1, 0
    while begin := _BEGIN.search(source, at):
        start = begin.start()
        line += source.count("\n", counted, start)
        counted = start
        if begin.group() == "{#":
            end = source.find("#}", start)
            at = len(source) if end < 0 else end + 2
        elif raw := _RAW.match(source, start):
            end_of_raw = _END_OF_RAW.search(source, raw.end())
            at = end_of_raw.end() if end_of_raw else len(source)
        else:
            at = _end_of_tag(source, start)
            yield line, source[start:at]


def _end_of_tag(source: str, start: int) -> int:
    """Where a tag ends: at the first end of its kind outside of texts and brackets."""
    at, open_, end = start + 2, 0, "}}" if source[start + 1] == "{" else "%}"
    while at < len(source):
        if not open_ and source.startswith(end, at):
            return at + 2
        found = _IN_TAG.match(source, at)
        assert found is not None
        piece = found.group()
        if piece in "([{":
            open_ += 1
        elif piece in ")]}":
            open_ = max(0, open_ - 1)
        at = found.end()
    return at


def _told(tag: str, code: str) -> Iterator[str]:
    if _STATE.search(code):
        yield "`namespace` is not part of prompts: what it holds can grow without end"
    if _ROUND.search(code):
        yield "a loop that calls itself may never end"
    if _INDENTED.search(code):
        yield "`tojson` takes no other indent than a number below 100"
    if _LONG_LIST.search(code):
        yield "repeats a list 1,000 times or more"
    if _FORMATS.search(code):
        if any(_WIDE.search(text) for text in _TEXT.findall(tag)):
            yield "a format that is 10,000 characters wide or more"
        if _OF_DATA.search(code):
            yield "only a text of the template itself can be a format"


def _growth(code: str, names: Counter[str]) -> int:
    """How many times as large the value of a tag may be as what it is made of."""
    if _MULTIPLIES.search(code):
        return 100
    return max(names.values(), default=1) if _GATHERS.search(code) else 1


class _Map(dict[str, Any]):
    """A mapping that templates can only read."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name in ("items", "keys", "values", "get") or name.startswith("__"):
            return super().__getattribute__(name)
        raise AttributeError(name)


class _List(list[Any]):
    """A list that templates can only read."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name in ("count", "index") or name.startswith("__"):
            return super().__getattribute__(name)
        raise AttributeError(name)


def readable(value: Any) -> Any:
    """JSON as a template may have it: nothing in it can be changed from there."""
    if isinstance(value, dict):
        return _Map({key: readable(each) for key, each in value.items()})
    if isinstance(value, list | tuple):
        return _List([readable(each) for each in value])
    return value


RENDER_ERRORS = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What methods of values raise when a template calls them wrongly."""
