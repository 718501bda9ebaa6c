"""Numbers spelt out, as transcripts of calls hold them: plus four four double seven ..."""

import re
from collections.abc import Iterator

from evalkit.control.redaction.finding import Finding

_UNITS = {
    "zero": "0",
    "oh": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
}
_TEENS = {
    "ten": "10",
    "eleven": "11",
    "twelve": "12",
    "thirteen": "13",
    "fourteen": "14",
    "fifteen": "15",
    "sixteen": "16",
    "seventeen": "17",
    "eighteen": "18",
    "nineteen": "19",
}
_TENS = {
    "twenty": "2",
    "thirty": "3",
    "forty": "4",
    "fifty": "5",
    "sixty": "6",
    "seventy": "7",
    "eighty": "8",
    "ninety": "9",
}
_TIMES = {"double": 2, "triple": 3, "treble": 3}
NUMBER_WORDS = frozenset([*_UNITS, *_TEENS, *_TENS, *_TIMES, "hundred", "plus"])
_WORD = "|".join(sorted(NUMBER_WORDS))
_RUN = re.compile(rf"\b(?:{_WORD})\b(?:[\s,.\-]{{1,3}}(?:(?:uh|um|er),?\s)?(?:{_WORD})\b){{5,}}")
_FILLERS = frozenset({"uh", "um", "er", "uh,", "um,", "er,"})
_MIN_DIGITS, _MIN_WORDS = 7, 6


def find_spoken(lowered: str) -> Iterator[Finding]:
    """Telephone numbers in English words. Amounts and years have fewer words, or a thousand."""
    if not _has_run(lowered):
        return
    for match in _RUN.finditer(lowered):
        digits = _digits(re.findall(r"[a-z]+", match[0]))
        if len(digits) >= _MIN_DIGITS:
            yield Finding(match.start(), match.end(), "PHONE", digits, digits)


def _has_run(lowered: str) -> bool:
    """Whether enough number words follow each other for the pattern to be worth its time."""
    run = 0
    for word in lowered.replace("-", " ").split():
        if word.strip(",.") in NUMBER_WORDS:
            run += 1
            if run == _MIN_WORDS:
                return True
        elif word not in _FILLERS:
            run = 0
    return False


def _digits(words: list[str]) -> str:
    """The digits that the words stand for: forty four is 44, seven hundred 700, double two 22."""
    digits, at = "", 0
    while at < len(words):
        word, following = words[at], words[at + 1] if at + 1 < len(words) else ""
        at += 1
        if word in _TIMES and following in _UNITS:
            digits += _UNITS[following] * _TIMES[word]
            at += 1
        elif word in _TENS:
            unit = _UNITS.get(following, "0")
            digits += f"{_TENS[word]}{unit}"
            at += unit != "0"
        elif word in _UNITS:
            digits += _UNITS[word]
        elif word in _TEENS:
            digits += _TEENS[word]
        elif word == "hundred":
            digits += "00"
    return digits
