"""A number within a tolerance."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.score.numeric import read_number
from tests.unit.score.samples import answer, answer_json, case, score

EXACT: dict[str, Any] = {"numeric": {}}
FEE = {"numeric": {"field": "fee", "absolute": 0.1}}


@pytest.mark.parametrize("output", ["12.5", "+12.50", " 12.5\n", "012.5"])
def test_plain_decimal_notation_is_read(output: str) -> None:
    assert score(EXACT, answer(output), case(output=12.5)).passed is True


@pytest.mark.parametrize(
    "output",
    ["1,200.50", "1.200,50", "1 200.50", "1_200.50", "12005e-1", "£1200.50", "1200.50 GBP", ".5",
     "1200.", "0x4b0", "１２００.５", "--1", "", "twelve", "1" * 101],
)  # fmt: skip
def test_any_other_notation_is_no_number(output: str) -> None:
    found = score(EXACT, answer(output), case(output=1200.5))
    assert (found.state, found.passed) == ("scored", False)
    assert "is not a number in plain decimal notation" in found.message


@pytest.mark.parametrize("output", ["NaN", "nan", "inf", "-Infinity", "1e999"])
def test_what_is_not_finite_never_passes(output: str) -> None:
    wide = {"numeric": {"absolute": 1e308, "relative": 1e308}}
    assert score(wide, answer(output), case(output=1)).passed is False


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_fails_as_found_and_is_an_error_as_expected(
    number: float,
) -> None:
    found = score(FEE, answer("{}", parsed={"fee": number}), case(fee=1))
    assert found.passed is False
    assert "which is not a finite number" in found.message
    expecting = score(FEE, answer_json({"fee": 1}), case(fee=number))
    assert (expecting.state, expecting.passed) == ("error", None)


def test_the_bounds_of_a_tolerance_belong_to_it_as_written_in_decimal() -> None:
    """1.3 - 1.2 is more than 0.1 in binary, and 0.1 as people write it."""
    assert 1.3 - 1.2 > 0.1
    assert score(FEE, answer_json({"fee": 1.3}), case(fee=1.2)).passed is True
    assert score(FEE, answer_json({"fee": 1.3000001}), case(fee=1.2)).passed is False
    assert score(FEE, answer_json({"fee": 1.1}), case(fee=1.2)).passed is True


def test_a_relative_tolerance_is_a_share_of_the_expected_number() -> None:
    entry = {"numeric": {"field": "n", "relative": 0.1}}
    assert score(entry, answer_json({"n": 110}), case(n=100)).passed is True
    assert score(entry, answer_json({"n": 111}), case(n=100)).passed is False
    assert score(entry, answer_json({"n": -90}), case(n=-100)).passed is True
    assert score(entry, answer_json({"n": 0.001}), case(n=0)).passed is False


def test_the_wider_of_two_tolerances_counts() -> None:
    entry = {"numeric": {"field": "n", "absolute": 5, "relative": 0.01}}
    assert score(entry, answer_json({"n": 105}), case(n=100)).passed is True
    assert score(entry, answer_json({"n": 1009}), case(n=1000)).passed is True


def test_without_a_tolerance_numbers_have_to_be_equal() -> None:
    assert score(EXACT, answer("0.30000000000000004"), case(output=0.3)).passed is False
    assert score(EXACT, answer("9007199254740993"), case(output=2**53)).passed is False
    assert score(EXACT, answer("7.0"), case(output=7)).passed is True


@pytest.mark.parametrize("value", [True, None, [1], {"n": 1}, "1e0"])
def test_a_field_that_is_no_number_fails(value: Any) -> None:
    found = score(FEE, answer_json({"fee": value}), case(fee=1))
    assert (found.state, found.passed) == ("scored", False)


def test_a_field_that_is_missing_fails() -> None:
    assert "found nothing" in score(FEE, answer_json({}), case(fee=1)).message
    assert "found no JSON" in score(FEE, answer("1"), case(fee=1)).message


def test_where_null_is_expected_only_null_passes() -> None:
    assert score(FEE, answer_json({"fee": None}), case(fee=None)).passed is True
    assert score(FEE, answer_json({"fee": 0}), case(fee=None)).passed is False
    assert score(FEE, answer_json({}), case(fee=None)).passed is False


@pytest.mark.parametrize("wanted", ["a dozen", True, [1], {}])
def test_a_case_that_expects_no_number_is_an_error(wanted: Any) -> None:
    found = score(EXACT, answer("1"), case(output=wanted))
    assert (found.state, found.passed) == ("error", None)


def test_a_case_without_the_key_is_not_applicable() -> None:
    assert score(FEE, answer("1"), case(output=1)).state == "not_applicable"


def test_the_message_names_tolerance_and_both_numbers() -> None:
    found = score(FEE, answer_json({"fee": 9}), case(fee=1))
    assert found.message == "fee: expected 1 within 0.1, found 9"


def test_an_integer_too_large_to_print_is_compared_all_the_same() -> None:
    huge = 10**5000
    assert score(FEE, answer("{}", parsed={"fee": huge}), case(fee=huge)).passed is True
    assert score(FEE, answer("{}", parsed={"fee": huge}), case(fee=1)).passed is False


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4).filter(lambda d: abs(d) < 1e60))
def test_a_number_is_read_exactly_as_it_is_written(number: Any) -> None:
    assert read_number(f"{number:f}") == Fraction(number)


@given(st.text(max_size=12))
def test_no_text_but_a_number_is_read_as_one(text: str) -> None:
    try:
        number = read_number(text)
    except ValueError:
        return
    assert Fraction(text.strip()) == number
    assert set(text.strip()) <= set("+-.0123456789")
