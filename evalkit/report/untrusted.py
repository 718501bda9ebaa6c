"""Text from models, cases and servers, made safe to show on a terminal.

A model can write escape sequences that recolour, overwrite or hide what a terminal shows, and
characters that reorder it. All of them are shown as escapes, never obeyed and never dropped.
"""

import re

# kept as they are: \n and \t; joiners (U+200C, U+200D), which scripts and emoji need
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible, bidirectional
    "\ud800-\udfff"  # lone surrogates, which no output encoding takes
    "\U000e0000-\U000e007f]"  # tags, which carry text that nobody sees
)

_NOTE = 30


def visible(text: str) -> str:
    """The text with everything that a terminal would obey written out; lines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text  # most texts: nothing in them to look for
    return _UNSAFE.sub(_escaped, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """`visible`, with line breaks as ⏎ and tabs as spaces."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return re.sub(r"[ \t]*\n\s*", " ⏎ ", visible(text).strip()).replace("\t", " ")


def html_text(text: str) -> str:
    """The text as HTML that shows it, in an attribute as well."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("'", "&#x27;")


def clip(text: str, limit: int) -> str:
    """About `limit` characters and a note of how many more there are, where that is shorter."""
    if len(text) <= limit + _NOTE:
        return text
    return f"{text[:limit].rstrip()} … ({len(text) - limit:,} more characters)"


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
