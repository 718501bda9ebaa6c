"""Numbers that a country gives a person: by shape, check digit and, where those say little, a word.

One in ten order numbers of the right length passes a single check digit. So a bare number counts
only after a word that names it; without a word only where shape and checks leave little to chance.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from evalkit.control.redaction import checksums as check
from evalkit.control.redaction.finding import Finding

_SEPARATORS = re.compile(r"[ .\-/()]")


class NationalId(NamedTuple):
    """One kind of number. `shape` is how it may be written; `words` announce it, in lower case, a
    space for any or no separator. `alone` is the shape that counts without a word, where it also
    `passes_alone`, if that is more."""

    country: str
    words: str
    shape: str
    passes: Callable[[str], bool]
    alone: str | None = None
    passes_alone: Callable[[str], bool] | None = None


def _digits(count: int) -> str:
    return rf"\d(?:[ .\-/]?\d){{{count - 1}}}"


def _always(value: str) -> bool:
    return True


def _mod_11(weights: tuple[int, ...]) -> Callable[[str], bool]:
    """Whether the weighted sum of all digits, the check digit too, is a multiple of 11."""
    return lambda digits: check.weighted(digits, weights) % 11 == 0


def _medicare(digits: str) -> bool:
    return check.weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(digits[8])


_NINO = r"(?!BG|GB|NK|KN|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
_FISCALE = r"[A-Z]{6}[\dLMNP-V]{2}[A-EHLMPRST][\dLMNP-V]{2}[A-Z][\dLMNP-V]{3}[A-Z]"
_CURP = r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d"
_DNI = r"\d{8}[ \-]?[A-HJ-NP-TV-Z]|[XYZ][ \-]?\d{7}[ \-]?[A-HJ-NP-TV-Z]"
_NIR = r"[12] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d"
_RIC = r"[1-8]\d{5}(?:19|20)\d{9}[\dX]"
_SSN = r"(?!000|666|9)\d{3}[ \-]?(?!00)\d\d[ \-]?(?!0000)\d{4}"

NATIONAL_IDS: tuple[NationalId, ...] = (
    NationalId(
        "AR",
        "cuit|cuil",
        _digits(11),
        _mod_11((5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)),
        r"(?:2[03457]|3[034])-\d{8}-\d",
    ),
    NationalId("AT", "svnr|sv nummer|sozialversicherungsnummer", _digits(10), check.austrian),
    NationalId(
        "AU", "tfn|tax file number|tax file no", _digits(9), _mod_11((1, 4, 3, 7, 5, 8, 6, 9, 10))
    ),
    NationalId("AU", "medicare|medicare number|medicare card", _digits(10), _medicare),
    NationalId(
        "BE",
        "rijksregisternummer|rijksregister|numéro national|numero national|"
        "registre national|insz|niss",
        _digits(11),
        check.belgian,
        r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d",
    ),
    NationalId("BG", "егн|egn", _digits(10), check.bulgarian),
    NationalId("BR", "cpf", _digits(11), check.brazilian, r"\d{3}\.\d{3}\.\d{3}-\d\d"),
    NationalId("BR", "cnpj", _digits(14), check.brazilian, r"\d\d\.\d{3}\.\d{3}/\d{4}-\d\d"),
    NationalId(
        "CA",
        "sin|sin number|social insurance number|social insurance|numéro d'assurance sociale|nas",
        _digits(9),
        check.luhn,
    ),
    NationalId(
        "CH",
        "ahv|ahv nummer|ahv nr|avs|numéro avs",
        _digits(13),
        check.ean,
        r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d\d",
    ),
    NationalId(
        "CL",
        "rut|run",
        r"\d{1,2}\.?\d{3}\.?\d{3}-[\dK]",
        check.chilean,
        r"\d{1,2}\.\d{3}\.\d{3}-[\dK]",
    ),
    NationalId("CN", "身份证|身份證", _RIC, check.chinese, _RIC),
    NationalId(
        "CZ", "rodné číslo|rodne cislo|rodné č|rč", r"\d{6}/?\d{4}", check.czech, r"\d{6}/\d{4}"
    ),
    NationalId(
        "DE",
        "steuer id|steuerid|steuer identifikationsnummer|steueridentifikationsnummer|"
        "steuerliche identifikationsnummer|identifikationsnummer|idnr|tax id|steuernummer",
        r"[1-9](?:[ .\-/]?\d){10}",
        check.mod_11_10,
    ),
    NationalId("DK", "cpr|cpr nummer|cpr nr|personnummer", r"\d{6}[ \-]?\d{4}", check.danish),
    NationalId(
        "EE",
        "isikukood|asmens kodas",
        r"[1-6]\d{10}",
        lambda digits: check.is_short_date(digits[1:7]),
    ),
    NationalId("ES", "dni|nie|nif", _DNI, check.spanish, _DNI),
    NationalId(
        "FI",
        "henkilötunnus|hetu|henkilotunnus",
        r"\d{6}[\-+A-FU-Y]\d{3}[0-9A-Y]",
        check.finnish,
        r"\d{6}[\-+A-FU-Y]\d{3}[0-9A-Y]",
    ),
    NationalId(
        "FR", "nir|sécurité sociale|securite sociale|numéro de sécu", _NIR, check.french, _NIR
    ),
    NationalId(
        "GB", "nhs|nhs number|nhs no|nhs nr", _digits(10), _mod_11((10, 9, 8, 7, 6, 5, 4, 3, 2, 1))
    ),
    NationalId(
        "GB",
        "nino|national insurance|ni number|ni no|national insurance number",
        _NINO + r" ?\d\d ?\d\d ?\d\d ?[A-D]",
        _always,
        _NINO + r" \d\d \d\d \d\d [A-D]",
    ),
    NationalId(
        "GR", "αμκα|amka", _digits(11), lambda digits: check.danish(digits) and check.luhn(digits)
    ),
    NationalId("HR", "oib", _digits(11), check.mod_11_10),
    NationalId("IE", "pps|ppsn|pps number|pps no", r"\d{7}[ \-]?[A-W][A-IW]?", check.irish),
    NationalId("IL", "תעודת זהות|ת.ז|teudat zehut|israeli id", _digits(9), check.luhn),
    NationalId("IN", "aadhaar|aadhar|uidai|आधार", r"[2-9](?:[ \-]?\d){11}", check.verhoeff),
    NationalId(
        "IN",
        "pan|pan card|pan number|permanent account number",
        r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]",
        _always,
    ),
    NationalId("IT", "codice fiscale|cod fisc|cf", _FISCALE, check.italian, _FISCALE),
    NationalId("JP", "マイナンバー|個人番号|my number", _digits(12), check.japanese),
    NationalId(
        "KR",
        "주민등록번호|주민번호|rrn",
        r"\d{6}[ \-]?[1-8]\d{6}",
        lambda digits: check.is_short_date(digits[:6]),
        r"\d{6}-[1-8]\d{6}",
        check.korean,
    ),
    NationalId("MX", "curp", _CURP, check.mexican, _CURP),
    NationalId(
        "NL",
        "bsn|burgerservicenummer|sofinummer|sofi nummer",
        _digits(9),
        _mod_11((9, 8, 7, 6, 5, 4, 3, 2, -1)),
    ),
    NationalId(
        "NO",
        "fødselsnummer|fodselsnummer|personnummer",
        _digits(11),
        check.norwegian,
        r"\d{6} ?\d{5}",
    ),
    NationalId("NZ", "ird|ird number", _digits(9), _always),
    NationalId("PL", "pesel", _digits(11), check.polish),
    NationalId(
        "PT",
        "nif|contribuinte|nº contribuinte",
        r"[1-35689](?:[ .]?\d){8}",
        lambda digits: (
            check.weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
            in ((0, 1) if digits[8] == "0" else (11 - int(digits[8]),))
        ),
    ),
    NationalId("RO", "cnp|cod numeric personal", _digits(13), check.romanian),
    NationalId(
        "RU", "снилс|snils", _digits(11), check.russian_snils, r"\d{3}-\d{3}-\d{3}[ \-]\d\d"
    ),
    NationalId("RU", "инн|inn", _digits(12), check.russian_inn),
    NationalId(
        "SE",
        "personnummer|personnr|samordningsnummer",
        r"(?:\d\d)?\d{6}[\-+]?\d{4}",
        check.swedish,
        r"(?:19|20)?\d{6}[\-+]\d{4}",
    ),
    NationalId("SG", "nric|fin", r"[STFGM]\d{7}[A-Z]", check.singaporean, r"[STFGM]\d{7}[A-Z]"),
    NationalId(
        "TH",
        "บัตรประชาชน|เลขประจำตัวประชาชน|thai id",
        _digits(13),
        check.thai,
        r"\d-\d{4}-\d{5}-\d\d-\d",
    ),
    NationalId(
        "TR", "tc kimlik no|tc kimlik|t.c. kimlik no|tckn|kimlik no", _digits(11), check.turkish
    ),
    NationalId(
        "US",
        "ssn|social security number|social security no|social security|soc sec no|soc sec",
        _SSN,
        _always,
    ),
    NationalId(
        "ZA", "id number|identity number|sa id|said number", _digits(13), check.south_african
    ),
)


def _word(word: str) -> str:
    return re.escape(word).replace("\\ ", r"[ _\-]?")


_BY_WORD: dict[str, list[int]] = {}
for _place, _each in enumerate(NATIONAL_IDS):
    for _name in _each.words.split("|"):
        _BY_WORD.setdefault(re.sub(r"[ _\-]", "", _name), []).append(_place)
_GAP = r"[^\d\n]{0,24}?(?<![^\W_])"
_ALONE_IDS = tuple(each for each in NATIONAL_IDS if each.alone)
ALONE_SHAPES = tuple(each.alone for each in _ALONE_IDS if each.alone)
ID_WORDS = tuple(name for each in NATIONAL_IDS for name in each.words.split("|"))


@cache
def _words() -> re.Pattern[str]:
    """The pattern of words that announce a number, compiled for the first text that may hold one.

    Longest first, so that "sin number" is not read as "sin". A letter of an alphabet may not stand
    next to a word; Chinese and Japanese run on.
    """
    words = sorted(
        {name for each in NATIONAL_IDS for name in each.words.split("|")}, key=len, reverse=True
    )
    return re.compile(
        "|".join(
            _word(name) if name[0] >= "\u2e80" else rf"(?<![^\W_]){_word(name)}(?![^\W_])"
            for name in words
        )
    )


@cache
def _announced(place: int) -> re.Pattern[str]:
    """The pattern of an announced number, compiled for the first text that announces one."""
    return re.compile(rf"{_GAP}({NATIONAL_IDS[place].shape})(?![^\W_])", re.IGNORECASE)


@cache
def _alone() -> tuple[re.Pattern[str], ...]:
    """The patterns of numbers that need no word, compiled for the first text with such a shape."""
    return tuple(
        re.compile(rf"(?<![\w.\-/])(?:{each.alone})(?![\w])(?![.\-/]\d)", re.IGNORECASE)
        for each in _ALONE_IDS
    )


def find_announced_ids(text: str, lowered: str, lead: str) -> Iterator[Finding]:
    """Numbers after a word that names them; `lead` is what stands before the text."""
    before = lead.lower()
    if len(before) != len(lead):
        before = lead
    words, whole = before + lowered, lead + text
    for match in _words().finditer(words):
        for place in _BY_WORD[re.sub(r"[ _\-]", "", match[0])]:
            found = _announced(place).match(whole, match.end())
            if found is None or found.start(1) < len(lead):
                continue
            national = NATIONAL_IDS[place]
            value = _SEPARATORS.sub("", found[1])
            if national.passes(value):
                yield _finding(
                    national, found.start(1) - len(lead), found.end(1) - len(lead), value
                )
                break


def find_ids(text: str) -> Iterator[Finding]:
    """Numbers whose shape and checks say enough without a word."""
    for national, pattern in zip(_ALONE_IDS, _alone(), strict=True):
        for match in pattern.finditer(text):
            value = _SEPARATORS.sub("", match[0])
            if (national.passes_alone or national.passes)(value):
                yield _finding(national, match.start(), match.end(), value)


def _finding(national: NationalId, start: int, end: int, value: str) -> Finding:
    kind = "SSN" if national.country == "US" else "NATIONAL_ID"
    return Finding(start, end, kind, value.upper())  # type: ignore[arg-type]
