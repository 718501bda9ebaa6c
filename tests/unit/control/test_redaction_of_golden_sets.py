"""Redaction over real tickets: everything personal goes, nothing else is touched."""

import re
from pathlib import Path

import msgspec
import pytest

from evalkit.control.redaction import Redactor, redact_case
from evalkit.records.case import Case

ROOT = Path(__file__).parents[3]


def cases_of(golden: str) -> list[Case]:
    path = ROOT / "goldensets" / golden / "v1" / "cases.jsonl"
    return [msgspec.json.decode(line, type=Case) for line in path.read_bytes().splitlines()]


TRIAGE = cases_of("support_triage")
PII = [case for case in TRIAGE if "pii" in case.tags]

# Written by hand next to the set: what of each kind stands in it, as it stands there.
ADDRESS = re.compile(r"[\w.\-]+@[\w.\-]+\.\w+")
WRITTEN = re.compile(
    r"\+\d\d? ?\d{3,4} ?\d{3} ?\d{3,4}|44 7700 900\d{3}|555[- ]01\d\d"
    r"|\d{4} \d{4} \d{4} \d{4}|[A-Z]{2}\d\d \w{4} \w{4}|203\.0\.113\.\d+"
)


def text_of(case: Case) -> str:
    return msgspec.json.encode(case).decode()


def test_there_are_cases_to_look_at() -> None:
    assert len(PII) >= 30


@pytest.mark.parametrize("case", PII, ids=lambda case: case.id)
def test_a_case_that_is_tagged_pii_holds_some_and_keeps_none(case: Case) -> None:
    assert Redactor.primed_with(case).knows
    stored = text_of(redact_case(case))
    assert not ADDRESS.search(stored)
    assert not WRITTEN.search(stored)


def test_no_case_at_all_keeps_an_address_or_a_number() -> None:
    left = [
        case.id
        for case in TRIAGE
        if ADDRESS.search(text := text_of(redact_case(case))) or WRITTEN.search(text)
    ]
    assert left == []


def test_what_is_called_in_words_is_found() -> None:
    voicemail = next(case for case in TRIAGE if case.id == "st-0142")
    body = redact_case(voicemail).input["body"]
    assert body.count("[PHONE_1]") == 2
    assert "seven seven" not in body
    assert "eighty nine pounds" in body


ORDER = re.compile(r"\bA-\d{5}\b")
DATE = re.compile(r"\b\d{4}-\d\d-\d\d(?:T\d\d:\d\d\S*)?|\b\d\d? (?:Nov|Oct)\w* \d{4}")
AMOUNT = re.compile(r"(?<![\d.])\d{1,3}(?:[.,]\d{3})*[.,]\d\d\b|\b\d+ ?(?:€|EUR|euros?|GBP|£)")
INVOICE = re.compile(r"\b2026-\d{4}\b")
VERSION = re.compile(r"\b(?:firmware|version|v) ?\d+(?:\.\d+)+")


@pytest.mark.parametrize("golden", ["support_triage", "ticket_routing"])
@pytest.mark.parametrize("pattern", [ORDER, DATE, AMOUNT, INVOICE, VERSION])
def test_order_numbers_dates_amounts_and_versions_are_untouched(
    golden: str, pattern: re.Pattern[str]
) -> None:
    seen = 0
    for case in cases_of(golden):
        before = text_of(case)
        assert pattern.findall(text_of(redact_case(case))) == pattern.findall(before), case.id
        seen += len(pattern.findall(before))
    assert golden == "ticket_routing" or seen


@pytest.mark.parametrize("golden", ["support_triage", "ticket_routing"])
def test_a_case_in_which_nothing_is_found_is_stored_unchanged(golden: str) -> None:
    unchanged = 0
    for case in cases_of(golden):
        if not Redactor.primed_with(case).knows:
            assert redact_case(case) == case
            unchanged += 1
    assert unchanged > 100


def test_expected_amounts_and_orders_survive() -> None:
    for case in TRIAGE:
        fields, stored = case.expected["fields"], redact_case(case).expected["fields"]
        assert (stored["order_id"], stored["amount"]) == (fields["order_id"], fields["amount"])
        assert (stored["email"] is None) == (fields["email"] is None)
        if fields["email"] is not None:
            assert re.fullmatch(r"\[EMAIL_\d+\]", stored["email"])
            assert stored["email"] in text_of(redact_case(case)).split('"expected"')[0]
