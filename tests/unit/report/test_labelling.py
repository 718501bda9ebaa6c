"""The labelling screen: readable, narrow if need be, and nothing in it is obeyed."""

from evalkit.records.asset import RubricAnchor, RubricScale
from evalkit.records.case import Document
from evalkit.records.judgment import Subject
from evalkit.report.labelling import (
    ItemView,
    disagreements_text,
    imported_text,
    question_of,
    render_end,
    render_guideline,
    render_item,
    session_text,
)
from evalkit.report.screen import Screen
from tests.labelled import item, label, rubric

PLAIN = Screen(width=80)


def view(output: object, **changes: object) -> ItemView:
    subject = {"input": {"subject": "Refund"}, "output": output} | dict(
        changes.pop("subject", {})  # type: ignore[call-overload]
    )
    return ItemView(
        **{
            "rubric": "tone@v1",
            "number": 3,
            "total": 40,
            "labelled": 2,
            "subject": Subject(**subject),
            "passes": "A colleague would send it.",
            "fails": "Nobody would.",
        }
        | changes
    )


def text_of(shown: ItemView, screen: Screen = PLAIN) -> str:
    panel = render_item(shown, screen)
    return "\n".join([*panel.head, *panel.body, *panel.foot])


def test_an_output_is_shown_with_what_it_answers_and_the_keys() -> None:
    subject = {
        "reference": "We pay within 30 days.",
        "documents": (Document(id="policy", index="help", text="Refunds take 30 days."),),
    }
    text = text_of(view({"reply": "Soon.", "tags": ["a"]}, subject=subject, note="mild"))
    for part in (
        "tone@v1  3 of 40, 2 labelled",
        "p = A colleague would send it.",
        "f = Nobody would.",
        "input: subject\n  Refund",
        "document: policy\n  Refunds take 30 days.",
        "reference\n  We pay within 30 days.",
        'OUTPUT\n  reply\n    Soon.\n  tags\n    ["a"]',
        "note mild",
        "p pass  f fail  s skip  u undo  n note  ? guideline  q quit",
    ):
        assert part in text


def test_what_a_model_wrote_cannot_act_on_the_terminal() -> None:
    evil = "fine\x1b[2J\x1b]0;title\x07\u202egnihton\r\x9b31m"
    text = text_of(view({evil: evil}, subject={"input": {evil: evil}}, note=evil, message=evil))
    assert not any(character in text for character in "\x1b\x07\u202e\r\x9b")
    assert "\\x1b[2J" in text
    panel = render_guideline(rubric(), evil, PLAIN)
    assert "\x1b" not in "\n".join(panel.body)
    assert "\x1b" not in disagreements_text([item(evil, label(note=evil))], rubric(), PLAIN)


def test_narrow_and_plain_screens_hold_every_line() -> None:
    long = "word " * 100 + "ünïcödé " + "x" * 200 + " 漢字" * 60
    panel = render_item(view(long), Screen(width=40))
    lines = [*panel.head, *panel.body, *panel.foot]
    from rich.cells import cell_len

    assert max(cell_len(line) for line in lines) <= 40
    assert "\x1b" not in "\n".join(lines)
    assert "\x1b[" in "\n".join(render_item(view("a"), Screen(color=True)).head)


def test_a_pair_is_shown_side_by_number() -> None:
    pair = view("new", subject={"other": "old"})
    text = text_of(pair)
    assert text.index("OUTPUT 1\n  new") < text.index("OUTPUT 2\n  old")
    assert "1 first  2 second" in text and "p = " not in text
    swapped = text_of(view("new", subject={"other": "old"}, swapped=True, labels=(label(True),)))
    assert swapped.index("OUTPUT 1\n  old") < swapped.index("OUTPUT 2\n  new")
    assert "output 2 is better  Ana (person)" in swapped


def test_the_question_is_in_the_words_of_the_scale() -> None:
    assert question_of(rubric()) == ("A colleague would send it.", "Nobody.")
    graded = rubric(scale=RubricScale(kind="graded", pass_from=4.0))
    assert "from 4 on" in question_of(graded)[0]
    checklist = RubricScale(kind="checklist", items={"a": "Kind?"}, rule="at_least", at_least=2)
    assert "2 at least" in question_of(rubric(scale=checklist))[0]
    assert "Kind?" in "\n".join(render_guideline(rubric(scale=checklist), None, PLAIN).body)


def test_without_a_guideline_the_rubric_speaks_for_itself() -> None:
    anchors = (RubricAnchor(text="Sure thing.", verdict="pass", why="Warm."),)
    body = "\n".join(render_guideline(rubric(anchors=anchors), None, PLAIN).body)
    for part in (
        "Pass: A colleague",
        "Fail: Nobody.",
        "1.  Kind: no blame.",
        "Sure thing.",
        "Warm.",
    ):
        assert part in body


def test_disagreements_are_listed_with_both_sides() -> None:
    items = [item("a " * 200, label(note="warm"), label(False, "Bo", note="curt"))]
    text = disagreements_text(items, rubric(), PLAIN)
    assert "labels differ on 1 output" in text
    assert "pass  Ana (person): warm" in text and "fail  Bo (person): curt" in text
    assert "more characters" in text
    assert "evalkit judge label tone@v1 --adjudicate" in text
    assert disagreements_text([], rubric(), PLAIN) == "tone@v1: no labels differ.\n"


def test_labels_that_no_person_made_are_never_called_a_persons() -> None:
    told = session_text("tone@v1", [label(), label(False, by="model")], left=3)
    assert told == (
        "tone@v1: 1 label made by people, 1 label made by a model (1 pass, 1 fail); 3 outputs left"
    )
    only = session_text("tone@v1", [label(by="rule")], left=0)
    assert "people" not in only and "made by a rule" in only and "nothing is left" in only
    assert session_text("tone@v1", [], left=1) == "tone@v1: nothing was labelled; 1 output left"


def test_an_import_says_what_came_of_each_row() -> None:
    text = imported_text(
        "l.jsonl", rows=9, new=5, by={"person": 6, "model": 1}, known=1, unlabelled=2, disputed=1
    )
    assert text == (
        "l.jsonl: 9 rows read, 5 new outputs; 6 labels made by people, 1 label made by a model; "
        "there already: 1 label; 2 outputs without a label yet; labels differ on 1 output: "
        "--disagreements lists them"
    )


def test_the_last_output_is_not_the_last_word() -> None:
    panel = render_end(12, PLAIN)
    assert panel.head == ("That was the last of 12 outputs.",)
    assert "u undo" in panel.foot[0]
