"""Addresses, cards, accounts and numbers of persons, by their shape and their checksums."""

import re
from collections.abc import Iterator

from evalkit.control.redaction.checksums import luhn
from evalkit.control.redaction.finding import Finding

EMAIL = re.compile(
    r"(?<![\w.%+\-])[\w%+](?:[\w.%+'\-]{0,62}[\w%+\-])?"
    r"@(?:\w(?:[\w\-]{0,61}\w)?\.){1,8}(?:xn--[a-z0-9\-]{2,59}|[^\W\d_]{2,24})(?!\w)"
)
# The part before the @, which it is looked for from: to try every word of a text is slow.
_LOCAL_PART = re.compile(r"(?<![\w.%+\-])[\w%+](?:[\w.%+'\-]{0,62}[\w%+\-])?\Z")
_LONGEST_LOCAL_PART = 64
# john dot doe at example dot com, john (at) example.com: an at in brackets, or a dot in words
_SPELT_EMAIL = re.compile(
    r"(?i)(?<![\w.])((?:[\w+\-]{1,40}(?: dot |\.)){0,4}[\w+\-]{1,40})"
    r"(?: ?[(\[{] ?at ?[)\]}] ?"
    r"((?:[\w\-]{1,63}(?: ?[(\[{] ?dot ?[)\]}] ?| dot |\.)){1,4}[a-z]{2,24})"
    r"| at ((?:[\w\-]{1,63} dot ){1,4}[a-z]{2,24}))(?!\w)"
)
_SPELT_AT = re.compile(r"(?i)[(\[{] ?at ?[)\]}]")
_SPELT_DOT = re.compile(r"(?i) ?[(\[{] ?dot ?[)\]}] ?| dot ")


def find_emails(text: str, lowered: str) -> Iterator[Finding]:
    """Mail addresses, also spelt out; the value is in lower case."""
    at, done = text.find("@"), 0
    while at >= 0:
        local = _LOCAL_PART.search(text, max(done, at - _LONGEST_LOCAL_PART), at)
        if local and (match := EMAIL.match(text, local.start())):
            done = match.end()
            # git@host: is an address of repositories, nobody's
            if not (match[0].startswith("git@") and text.startswith(":", done)):
                yield Finding(match.start(), done, "EMAIL", match[0].lower())
        at = text.find("@", max(done, at + 1))
    if " dot " in lowered or _SPELT_AT.search(text):
        for match in _SPELT_EMAIL.finditer(text):
            host = match[2] or match[3]
            value = f"{_SPELT_DOT.sub('.', match[1])}@{_SPELT_DOT.sub('.', host)}".lower()
            yield Finding(match.start(), match.end(), "EMAIL", value)


# Two letters before the digits; digit first, because that is what the search can skip to.
_IBAN_START = re.compile(r"\d\d(?<![A-Za-z0-9][A-Za-z]{2}\d\d)(?<=[A-Za-z]{2}\d\d)")
# ISO 13616 registry: the whole length by country.
IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU",
        31: "MT SC",
        32: "LC",
    }.items()
    for country in countries.split()
}


def find_ibans(text: str) -> Iterator[Finding]:
    """International account numbers, in groups or not: those that pass ISO 7064 mod 97, and those
    that are called an IBAN, since one that is mistyped by a digit still tells whose it is."""
    for match in _IBAN_START.finditer(text):
        start = match.start() - 2
        length = IBAN_LENGTHS.get(text[start : start + 2].upper())
        if length is None:
            continue
        end = _end_of_characters(text, start, length)
        if end is None:
            continue
        value = re.sub(r"[ \-]", "", text[start:end]).upper()
        moved = value[4:] + value[:4]
        passes = int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1
        if passes or "iban" in text[max(0, start - 24) : start].lower():
            yield Finding(start, end, "IBAN", value)


def _end_of_characters(text: str, start: int, count: int) -> int | None:
    """Where `count` letters and digits end, single separators between them; None if they do not."""
    at = start
    for taken in range(count):
        if taken and at < len(text) and text[at] in " -":
            at += 1
        if at >= len(text) or not (text[at].isascii() and text[at].isalnum()):
            return None
        at += 1
    return None if at < len(text) and text[at].isascii() and text[at].isalnum() else at


_CARD_RUN = re.compile(
    r"\d(?<![A-Za-z0-9]\d)(?<!\d[.,]\d)(?:[ \-]?\d){13,}(?![A-Za-z0-9])(?![.,]\d)"
)
_GROUP = re.compile(r"\d+")


def find_cards(text: str) -> Iterator[Finding]:
    """Card numbers: an issuer's prefix and length, and Luhn's checksum (ISO/IEC 7812)."""
    for run in _CARD_RUN.finditer(text):
        groups = [match.span() for match in _GROUP.finditer(text, run.start(), run.end())]
        first = 0
        while first < len(groups):
            last = _card_from(text, groups, first)
            if last is not None:
                start, end = groups[first][0], groups[last][1]
                yield Finding(start, end, "CARD", re.sub(r"\D", "", text[start:end]))
                first = last
            first += 1


def _card_from(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """The last group of a card number that begins with group `first`, the longest there is."""
    digits, found = "", None
    for last in range(first, len(groups)):
        digits += text[groups[last][0] : groups[last][1]]
        if len(digits) > 19:
            break
        if _is_card_length(digits) and luhn(digits):
            found = last
    return found


def _is_card_length(digits: str) -> bool:
    match digits[0]:
        case "2":
            return len(digits) == 16 and 2221 <= int(digits[:4]) <= 2720
        case "3":
            return 14 <= len(digits) <= 16
        case "4":
            return len(digits) in (16, 19)
        case "5" | "6":
            return 16 <= len(digits) <= 19
    return False


_SSN = re.compile(r"\d(?<![\w\-]\d)(?<!0)(?<!9)\d\d-(?!00)\d\d-(?!0000)\d{4}(?![\w\-])")


def find_ssns(text: str) -> Iterator[Finding]:
    """Social security numbers of the United States as they are mostly written: 123-45-6789."""
    for match in _SSN.finditer(text):
        if not match[0].startswith(("000", "666")):
            yield Finding(match.start(), match.end(), "SSN", match[0].replace("-", ""))
