"""Entries of waivers.yaml put in and taken out, with every other byte of the file left as it is.

What is written is read again before it is handed back: a file in a form that these edits do not
understand is refused with the entry to write, never guessed at.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from evalkit.config.document import Document
from evalkit.config.scalars import resolve_plain
from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import ConfigError, Problem
from evalkit.records.verdict import Waiver
from evalkit.sources.waivers import WAIVERS_FILE

_HEAD = """\
# yaml-language-server: $schema=.evalkit/schema/waivers.schema.json
# What was accepted for a while, by whom and why: `evalkit waive`.
waivers:
"""
_WIDTH = 88
_PLAIN = re.compile(r"[A-Za-z0-9]([\w ./@<>()+%,;-]|:(?! )|(?<! )#)*(?<![ :])")
_HIDDEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_DASH = re.compile(r"( *)- +")
_EMPTY = re.compile(r"\[ *\]")


def entry_data(waiver: Waiver) -> dict[str, Any]:
    """The waiver as the keys and values of its entry."""
    fields = msgspec.structs.asdict(waiver)
    kept = {
        key: value for key, value in fields.items() if key != "line" and value not in (None, ())
    }
    return kept | ({"cases": list(waiver.cases)} if waiver.cases else {})


def entry_text(waiver: Waiver, *, indent: int = 2) -> str:
    """The entry in YAML, as an item of the list."""
    lines = []
    for key, value in entry_data(waiver).items():
        if isinstance(value, list):
            lines += [f"{key}:", *(f"  - {_scalar(each)}" for each in value)]
        elif isinstance(value, str) and len(value) > _WIDTH and _folds(value):
            wrapped = textwrap.wrap(value, _WIDTH, break_long_words=False, break_on_hyphens=False)
            lines += [f"{key}: >-", *(f"  {line}" for line in wrapped)]
        else:
            lines.append(f"{key}: {_scalar(value)}")
    first, *rest = lines
    margin = " " * indent
    return "".join((f"{margin}- {first}\n", *(f"{margin}  {line}\n" for line in rest)))


def _scalar(value: str | float) -> str:
    """A number, a text as it is, or in quotes where YAML would read something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and isinstance(resolve_plain(value), str):
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _folds(text: str) -> bool:
    """Whether a text survives being wrapped: single spaces between its words, nothing hidden."""
    return " ".join(text.split()) == text and not _HIDDEN.search(text)


def with_waiver(raw: bytes | None, waiver: Waiver) -> bytes:
    """The file with one more entry at its end; a whole new file where there is none (None).

    Raises ConfigError for a file that is not in order, or that the entry cannot be added to.
    """
    if raw is None:
        return (_HEAD + entry_text(waiver)).encode()
    document = parse_yaml(raw, WAIVERS_FILE)
    held = _entries(document)
    lines = _lines(raw)
    indent = 2
    if held:
        indent = _dash(document, lines, 0)
    else:
        line, column = document.position(("waivers",))
        before, rest = lines[line - 1][: column - 1], lines[line - 1][column - 1 :]
        lines[line - 1] = before.rstrip(" ") + _EMPTY.sub("", rest, count=1)
    newline = "\r\n" if any(line.endswith("\r\n") for line in lines) else "\n"
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += newline
    added = entry_text(waiver, indent=indent).replace("\n", newline)
    expected = [*held, entry_data(waiver)]
    written = f"write it yourself, as the last item of `waivers`:\n{entry_text(waiver)}"
    return _checked("".join(lines) + added, expected, suggestion=written)


def without_waiver(raw: bytes, id_: str) -> bytes:
    """The file without the entry of that id, which it has.

    Raises ConfigError for a file that is not in order, or that it cannot be taken out of.
    """
    document = parse_yaml(raw, WAIVERS_FILE)
    held = _entries(document)
    index = next(number for number, entry in enumerate(held) if entry["id"] == id_)
    lines = _lines(raw)
    start, _ = document.position(("waivers", index))
    _dash(document, lines, index)
    end = _last_line(raw, index)
    while end > start and not lines[end - 1].strip():
        end -= 1
    del lines[start - 1 : end]
    if len(held) == 1:
        line, column = document.position(("waivers",), key=True)
        at = column - 1 + len("waivers:")
        lines[line - 1] = f"{lines[line - 1][:at]} []{lines[line - 1][at:]}"
    expected = [entry for entry in held if entry["id"] != id_]
    return _checked(
        "".join(lines), expected, suggestion=f"take the lines {start} to {end} out yourself"
    )


def _entries(document: Document) -> list[dict[str, Any]]:
    data = document.data
    held = data.get("waivers") if isinstance(data, dict) else None
    if not isinstance(held, list):
        message = "holds no list of waivers"
        raise ConfigError([Problem(file=WAIVERS_FILE, message=message, expected="waivers: []")])
    return held


def _lines(raw: bytes) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", raw.decode())


def _dash(document: Document, lines: list[str], index: int) -> int:
    """How far an item's dash is indented. Raises ConfigError where it starts no line."""
    line, column = document.position(("waivers", index))
    found = _DASH.fullmatch(lines[line - 1][: column - 1])
    if found is None:
        raise ConfigError(
            [
                Problem(
                    file=WAIVERS_FILE,
                    line=line,
                    column=column,
                    message="is not written as a list with a line for each key",
                    expected="`- id: …`, and the other keys below it",
                )
            ]
        )
    return len(found[1])


def _last_line(raw: bytes, index: int) -> int:
    """The last line, from 1, of an item of the list; blank ones behind a block of text included."""
    root: Any = yaml.compose(raw.decode(), Loader=yaml.SafeLoader)
    (waivers,) = (value for key, value in root.value if key.value == "waivers")
    return max(_ends(waivers.value[index]))


def _ends(node: Any) -> Iterator[int]:
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        for _, value in node.value:
            yield from _ends(value)
    elif isinstance(node, yaml.SequenceNode) and not node.flow_style:
        for value in node.value:
            yield from _ends(value)
    else:
        # the end of a block of text is the start of what comes behind it
        block = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
        yield node.end_mark.line + (0 if block else 1)


def _checked(text: str, expected: list[dict[str, Any]], *, suggestion: str) -> bytes:
    """The new content, once it is known to say what it has to."""
    raw = text.encode()
    try:
        fits = parse_yaml(raw, WAIVERS_FILE).data == {"waivers": expected}
    except ConfigError:
        fits = False
    if not fits:
        message = "is written in a form that cannot be edited without a doubt"
        raise ConfigError([Problem(file=WAIVERS_FILE, message=message, suggestion=suggestion)])
    return raw
