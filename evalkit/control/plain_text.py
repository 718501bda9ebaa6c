"""A text as it reads: what people and models write in another way, to hide a word or by chance.

Compatible letters become plain ones (ｆａｌｃｏｎ, ﬁ, a space that does not break), letters with
marks fall into letter and mark, in one order whatever they were written in, and what nobody sees is
left out. JSON's escapes may be read as what they stand for, however often they were escaped.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

# anything else is left as it stands by all of the above; a backslash may begin an escape
_UNPLAIN = re.compile(r"[^\t\n\f\r -~]")
# Unicode's Default_Ignorable_Code_Point, beyond the format characters, and the other controls
_UNSEEN = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065"
    r"\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
# that are put in order: no language has so many on a letter
_MOST_MARKS = 16
_BLANK = "\u2800"  # of Braille: a letter that looks like a space
_ESCAPE = re.compile(
    r"(?<!\\)\\++(?:u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\+u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|u(?P<one>[0-9a-fA-F]{4})|(?P<space>[nrtfb])|(?P<sign>[/\"]))"
)
_PART_OF_ESCAPE = re.compile(
    r"(?<!\\)\\++(?:u[dD][89abAB][0-9a-fA-F]{2}(?:\\+(?:u[0-9a-fA-F]{0,3})?)?|u[0-9a-fA-F]{0,3})?\Z"
)


class PlainText(NamedTuple):
    """The letters of a view, and where each was written: its place, and the one behind it."""

    letters: str
    places: list[tuple[int, int]]

    def place_of(self, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of the view was written. Marks may stand in another order there."""
        places = self.places[start:end]
        return min(each[0] for each in places), max(each[1] for each in places)


def is_plain(text: str) -> bool:
    """Whether a text reads as it is written, but for escapes: printable ASCII and white space."""
    return _UNPLAIN.search(text) is None


def views(text: str, *, folded: bool) -> Iterator[PlainText]:
    """The text as it reads, and again with its escapes read where it may have some."""
    yield plain_view(text, folded=folded)
    if "\\" in text:
        yield plain_view(text, folded=folded, escapes=True)


def plain_view(text: str, *, folded: bool, escapes: bool = False) -> PlainText:
    """The text as it reads: `folded` in one case, with `escapes` as what they stand for."""
    letters: list[str] = []
    places: list[tuple[int, int]] = []
    for letter, place in _unescaped(text) if escapes else _plainly(text, 0, len(text)):
        if " " <= letter <= "~":
            letters.append(letter.lower() if folded else letter)
            places.append(place)
            continue
        if unicodedata.category(letter) == "Cf" or _UNSEEN.match(letter):
            continue
        plain = unicodedata.normalize("NFKD", letter)
        for each in plain.casefold() if folded else plain:
            at = len(letters)
            if rank := unicodedata.combining(each):
                first = max(0, at - _MOST_MARKS)
                while at > first and unicodedata.combining(letters[at - 1]) > rank:
                    at -= 1
            letters.insert(at, " " if each.isspace() or each == _BLANK else each)
            places.insert(at, place)
    return PlainText("".join(letters), places)


def part_of_escape(text: str) -> int:
    """Where an escape begins that more text may make whole; the end of the text where none does."""
    found = _PART_OF_ESCAPE.search(text)
    return len(text) if found is None else found.start()


def is_marked(letter: str, follows: str) -> bool:
    """Whether what follows a letter is a mark that makes another letter of it."""
    return bool(unicodedata.combining(follows)) and (
        len(unicodedata.normalize("NFC", letter + follows)) == 1
    )


def without_marks(letters: str) -> str:
    """The view without the marks at its end, which others may yet come before."""
    end = len(letters)
    while end and unicodedata.combining(letters[end - 1]):
        end -= 1
    return letters[:end]


def _plainly(text: str, start: int, end: int) -> Iterator[tuple[str, tuple[int, int]]]:
    for place in range(start, end):
        yield text[place], (place, place + 1)


def _unescaped(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    at = 0
    for found in _ESCAPE.finditer(text):
        yield from _plainly(text, at, found.start())
        yield _letter(found), found.span()
        at = found.end()
    yield from _plainly(text, at, len(text))


def _letter(found: re.Match[str]) -> str:
    high, low, one, space, sign = found.group("high", "low", "one", "space", "sign")
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    if one:
        code = int(one, 16)
        return "?" if 0xD800 <= code <= 0xDFFF else chr(code)
    return " " if space else str(sign)
