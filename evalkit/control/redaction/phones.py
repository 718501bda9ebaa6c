"""Telephone numbers, told from order numbers, dates, amounts and versions.

A number counts when it is written as one: with a plus or 00 and a country's code, with the leading
0 of a country where it is a real number, as 202-555-0143 or 555-0143, or after a word like "call".
Everything else of that length is reported as uncertain, see `Finding`.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from evalkit.control.redaction.finding import Finding

_MIN_DIGITS, _MAX_DIGITS = 7, 15
_RUN = re.compile(r"\d(?:[ \-./()]{0,3}\d){6,}")
_GROUP = re.compile(r"\d+")
# Where a leading 0 stands before the area code, so that a national number can be told by it.
_TRUNK_REGIONS = ("GB", "DE", "FR", "NL", "IT", "BE", "AT", "CH", "IE", "SE", "AU", "JP")

_NANP = re.compile(r"[2-9]\d\d\)?[ \-.]{0,2}(?<=[ \-.)])[2-9]\d\d[ \-.]\d{4}(?!\d)")
_LOCAL = re.compile(r"[2-9]\d\d-\d{4}(?![\d]|[\-./]\d)")
_DATE = re.compile(
    r"(?:\d{1,2}([./\-])\d{1,2}\1(?:\d{4}|\d\d)|(?:19|20)\d\d([./\-])\d\d?\2\d\d?)(?!\d|[./\-]\d)"
)
_DOCUMENT_NUMBER = re.compile(r"(?:19|20)\d\d[\-/]\d{3,6}(?!\d)")
_DECIMAL = re.compile(r"(?:0|[1-9]\d*)\.(?:\d{5,}|\d\d?)(?![\d.]|[ \-/]\d)")
_PLUS = re.compile(r"(?i)(?<!\w)(?:\+|plus )\s?\(?$")
_ONE = re.compile(r"1[ \-.]?\(?")
# A-31500, INV/77: what follows is part of a name.
_NAME_BEFORE = re.compile(r"(\w*[^\W\d_]\w*)[\-/.]$")
_THOUSANDS = re.compile(r"\d{1,3}(?:([. ])\d{3})(?:\1\d{3})*(?!\d|[ \-./]\d)")
_MONEY_BEFORE = re.compile(r"(?i)(?:[$€£¥₹]|\b(?:eur|usd|gbp|chf|sek|nok|dkk|pln))\s?[+\-]?$")
_MONEY_AFTER = re.compile(
    r"(?i)(?:,\d\d?(?!\d)|\s?(?:[$€£¥₹%]|(?:eur|usd|gbp|chf|sek|nok|dkk|pln|euros?|dollars?|pounds?|"
    r"kg|km|mb|gb|ms)\b))"
)
# What a number is said to be, in the words just before it. The last word decides, but "number"
# after "invoice" does not make it a telephone's.
# fmt: off
_PHONE_WORDS = (
    "tel", "tél", "phone", "telephone", "telefoon", "telefon", "teléfono", "téléphone",
    "telefono", "telefone", "mobile", "mobiel", "mobil", "móvil", "telemóvel", "cell",
    "cellphone", "cellulare", "celular", "handy", "whatsapp", "fax", "call", "calling", "ring",
    "dial", "reach", "sms", "anrufen", "anruf", "appel", "appelez", "appeler", "llame", "llamar",
    "llamada", "chiamare", "chiamata", "ligar", "bellen", "bel", "тел", "телефон", "моб",
    "звоните", "τηλ", "τηλέφωνο", "κινητό", "gsm", "puhelin", "telefonnummer", "mobilnummer",
    "tlf", "komórka", "telefonu", "cep", "sđt",
)
# fmt: on
# Of scripts in which a word may follow another without a space.
# fmt: off
_RUNNING_WORDS = (
    "电话", "電話", "手机", "手機", "携帯", "전화", "휴대폰", "연락처", "هاتف", "جوال",
    "टेलीफोन", "मोबाइल", "फोन",
    "טלפון", "נייד",
)
_OTHER_WORDS = (
    "orders?", "invoices?", "tickets?", "case", "ref", "reference", "booking", "account",
    "customer", "rechnung", "rechnungsnummer", "bestellung", "bestellnummer", "auftrag",
    "kundennummer", "facture", "commande", "pedido", "factura", "fattura", "ordine", "bestelling",
    "factuur", "fatura", "encomenda", "serial", "tracking", "sku", "item", "article", "clause",
    "section", "version", "amount", "vat", "page", "pages", "room", "batch", "id",
)
_CALLED_NUMBER = (
    "number", "numbers", "numéro", "número", "numero", "nummer", "contact", "kontakt", "contacto",
    "contatto",
)
# fmt: on
ANNOUNCING = (*_PHONE_WORDS, *_RUNNING_WORDS, *_CALLED_NUMBER)
_CONTEXT_LENGTH = 32
# Between the word and a number that could as well be an amount there is next to nothing.
_CLOSE = 8


class _Context(NamedTuple):
    """The words before a number: whether they announce a telephone, and how far before it."""

    announced: bool
    denied: bool
    distance: int


@cache
def _words_before() -> re.Pattern[str]:
    """The pattern of words before a number, compiled for the first text with one."""
    return re.compile(
        rf"(?P<phone>\b(?:{'|'.join(_PHONE_WORDS)})(?![^\W_])|{'|'.join(_RUNNING_WORDS)})"
        rf"|(?P<other>\b(?:{'|'.join(_OTHER_WORDS)})(?![^\W_]))"
        rf"|(?P<number>\b(?:{'|'.join(_CALLED_NUMBER)})(?![^\W_]))"
    )


def find_phones(text: str, lead: str) -> Iterator[Finding]:
    """Telephone numbers, certain and uncertain ones; `lead` is what stands before the text."""
    for run in _RUN.finditer(text):
        groups = [match.span() for match in _GROUP.finditer(text, run.start(), run.end())]
        first, fresh = 0, True
        while first < len(groups):
            if end := _other_number(text, groups[first][0]):
                first, fresh = _last_within(groups, first, end) + 1, True
                continue
            last, findings = _from_group(text, lead, groups, first, fresh=fresh)
            yield from findings
            fresh = any(found.certain for found in findings)
            first = last + 1


def _other_number(text: str, start: int) -> int | None:
    """Where a date, a document's number or a decimal ends that begins here."""
    for shape in (_DATE, _DOCUMENT_NUMBER, _DECIMAL):
        if other := shape.match(text, start):
            return other.end()
    return None


def _from_group(
    text: str, lead: str, groups: list[tuple[int, int]], first: int, *, fresh: bool
) -> tuple[int, list[Finding]]:
    """What begins with a group: the last group that is settled by it, and the findings.

    A group that is not `fresh` goes on with digits that are no telephone number: a zero in its
    front is then no country's.
    """
    start = groups[first][0]
    before = (lead + text[max(0, start - _CONTEXT_LENGTH) : start])[-_CONTEXT_LENGTH:]
    if _belongs_to_another(before):
        return first, []
    ends = _possible_ends(text, groups, first)
    for tell in (_international, _national, _american, _announced):
        if text[start] == "0" and not fresh and tell in (_international, _national):
            continue
        found = tell(text, before, start, ends)
        if found is not None:
            begin = _opening(text, start, found.end)
            return _last_within(groups, first, found.end), [found._replace(start=begin)]
    if groups[first][1] - start == 1:
        return first, []  # a table of single digits, not the beginning of a number
    return first, [_uncertain(text, start, end) for end in reversed(ends)]


def _belongs_to_another(before: str) -> bool:
    """Whether digits after `before` go on with a name, an amount or a decimal number."""
    if not before:
        return False
    if before[-1].isalnum() or before[-1] in "_#" or _MONEY_BEFORE.search(before):
        return True
    if before[-1] in ",." and before[-2:-1].isdigit():
        return True
    name = _NAME_BEFORE.search(before)
    return name is not None and not _words_before().fullmatch(name[1].casefold())


def _possible_ends(text: str, groups: list[tuple[int, int]], first: int) -> list[int]:
    """Where a number that begins with a group may end, shortest first."""
    ends, digits = [], 0
    for group_start, group_end in groups[first : first + _MAX_DIGITS]:
        digits += group_end - group_start
        if digits > _MAX_DIGITS:
            break
        after = text[group_end : group_end + 1]
        if digits >= _MIN_DIGITS and not (after.isalnum() or after == "_"):
            ends.append(group_end)
    return [end for end in ends if not _MONEY_AFTER.match(text, end)]


def _international(text: str, before: str, start: int, ends: list[int]) -> Finding | None:
    """+44 7700 900123, 0044 7700 900123, plus 44 7700 900123; also one digit too many or few."""
    plus = _PLUS.search(before) is not None
    if not plus and not text.startswith("00", start):
        return None
    for end in reversed(ends):
        digits = _digits(text, start, end)
        number = _parsed(digits if plus else digits[2:], text[start:end])
        if number is not None:
            return Finding(start, end, "PHONE", number, digits)
    if plus and ends and len(_digits(text, start, ends[-1])) >= 10:
        digits = _digits(text, start, ends[-1])
        return Finding(start, ends[-1], "PHONE", digits, digits)
    return None


def _parsed(digits: str, written: str) -> str | None:
    """Country code and number, if there can be such a number; `written` may hold a "(0)"."""
    import phonenumbers

    international = "+" + digits
    if "(0)" in written:
        international = "+" + re.sub(r"\D", "", written.replace("(0)", ""))
    try:
        number = phonenumbers.parse(international, None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]


def _national(text: str, before: str, start: int, ends: list[int]) -> Finding | None:
    """07700 900123, (030) 1234567: the leading 0, and a real number where one is dialled."""
    if text[start] != "0" or _context(before).denied:
        return None
    for end in reversed(ends):
        digits = _digits(text, start, end)
        if _is_national(digits):
            return Finding(start, end, "PHONE", digits, digits)
    return None


@lru_cache(maxsize=1024)
def _is_national(digits: str) -> bool:
    """Whether one of the regions has such a number, leading 0 included."""
    if not 9 <= len(digits) <= 12 or digits.startswith("00"):
        return False
    import phonenumbers

    for region in _TRUNK_REGIONS:
        try:
            number = phonenumbers.parse(digits, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return True
    return False


def _american(text: str, before: str, start: int, ends: list[int]) -> Finding | None:
    """202-555-0143, (202) 555-0143, 1-202-555-0143, 555-0143."""
    context = _context(before)
    if context.denied or before.endswith(("-", ".", "/")):
        return None
    skip = _ONE.match(text, start)
    match = _NANP.match(text, skip.end() if skip else start) or _LOCAL.match(text, start)
    if match is None or match.end() not in ends:
        return None
    digits = _digits(text, start, match.end())
    return Finding(
        start, match.end(), "PHONE", "1" + digits if len(digits) == 10 else digits, digits
    )


def _announced(text: str, before: str, start: int, ends: list[int]) -> Finding | None:
    """Any number of a telephone's length after a word that announces one."""
    context = _context(before)
    if not context.announced or not ends:
        return None
    if _THOUSANDS.match(text, start) and context.distance > _CLOSE:
        return None
    digits = _digits(text, start, ends[-1])
    return Finding(start, ends[-1], "PHONE", digits, digits)


def _context(before: str) -> _Context:
    """What the words between the last digit or line end and the number say."""
    words = re.split(r"[\d\n]", before.casefold())[-1].replace("_", " ")
    kind, end = "", 0
    for match in _words_before().finditer(words):
        if match.lastgroup == "number" and kind == "other":
            continue
        kind, end = match.lastgroup or "", match.end()
    announced = kind in ("phone", "number")
    return _Context(announced, kind == "other", len(words) - end)


def _uncertain(text: str, start: int, end: int) -> Finding:
    digits = _digits(text, start, end)
    return Finding(start, end, "PHONE", digits, digits, certain=False)


def _opening(text: str, start: int, end: int) -> int:
    """The start with the plus and the bracket that belong to the number."""
    if start and text[start - 1] == "(" and ")" in text[start:end]:
        start -= 1
    opening = re.search(r"(?i)(?<!\w)(?:\+|plus )\s?$", text[max(0, start - 7) : start])
    return start - len(opening[0]) if opening else start


def _last_within(groups: list[tuple[int, int]], first: int, end: int) -> int:
    """The last group that begins before `end`."""
    last = first
    while last + 1 < len(groups) and groups[last + 1][0] < end:
        last += 1
    return last


def _digits(text: str, start: int, end: int) -> str:
    return re.sub(r"\D", "", text[start:end])
