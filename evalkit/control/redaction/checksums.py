"""Check digits of national numbers, from their public definitions. All take the bare characters."""

from collections.abc import Sequence
from datetime import date

_DIGITS = "0123456789"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def luhn(digits: str) -> bool:
    """ISO/IEC 7812, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


_VERHOEFF_PRODUCT = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_VERHOEFF_TURN = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def verhoeff(digits: str) -> bool:
    """Verhoeff (1969): the dihedral group of order ten."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        turned = int(_VERHOEFF_TURN[place % 8][int(digit)])
        check = int(_VERHOEFF_PRODUCT[check][turned])
    return check == 0


def mod_11_10(digits: str) -> bool:
    """ISO/IEC 7064, mod 11,10: Germany's tax number, Croatia's OIB."""
    product = 10
    for digit in digits[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def mod_11_2(value: str) -> bool:
    """ISO/IEC 7064, mod 11-2; the last may be an X. China's resident numbers."""
    total = 0
    for letter in value[:-1]:
        total = (total + int(letter)) * 2 % 11
    return _DIGITS_X[(12 - total) % 11] == value[-1].upper()


_DIGITS_X = "0123456789X"


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of digits times weights, over as many digits as there are weights."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def is_date(year: int, month: int, day: int) -> bool:
    """Whether there is such a day."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def is_short_date(yymmdd: str, *, month_less: int = 0, day_less: int = 0) -> bool:
    """Whether six digits are a day of this century or the last. Numbers that say more add to the
    month or the day what has to be taken off again."""
    year = int(yymmdd[:2])
    month, day = int(yymmdd[2:4]) - month_less, int(yymmdd[4:6]) - day_less
    return is_date(1900 + year, month, day) or is_date(2000 + year, month, day)


def austrian(digits: str) -> bool:
    """Sozialversicherungsnummer: the fourth digit checks the others."""
    others = digits[:3] + digits[4:]
    return weighted(others, (3, 7, 9, 5, 8, 4, 2, 1, 6)) % 11 == int(digits[3])


def belgian(digits: str) -> bool:
    """Rijksregisternummer: 97 less the rest of the first nine, a 2 before them from 2000 on."""
    check = int(digits[9:])
    if not is_short_date(digits[:6]) and digits[2:4] != "00":
        return False
    return check in (97 - int(digits[:9]) % 97, 97 - int("2" + digits[:9]) % 97)


def brazilian(digits: str) -> bool:
    """CPF (11 digits) and CNPJ (14): two digits, each modulo 11 over all before it."""
    if len(set(digits)) == 1:
        return False
    longest = 11 if len(digits) == 11 else 9
    for place in (len(digits) - 2, len(digits) - 1):
        total = sum(
            int(digit) * (2 + (place - 1 - at) % (longest - 1))
            for at, digit in enumerate(digits[:place])
        )
        rest = total % 11
        if (0 if rest < 2 else 11 - rest) != int(digits[place]):
            return False
    return True


def bulgarian(digits: str) -> bool:
    """EGN: 20 or 40 is added to the month in other centuries."""
    month_less = int(digits[2:4]) // 20 * 20
    total = weighted(digits, (2, 4, 8, 5, 10, 9, 7, 3, 6))
    return is_short_date(digits[:6], month_less=month_less) and total % 11 % 10 == int(digits[9])


def chilean(value: str) -> bool:
    """RUT: weights 2 to 7 from the right, the check a digit or K."""
    total = sum(int(digit) * (2 + at % 6) for at, digit in enumerate(reversed(value[:-1])))
    return "0123456789K"[-total % 11] == value[-1].upper()


def chinese(value: str) -> bool:
    """Resident number: eight digits of a date, mod 11-2."""
    born = value[6:14]
    return is_date(int(born[:4]), int(born[4:6]), int(born[6:])) and mod_11_2(value)


def czech(digits: str) -> bool:
    """Rodné číslo of ten digits, a multiple of 11 (until 1985 a rest of 10 was written 0); women
    have 50 added to the month."""
    month = int(digits[2:4])
    less = next((less for less in (70, 50, 20, 0) if month > less), 0)
    fits = int(digits) % 11 == 0 or (int(digits[:9]) % 11 == 10 and digits[9] == "0")
    return fits and is_short_date(digits[:6], month_less=less)


def danish(digits: str) -> bool:
    """CPR: a date, and nothing to check since 2007."""
    return is_short_date(digits[4:6] + digits[2:4] + digits[:2])


def ean(digits: str) -> bool:
    """EAN-13's digit: Switzerland's AHV number."""
    return weighted(digits, (1, 3) * 6 + (1,)) % 10 == 0


def finnish(value: str) -> bool:
    """Henkilötunnus without its sign of the century: date, number, a letter modulo 31."""
    number = value[:6] + value[-4:-1]
    check = "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(number) % 31]
    return danish(value) and check == value[-1].upper()


def french(value: str) -> bool:
    """NIR: 97 less the rest; Corsica's 2A and 2B count as 19 and 18."""
    number = value[:13].upper().replace("2A", "19").replace("2B", "18")
    return number.isdigit() and 97 - int(number) % 97 == int(value[13:])


# What a digit or letter counts at an odd place; a digit counts as the letter of its order.
_ODD_LETTERS = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22,
                25, 24, 23)  # fmt: skip


def italian(value: str) -> bool:
    """Codice fiscale: letters at odd places by a table, at even places by their order."""
    value = value.upper()
    orders = [int(each) if each.isdigit() else ord(each) - ord("A") for each in value[:15]]
    total = sum(_ODD_LETTERS[order] for order in orders[::2]) + sum(orders[1::2])
    return _LETTERS[total % 26] == value[15]


def irish(value: str) -> bool:
    """PPS number: seven digits, a letter modulo 23, perhaps a second letter that counts."""
    value = value.upper()
    total = weighted(value, (8, 7, 6, 5, 4, 3, 2))
    if len(value) == 9 and value[8] != "W":
        total += 9 * (ord(value[8]) - 64)
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == value[7]


def japanese(digits: str) -> bool:
    """My Number: weights 2 to 7 from the right, twice."""
    rest = sum(int(each) * (2 + at % 6) for at, each in enumerate(reversed(digits[:-1]))) % 11
    return (0 if rest <= 1 else 11 - rest) == int(digits[-1])


def korean(digits: str) -> bool:
    """Resident number as it was given out until October 2020; later ones check nothing."""
    total = weighted(digits, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5))
    return is_short_date(digits[:6]) and (11 - total % 11) % 10 == int(digits[12])


def mexican(value: str) -> bool:
    """CURP: 37 characters by their order, an Ñ among them."""
    alphabet = _DIGITS + "ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    value = value.upper()
    total = sum(alphabet.index(each) * (18 - at) for at, each in enumerate(value[:17]))
    return is_short_date(value[4:10]) and -total % 10 == int(value[17])


def norwegian(digits: str) -> bool:
    """Fødselsnummer: a date (D numbers add 40 to the day) and two digits modulo 11."""
    day_less = 40 if digits[0] >= "4" else 0
    return (
        is_short_date(digits[4:6] + digits[2:4] + digits[:2], day_less=day_less)
        and weighted(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
        and weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    )


def polish(digits: str) -> bool:
    """PESEL: the century is in the month."""
    month_less = int(digits[2:4]) // 20 * 20
    total = weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1))
    return total % 10 == 0 and is_short_date(digits[:6], month_less=month_less)


def romanian(digits: str) -> bool:
    """CNP: sex and century, a date, a county, modulo 11."""
    total = weighted(digits, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return is_short_date(digits[1:7]) and (1 if total == 10 else total) == int(digits[12])


def russian_snils(digits: str) -> bool:
    """SNILS: weights 9 to 1, modulo 101, where 100 is written 00."""
    return weighted(digits, range(9, 0, -1)) % 101 % 100 == int(digits[9:])


def russian_inn(digits: str) -> bool:
    """INN of a person: two digits, modulo 11 modulo 10."""
    first = weighted(digits, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    second = weighted(digits, (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    return first == int(digits[10]) and second == int(digits[11])


def singaporean(value: str) -> bool:
    """NRIC and FIN: modulo 11, the letters in an order that each series has of its own."""
    value = value.upper()
    total = weighted(value[1:8], (2, 7, 6, 5, 4, 3, 2))
    series = value[0]
    if series in "TG":
        total += 4
    elif series == "M":
        total += 3
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "M": "KLJNPQRTUWX"}.get(
        series, "XWUTRQPNMLK"
    )
    return letters[total % 11 if series != "M" else 10 - total % 11] == value[8]


def south_african(digits: str) -> bool:
    """Thirteen digits: a date, and Luhn's."""
    return is_short_date(digits[:6]) and luhn(digits)


def spanish(value: str) -> bool:
    """DNI and NIE: the rest modulo 23 as a letter; X, Y and Z before a NIE are 0, 1 and 2."""
    value = value.upper()
    number = value[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == value[-1]


def swedish(digits: str) -> bool:
    """Personnummer of ten or twelve digits: a date (60 is added to the day of a coordination
    number) and Luhn's digit over the last ten."""
    ten = digits[-10:]
    return is_short_date(ten[:6], day_less=60 if ten[4] >= "6" else 0) and luhn(ten)


def thai(digits: str) -> bool:
    """Thirteen digits, weights 13 to 2."""
    return (11 - weighted(digits, range(13, 1, -1)) % 11) % 10 == int(digits[12])


def turkish(digits: str) -> bool:
    """Kimlik: one digit of the odd and even places, one of all."""
    numbers = [int(each) for each in digits]
    tenth = (sum(numbers[0:9:2]) * 7 - sum(numbers[1:8:2])) % 10
    return tenth == numbers[9] and sum(numbers[:10]) % 10 == numbers[10]
