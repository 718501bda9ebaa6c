"""One text searched by every detector, the surer ones first."""

import re
from collections.abc import Iterable
from functools import lru_cache

from evalkit.control.redaction.addresses import find_ips
from evalkit.control.redaction.boundaries import CONTEXT, last_place
from evalkit.control.redaction.credentials import find_credentials
from evalkit.control.redaction.finding import Finding
from evalkit.control.redaction.identifiers import find_cards, find_emails, find_ibans, find_ssns
from evalkit.control.redaction.national_ids import find_announced_ids, find_ids
from evalkit.control.redaction.phones import find_phones
from evalkit.control.redaction.signs import forget_signs, has_sign
from evalkit.control.redaction.spoken import find_spoken

_SHORT_ESCAPE = re.compile(r"\\[nrtbf\"/\\]")
# Characters that people paste instead of plain ones, each a single one, so that places stay.
_LOOKALIKES = re.compile(
    r"[\u00a0\u2000-\u200a\u2010-\u2015\u202f\u2060\u2212\u3000\uff01-\uff5e"
    r"\u0660-\u0669\u06f0-\u06f9\u0966-\u096f]"
)
_DIGITS = re.compile(r"\d")
# What may be a telephone number if the same one was certain elsewhere, lookalikes and all.
_NUMBER = re.compile(r"\d(?:\D{0,6}\d){6}")
_PART = 1_024


def find_all(text: str, lead: str = "", *, uncertain: bool = True) -> tuple[Finding, ...]:
    """What is found in a text, in its order, the longest first where several begin alike.

    Certain findings do not overlap. `lead` is what stands before the text, such as the key of a
    value. Without `uncertain` only parts are searched that have a sign of something certain. What
    is found in a part is kept, for texts that come again, such as the messages of a prompt.
    """
    if not uncertain and not has_sign(lead + text):
        return ()
    found: list[Finding] = []
    start = 0
    while start < len(text):
        end = len(text)
        if end - start > _PART:
            end = last_place(text, start, start + _PART)
            if end == start:
                end = len(text)
        first = max(0, start - CONTEXT)
        part = text[first:end]
        led = "" if start else lead
        if has_sign(led + part) or (uncertain and _NUMBER.search(part)):
            found += (
                each._replace(start=each.start + first, end=each.end + first)
                for each in _find(part, led)
                if each.start + first >= start
            )
        start = end
    return tuple(found)


@lru_cache(maxsize=2048)
def _find(text: str, lead: str) -> tuple[Finding, ...]:
    view = plain_view(text)
    lowered = view.lower()
    if len(lowered) != len(view):  # İ has two letters in lower case, and places would move
        lowered = view.translate(_ASCII_LOWER)
    covered = bytearray(len(view))
    found: list[Finding] = []
    if has_sign(view, "secrets"):
        found += _uncovered(find_credentials(view, lowered), covered)
    found += _uncovered(find_emails(view, lowered), covered)
    if has_sign(view, "spoken"):
        found += _uncovered(find_spoken(lowered), covered)
    if _DIGITS.search(view):
        numbers = has_sign(view, "numbers")
        if numbers:
            found += _uncovered(find_ibans(view), covered)
        if has_sign(lead + view, "named ids"):
            found += _uncovered(find_announced_ids(view, lowered, lead), covered)
        if numbers:
            found += _uncovered(find_cards(view), covered)
            found += _uncovered(find_ssns(view), covered)
        if has_sign(view, "shown ids"):
            found += _uncovered(find_ids(view), covered)
        if numbers:
            found += _uncovered(find_ips(view, lead), covered)
        found += _uncovered(find_phones(view, lead), covered)
    elif "::" in view:
        found += _uncovered(find_ips(view, lead), covered)
    return tuple(sorted(found, key=lambda each: (each.start, -each.end)))


def forget_texts() -> None:
    """Forget what was found in texts that may come again."""
    _find.cache_clear()
    forget_signs()


def _uncovered(found: Iterable[Finding], covered: bytearray) -> list[Finding]:
    """Findings where nothing certain was found before: the surer kinds are looked for first."""
    kept = []
    for each in found:
        if covered.find(1, each.start, each.end) < 0:
            kept.append(each)
            if each.certain:
                covered[each.start : each.end] = b"\x01" * (each.end - each.start)
    return kept


_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def plain_view(text: str) -> str:
    """The text with lookalikes and JSON's short escapes made plain; every place stays the same."""
    if not text.isascii():
        text = _LOOKALIKES.sub(_plain_letter, text)
    if "\\" in text:
        text = _SHORT_ESCAPE.sub("  ", text)
    return text


def _plain_letter(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code >= 0xFF01:
        return chr(code - 0xFF01 + ord("!"))
    if match[0].isdigit():
        return str(int(match[0]))
    return "-" if 0x2010 <= code <= 0x2015 or code == 0x2212 else " "
