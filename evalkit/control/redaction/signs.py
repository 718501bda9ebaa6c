"""One fast pass that tells whether a text can hold anything: a single automaton (RE2) over it.

Whatever a detector reports for certain has a sign here; a sign alone says nothing. So texts without
one, which most are, never meet the detectors. A test holds the two against each other.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from typing import Any, Literal

from evalkit.control.redaction.credentials import ASSIGNED_NAMES, TOKEN_PATTERNS
from evalkit.control.redaction.identifiers import IBAN_LENGTHS
from evalkit.control.redaction.national_ids import ALONE_SHAPES, ID_WORDS
from evalkit.control.redaction.phones import ANNOUNCING
from evalkit.control.redaction.spoken import NUMBER_WORDS

Part = Literal["all", "secrets", "spoken", "numbers", "named ids", "shown ids"]
_SHORT = 1024
_BETWEEN = r"[ \-./()]"
# What a value may begin behind; the letter of a line break in JSON, \n, is no letter.
_EDGE = r"(?:^|[^0-9A-Za-z_]|\\[nrtbf])"
_LOOSE_EDGE = r"(?:^|[^0-9A-Za-z]|\\[nrtbf])"
_END = r"(?:$|[^0-9A-Za-z_])"
_WORD = r"0-9A-Za-z_\x{80}-\x{10ffff}"  # letters of all alphabets, and more: the classes are huge
_SPACE = r"[\s\v\x{a0}\x{2000}-\x{200a}\x{202f}\x{2060}\x{3000}]"
_ESCAPE = r"\\[nrtbf\"/\\]"
# Next to a digit, what is made plain before the detectors look: see search.py.
_UNPLAIN = (
    r"(?:[\x{a0}\x{2000}-\x{200a}\x{2010}-\x{2015}\x{202f}\x{2060}\x{2212}\x{3000}]|"
    rf"{_ESCAPE})"
)


def _digits(count: int) -> str:
    """So many digits with what may stand between those of one number."""
    return rf"\d(?:{_BETWEEN}{{0,3}}\d){{{count - 1}}}"


def _for_re2(pattern: str) -> str:
    """The pattern without what it looks ahead or back for, with letters of all alphabets."""
    pattern = re.sub(r"\(\?(?:<?[!=])(?:[^()\\]|\\.)*\)", "", pattern)
    pattern = re.sub(r"\{(\d\d),?\}", "{8,}", pattern)  # so many are enough of a sign
    pattern = re.sub(r"(\[[^\]]*)\\w", lambda match: match[1] + _WORD, pattern)
    return pattern.replace(r"\w", f"[{_WORD}]")


def _words(words: tuple[str, ...]) -> str:
    return "|".join(re.escape(word).replace("\\ ", r"[ _\-]?") for word in words)


def _shown_ids() -> str:
    shapes = "|".join(map(_for_re2, ALONE_SHAPES))
    return rf"{_EDGE}(?i:{shapes}){_END}"


def _named_ids() -> str:
    spaced = tuple(word for word in ID_WORDS if word[0] < "\u2e80")
    running = tuple(word for word in ID_WORDS if word[0] >= "\u2e80")
    return (
        rf"(?i)(?:{_LOOSE_EDGE}(?:{_words(spaced)})|{_words(running)})"
        rf"[^0-9A-Za-z\n][^\d\n]{{0,23}}(?:{_digits(4)}|[a-z]{{6}}\d\d)"
    )


def _ibans() -> str:
    by_length: dict[int, list[str]] = {}
    for country, length in IBAN_LENGTHS.items():
        by_length.setdefault(length, []).append(country)
    shapes = "|".join(
        rf"(?:{'|'.join(countries)})\d\d(?:[ \-]?[a-z0-9]){{{length - 4}}}"
        for length, countries in by_length.items()
    )
    return rf"{_LOOSE_EDGE}(?i:{shapes})(?:$|[^0-9A-Za-z])"


def _secrets() -> tuple[str, ...]:
    """Of credentials; those in an address show themselves by its @."""
    return (
        "-----BEGIN",
        *(_for_re2(pattern) for pattern in TOKEN_PATTERNS),
        rf"(?i)(?:{_words(ASSIGNED_NAMES)})(?:[\"']|{_SPACE}|{_ESCAPE}|is|ist|est?|è|é){{0,8}}"
        r"[:=\x{ff1a}\x{ff1d}]",
    )


def _spoken() -> str:
    numbers = "|".join(sorted(NUMBER_WORDS))
    pause = rf"(?:[,.\-]|{_SPACE}|\pZ|{_ESCAPE}){{1,6}}(?:(?:uh|um|er),?(?:{_SPACE}|{_ESCAPE}))?"
    return rf"(?i)(?:{numbers}){pause}(?:{numbers}){pause}(?:{numbers}){pause}(?:{numbers})"


def _numbers() -> tuple[str, ...]:
    """Of cards, accounts, numbers of persons and addresses of machines."""
    return (
        rf"{_LOOSE_EDGE}\d(?:[ \-]?\d){{13}}",
        rf"{_EDGE}\d{{3}}-\d\d-\d{{4}}",
        _ibans(),
        rf"{_EDGE}\d{{1,3}}\.\d{{1,3}}\.\d{{1,3}}\.\d",
        r"[:\x{ff1a}]{2}[0-9A-Fa-f]|[0-9A-Fa-f][:\x{ff1a}]{2}",
        r"(?:[:\x{ff1a}][0-9A-Fa-f]{1,4}){3}[:\x{ff1a}]",
    )


def _signs() -> tuple[str, ...]:
    return (
        *_secrets(),
        "@",
        # of the width of a Chinese letter, but for the punctuation; digits of other scripts
        r"[\x{ff02}-\x{ff07}\x{ff0a}\x{ff0b}\x{ff0d}-\x{ff19}\x{ff1c}-\x{ff1e}\x{ff20}-\x{ff5e}]",
        r"[\x{660}-\x{669}\x{6f0}-\x{6f9}\x{966}-\x{96f}]",
        rf"\d{_UNPLAIN}|{_UNPLAIN}\d",
        rf"(?i)[(\[{{\x{{ff08}}]{_SPACE}?at{_SPACE}?[)\]}}\x{{ff09}}]|{_SPACE}dot{_SPACE}",
        _spoken(),
        rf"\+{_SPACE}?\(?{_digits(7)}|(?i:plus) {_SPACE}?\(?\d",
        rf"{_EDGE}0{_BETWEEN}{{0,3}}{_digits(6)}(?:{_BETWEEN}{{0,3}}\d)*{_END}",
        rf"{_EDGE}(?:1[ \-.]?\(?)?[2-9]\d\d{_BETWEEN}{{1,3}}[2-9]\d\d[ \-.]\d{{4}}",
        rf"{_EDGE}[2-9]\d\d-\d{{4}}",
        rf"(?i)(?:{_words(ANNOUNCING)})[^0-9]{{0,34}}{_digits(7)}",
        *_numbers(),
        _shown_ids(),
        _named_ids(),
    )


_PARTS: Mapping[Part, Callable[[], Iterable[str]]] = {
    "all": _signs,
    "secrets": lambda: (*_secrets(), "://"),
    "spoken": lambda: (_spoken(),),
    "numbers": _numbers,
    "named ids": lambda: (_named_ids(),),
    "shown ids": lambda: (_shown_ids(),),
}


@cache
def _automaton(part: Part) -> Any:
    import re2

    options = re2.Options()
    options.max_mem = 256 << 20
    options.never_capture = True
    options.log_errors = False
    return re2.compile("|".join(f"(?:{sign})" for sign in _PARTS[part]()), options)


def has_sign(text: str, part: Part = "all") -> bool:
    """Whether a detector may find something in a text; the detectors of one `part` of them.

    A short one may come again: what a trace says, the keys of JSON, a message that was planned.
    """
    return _remembered(text, part) if len(text) <= _SHORT else _looked_for(text, part)


def forget_signs() -> None:
    """Forget short texts."""
    _remembered.cache_clear()


def _looked_for(text: str, part: Part) -> bool:
    # a lone surrogate is part of no number, and RE2 reads UTF-8
    return _automaton(part).search(text.encode("utf-8", "replace")) is not None


_remembered = lru_cache(maxsize=4096)(_looked_for)
