"""Equality with what the case expects."""

from typing import Any

import pytest

from evalkit.records.call import ToolCall
from tests.unit.score.samples import answer, answer_json, case, score

FIELDS = {"exact": {"fields": ["intent", "priority"]}}
OUTPUT: dict[str, Any] = {"exact": {}}


def test_equal_fields_pass_whatever_else_the_reply_holds() -> None:
    found = score(
        FIELDS,
        answer_json({"intent": "hours", "priority": 2, "reply": "We open at ten."}),
        case(intent="hours", priority=2),
    )
    assert (found.state, found.passed) == ("scored", True)


def test_a_field_of_another_type_fails_and_the_message_shows_both() -> None:
    found = score(FIELDS, answer_json({"intent": "hours", "priority": "2"}),
                  case(intent="hours", priority=2))  # fmt: skip
    assert found.passed is False
    assert found.message == 'priority: expected 2, found "2"'
    assert (found.expected, found.found) == ({"priority": 2}, {"priority": "2"})


def test_a_field_that_the_reply_lacks_is_not_null() -> None:
    found = score(FIELDS, answer_json({"intent": "hours"}), case(intent="hours", priority=None))
    assert found.passed is False
    assert "found nothing" in found.message


def test_a_case_is_held_to_the_fields_it_labels() -> None:
    right = answer_json({"intent": "hours", "priority": 9})
    assert score(FIELDS, right, case(intent="hours")).passed is True
    assert score(FIELDS, right, case(intent="loans")).passed is False


def test_a_case_that_labels_no_field_is_not_applicable() -> None:
    found = score(FIELDS, answer_json({"intent": "hours"}), case(output="hours"))
    assert (found.state, found.passed) == ("not_applicable", None)


def test_fields_inside_fields_are_compared_and_named() -> None:
    found = score(
        {"exact": {"fields": ["fields"]}},
        answer_json({"fields": {"card": "B-2", "due": None}}),
        case(fields={"card": "B-1", "due": None}),
    )
    assert found.message == 'fields.card: expected "B-1", found "B-2"'


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("We open at ten.", "found no JSON"),
        ('["hours"]', "found no JSON object"),
        ("null", "found no JSON object"),
        ('{"intent": NaN}', "found no JSON"),
        ("[" * 100_000, "found no JSON"),
        ("", "found no JSON"),
    ],
)
def test_a_reply_that_is_no_json_object_fails_fields(output: str, reason: str) -> None:
    found = score(FIELDS, answer(output), case(intent="hours"))
    assert found.passed is False
    assert reason in found.message


def test_a_text_prompt_that_gets_json_is_read_as_json() -> None:
    assert score(FIELDS, answer('{"intent": "hours"}'), case(intent="hours")).passed is True


def test_a_reply_of_tool_calls_alone_says_so() -> None:
    calls = (ToolCall(name="look_up", arguments={}),)
    found = score(FIELDS, answer("", tool_calls=calls), case(intent="hours"))
    assert "found tool calls and no text" in found.message


@pytest.mark.parametrize("output", ["Hours", "hours\n", " hours", '"hours"', "hours."])
def test_the_whole_output_is_compared_character_by_character(output: str) -> None:
    found = score(OUTPUT, answer(output), case(output="hours"))
    assert found.passed is False
    assert found.found == output


def test_an_equal_output_passes() -> None:
    assert score(OUTPUT, answer("hours"), case(output="hours")).passed is True


def test_spelling_counts_unless_the_suite_says_otherwise() -> None:
    loose = {"exact": {"normalise": ["strip", "casefold"]}}
    assert score(OUTPUT, answer(" Hours\n"), case(output="hours")).passed is False
    assert score(loose, answer(" Hours\n"), case(output="hours")).passed is True
    assert score(loose, answer("Hour s"), case(output="hours")).passed is False


def test_normalisation_of_fields_reaches_texts_only() -> None:
    loose = {"exact": {"fields": ["intent", "priority"], "normalise": ["casefold"]}}
    assert score(loose, answer_json({"intent": "HOURS"}), case(intent="hours")).passed is True
    assert score(loose, answer_json({"priority": True}), case(priority="true")).passed is False


def test_an_expected_output_that_is_no_text_is_compared_as_json() -> None:
    wanted = case(output={"n": 1, "of": [True]})
    assert score(OUTPUT, answer('{"of": [true], "n": 1.0}'), wanted).passed is True
    assert score(OUTPUT, answer('{"of": [1], "n": 1}'), wanted).passed is False
    assert score(OUTPUT, answer("1"), case(output=1)).passed is True
    assert score(OUTPUT, answer("one"), case(output=1)).passed is False
    assert score(OUTPUT, answer("null"), case(output=None)).passed is True


def test_an_attempt_without_a_reply_fails_what_is_expected_of_it() -> None:
    for entry, wanted in ((OUTPUT, case(output="x")), (FIELDS, case(intent="x"))):
        found = score(entry, answer(None, state="refused", error="no\nthanks"), wanted)
        assert (found.state, found.passed) == ("scored", False)
        assert "no reply (refused: no thanks)" in found.message


def test_a_message_stays_short_however_long_the_reply_is() -> None:
    found = score(OUTPUT, answer("x" * 100_000), case(output="y" * 100_000))
    assert len(found.message) <= 200
    assert len(str(found.found)) <= 2_000
