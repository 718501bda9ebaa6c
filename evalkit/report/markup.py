"""Markdown in which text from models, cases and servers can do nothing.

Everything that did not come from evalkit stands in a code span or a fence, where a renderer turns
nothing into markup, HTML, images, links or mentions. Sentences of ours that may hold such text go
through `prose`.
"""

import re

from evalkit.report.untrusted import html_text, one_line, visible

_RUN = re.compile(r"`+")
# an underscore within a word is none
_MARKUP = re.compile(r"([\\`*\[\]<>|~$]|(?<![^\W_])_|_(?![^\W_]))")
# a first word that would start a list, a heading, a quotation or a rule
_START = re.compile(r"#+|[-+=]+|\d+[.)]")
# what renderers turn into a link, a mention or a reference without any markup
_LIVE = re.compile(r"@|#\d|://|www\.|&\w+;|\b[0-9a-f]{7,40}\b|\bGH-\d|[!~%]\w+\b", re.IGNORECASE)


def code_span(text: str) -> str:
    """The text on one line as a code span; safe in a table cell, where a pipe becomes ¦."""
    content = one_line(text).replace("|", "¦")
    if not content.strip():
        return "`(empty)`"
    fence = "`" * (_longest_run(content) + 1)
    pad = " " if content.startswith("`") or content.endswith("`") else ""
    return f"{fence}{pad}{content}{pad}{fence}"


def fenced(text: str, info: str = "") -> str:
    """The text as a fenced block that nothing in it can close."""
    content = visible(text)
    fence = "`" * max(3, _longest_run(content) + 1)
    return f"{fence}{info}\n{content}\n{fence}"


def prose(text: str) -> str:
    """A sentence of ours with markup escaped; words that a renderer would link stand as code."""
    words = [_word(word) for word in one_line(text).split(" ")]
    if _START.fullmatch(words[0]):
        words[0] = f"{words[0][:-1]}\\{words[0][-1]}"
    return " ".join(words)


def html_code(text: str) -> str:
    """The text as HTML code, for the places where Markdown is not read, such as a summary."""
    return f"<code>{html_text(one_line(text)) or '(empty)'}</code>"


def cells(*values: str) -> str:
    """A row of a table; the values are Markdown already."""
    return f"| {' | '.join(values)} |"


def _word(word: str) -> str:
    if _LIVE.search(word):
        return code_span(word)
    return _MARKUP.sub(r"\\\1", word)


def _longest_run(text: str) -> int:
    return max((len(run) for run in _RUN.findall(text)), default=0)
