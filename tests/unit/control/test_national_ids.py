"""Check digits of national numbers, held against python-stdnum's."""

import importlib
import random

import pytest

from evalkit.control.redaction import Redactor
from evalkit.control.redaction import checksums as check
from evalkit.control.redaction.national_ids import NATIONAL_IDS

PEERS = [
    ("luhn", check.luhn, "################"),
    ("verhoeff", check.verhoeff, "############"),
    ("de.idnr", check.mod_11_10, None),
    ("hr.oib", check.mod_11_10, "###########"),
    ("at.vnr", check.austrian, "##########"),
    ("be.nn", check.belgian, "DATE#####"),
    ("br.cpf", check.brazilian, "###########"),
    ("br.cnpj", check.brazilian, "##############"),
    ("bg.egn", check.bulgarian, "DATE####"),
    ("cl.rut", check.chilean, "########K"),
    ("cn.ric", check.chinese, "11010119DATE####"),
    ("cz.rc", check.czech, "DATE####"),
    ("fi.hetu", None, None),
    ("fr.nir", check.french, "1850675#########"[:15]),
    ("it.codicefiscale", check.italian, "RSSMRA85T10A562@"),
    ("ie.pps", check.irish, "#######@"),
    ("jp.in_", check.japanese, "############"),
    ("mx.curp", check.mexican, "GOMHDATEHDFRRL0#"),
    ("no.fodselsnummer", check.norwegian, "ETAD#####"),
    ("pl.pesel", check.polish, "DATE#####"),
    ("ro.cnp", check.romanian, "1DATE40####"),
    ("ru.inn", check.russian_inn, "############"),
    ("za.idnr", check.south_african, "DATE####08#"),
    ("es.dni", check.spanish, "########@"),
    ("es.nie", check.spanish, "X#######@"),
    ("se.personnummer", check.swedish, "DATE####"),
    ("th.pin", check.thai, "1############"),
    ("tr.tckimlik", check.turkish, "1##########"),
    ("ch.ssn", check.ean, "756##########"),
]


def drawn(rng: random.Random, shape: str) -> str:
    yy, mm, dd = f"{rng.randint(60, 99)}", f"{rng.randint(1, 12):02}", f"{rng.randint(1, 28):02}"
    shape = shape.replace("DATE", yy + mm + dd).replace("ETAD", dd + mm + yy)
    letters = {"#": "0123456789", "@": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    return "".join(rng.choice(letters[each]) if each in letters else each for each in shape)


@pytest.mark.parametrize(
    ("module", "ours", "shape"), [each for each in PEERS if each[2] is not None]
)
def test_a_check_agrees_with_a_peer(module: str, ours: object, shape: str) -> None:
    peer = importlib.import_module(f"stdnum.{module}").is_valid
    rng = random.Random(module)
    agreed = {True: 0, False: 0}
    for _ in range(20_000):
        value = drawn(rng, shape)
        theirs = bool(peer(value))
        if theirs:  # the peer may know more than check digits, so it may refuse what we accept
            assert ours(value), value  # type: ignore[operator]
        agreed[theirs] += 1
        # a digit that was mistyped is seen by both
        if theirs and value[-1].isdigit():
            wrong = value[:-1] + str((int(value[-1]) + 1) % 10)
            assert not ours(wrong), wrong  # type: ignore[operator]
        if agreed[True] >= 40 and agreed[False] >= 200:
            break
    assert agreed[True] >= 15


def redact(text: str) -> str:
    return Redactor().redact(text)


def test_a_word_of_another_language_is_enough_and_its_absence_is_not() -> None:
    assert redact("PESEL: 44051401359") == "PESEL: [NATIONAL_ID_1]"
    assert redact('{"pesel": "44051401359"}') == '{"pesel": "[NATIONAL_ID_1]"}'
    assert redact("order 44051401359") == "order 44051401359"
    assert redact("PESEL: 44051401358") == "PESEL: 44051401358"
    assert Redactor().redact_value({"nhsNumber": "9434765919"}) == {"nhsNumber": "[NATIONAL_ID_1]"}
    assert Redactor().redact_value({"user_ssn": 536228726}) == {"user_ssn": "[SSN_1]"}


@pytest.mark.parametrize(
    "value",
    [
        "RSSMRA85T10A562S",
        "12345678Z",
        "X1234567L",
        "11010519491231002X",
        "756.9217.0769.85",
        "131052-308T",
        "111.444.777-35",
        "S1234567D",
        "JG 10 37 59 A",
    ],
)
def test_a_telling_shape_needs_no_word(value: str) -> None:
    assert redact(f"see {value} here") == "see [NATIONAL_ID_1] here"
    assert redact(f"see {value}7 here") == f"see {value}7 here"


def test_every_number_has_a_word() -> None:
    assert all(each.words for each in NATIONAL_IDS)
