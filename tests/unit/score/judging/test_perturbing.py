"""Perturbations change the judged text, always alike, and nothing else."""

import pytest

from evalkit.records.judgment import Subject
from evalkit.score.judging.perturbing import change_input, change_output, pad


def subject(output: object) -> Subject:
    return Subject(input={"subject": "Hi", "body": "It broke again."}, output=output)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("All good.", "All good."),
        ({"intent": "refund", "reply": "We look into it."}, "We look into it."),
        ({"a": ["short", {"b": "the longest one"}], "n": 7}, "the longest one"),
        ({"first": "same", "second": "size"}, "same"),
        ({"n": 7, "ok": True, "none": None}, None),
        ("", None),
        ([], None),
    ],
)
def test_the_longest_text_is_what_is_changed(output: object, text: str | None) -> None:
    seen: list[str] = []

    def look(found: str) -> str:
        seen.append(found)
        return found

    assert change_output(subject(output), look) == subject(output)
    assert seen == ([] if text is None else [text])


def test_only_the_judged_text_changes() -> None:
    output = {"intent": "refund", "parts": [{"reply": "We look into it."}, 7]}
    before = subject(output)
    after = change_output(before, str.upper)
    assert after.output == {"intent": "refund", "parts": [{"reply": "WE LOOK INTO IT."}, 7]}
    assert after.input == before.input
    assert output == {"intent": "refund", "parts": [{"reply": "We look into it."}, 7]}
    assert change_input(before, str.upper).input == {"subject": "Hi", "body": "IT BROKE AGAIN."}
    assert change_input(before, str.upper).output == output


@pytest.mark.parametrize("output", [{"n": 7}, None, 3, ""])
def test_an_output_without_text_stays_as_it_is(output: object) -> None:
    assert pad(subject(output)) == subject(output)


@pytest.mark.parametrize(
    ("text", "padded"),
    [
        ("It works. Try now!", "It works. Try now!\n\nIt works. Try now!"),
        ("yes", "yes\n\nyes"),
        ("Es geht.\nBitte prüfen.\n", "Es geht.\nBitte prüfen.\n\nEs geht. Bitte prüfen."),
        ("好的。请稍等。", "好的。请稍等。\n\n好的。请稍等。"),
        ("   ", "   "),
    ],
)
def test_padding_says_its_own_sentences_again(text: str, padded: str) -> None:
    assert pad(subject({"reply": text})).output == {"reply": padded}


def test_padding_adds_no_word_and_no_chance() -> None:
    text = 'She asked: "Does it work?" Version 2.5 does. Nothing else (yet).'
    once, again = (pad(subject(text)).output for _ in range(2))
    assert once == again
    assert set(once.split()) == set(text.split())
