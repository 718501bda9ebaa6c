"""JSON that models write: one text, one value."""

import msgspec
import pytest

from evalkit.records.json_text import decode_json


@pytest.mark.parametrize("text", ['{"a": 1}', "[1, 2]", "null", '"{"', '[{"a": 1}, {"a": 2}]', "7"])
def test_a_text_has_its_value(text: str) -> None:
    assert decode_json(text) == msgspec.json.decode(text)


@pytest.mark.parametrize(
    "text",
    ['{"a": 2, "a": 1}', '{"b": {"a": 1, "a": 1}}', '[{"a": 1, "\\u0061": 2}]'],
)
def test_a_key_that_stands_twice_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError, match="stands twice"):
        decode_json(text)


@pytest.mark.parametrize("text", ["NaN", "{'a': 1}", '{"a": 1} and more', '{"a": 1}{"a": 1}', ""])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_json(text)


def test_a_number_of_any_length_is_no_trouble_to_the_keys() -> None:
    assert list(decode_json('{"a": 1' + "0" * 400 + "}")) == ["a"]


def test_nesting_without_end_is_told_and_does_not_crash() -> None:
    with pytest.raises(RecursionError):
        decode_json('{"a":' * 100_000 + "1" + "}" * 100_000)
