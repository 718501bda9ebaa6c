"""Labels of CSV and JSON Lines files: every row of a file, or none."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.errors import ConfigError
from evalkit.records.judgment import Subject
from evalkit.records.label import LabelledItem
from evalkit.records.subject import subject_id
from evalkit.sources.labels import read_labels
from evalkit.sources.tree import WorkingTree
from evalkit.store.labels import rubric_labels
from evalkit.workflows.judges.import_rows import RowDefaults
from evalkit.workflows.judges.importing import Imported, import_labels
from evalkit.workflows.judges.sampling import part_of
from tests.labelled import item, label, rubric

PATH = "rubrics/tone/v1.labels.jsonl"
ANA = RowDefaults(labeller="Ana", by="person", at="2026-05-04")


def import_text(
    root: Path,
    text: str,
    *,
    name: str = "in.csv",
    defaults: RowDefaults = ANA,
    **changes: Any,
) -> Imported:
    file = root / name
    file.write_text(text, encoding="utf-8")
    return import_labels(root, rubric(**changes), file, defaults)


def stored(root: Path, **changes: Any) -> tuple[LabelledItem, ...]:
    return read_labels(WorkingTree(root), rubric(**changes))


def test_a_table_becomes_items_with_labels(tmp_path: Path) -> None:
    text = (
        "output,input.subject,label,labeller,by,note,part,weight,model\n"
        '"{""reply"": ""Sure""}",Refund,pass,Bo,model,kind,tuning,2.5,tiny\n'
        "Read the manual,Login,no,,,,,,\n"
    )
    found = import_text(tmp_path, text)
    one, two = stored(tmp_path)
    assert one.subject == Subject(input={"subject": "Refund"}, output={"reply": "Sure"})
    assert (one.part, one.weight, one.source) == ("tuning", 2.5, {"model": "tiny"})
    assert one.labels == (label(labeller="Bo", by="model", note="kind"),)
    assert two.labels == (label(False),)
    assert (two.part, two.weight) == (part_of(two.id), 1.0)
    assert two.id == subject_id(two.subject)
    assert (found.rows, found.new, found.labels) == (2, 2, 2)
    assert found.by == {"model": 1, "person": 1}


def test_json_lines_bring_structures_and_documents(tmp_path: Path) -> None:
    row = {
        "output": {"reply": "Sure"},
        "input": {"subject": "Refund", "lines": [1, 2]},
        "documents": [{"id": "d1", "index": "policy", "text": "30 days"}],
        "reference": "Sure",
        "label": 1,
        "second_label": False,
        "second_labeller": "Bo",
    }
    import_text(tmp_path, json.dumps(row) + "\n\n", name="in.jsonl")
    (found,) = stored(tmp_path)
    assert found.subject.input == row["input"] and found.subject.documents[0].text == "30 days"
    assert [(each.labeller, each.passed) for each in found.labels] == [("Ana", True), ("Bo", False)]
    assert found.disputed


@pytest.mark.parametrize("word", ["pass", "PASSED", " yes ", "1", "true"])
def test_a_pass_has_many_words(tmp_path: Path, word: str) -> None:
    import_text(tmp_path, f"output,label\na,{word}\n")
    assert stored(tmp_path)[0].truth is True


def test_outputs_without_labels_wait_for_the_screen(tmp_path: Path) -> None:
    found = import_text(tmp_path, "output,input\na,hello\n", defaults=RowDefaults())
    assert stored(tmp_path)[0].labels == ()
    assert stored(tmp_path)[0].subject.input == {"text": "hello"}
    assert (found.labels, found.unlabelled) == (0, 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("output,label\na,pass\nb,maybe\n", r"in.csv:3: label: wrong value \(found \"maybe\"\)"),
        ("output,label\na,pass\n ,pass\n", r"in.csv:3: output: is empty"),
        ("output,label,part\na,pass,train\n", r"in.csv:2: part: .*tuning or test"),
        ("output,label,weight\na,pass,0\n", r"in.csv:2: weight: .*above 0"),
        ("output,label,weight\na,pass,nan\n", r"in.csv:2: weight: .*above 0"),
        ("output,label,at\na,pass,today\n", r"in.csv:2: at: is no day"),
        ("output,label,by\na,pass,robot\n", r"in.csv:2: by: .*person, model or rule"),
        ("output,label,other\na,pass,b\n", r"in.csv:2: other: is one too many"),
        ("output,second_label,second_labeller\na,pass,Bo\n", r"second_label: is there without"),
        ("output,label,second_label\na,pass,fail\n", r"second_labeller: nobody is named"),
        (
            "output,label,second_label,second_labeller\na,1,1,Ana\n",
            r"second_labeller: is the first labeller too",
        ),
        ("output,lable\na,pass\n", r"in.csv:1: lable: unknown column.*did you mean 'label'"),
        ("output,output\na,b\n", r"in.csv:1: output: the column is there twice"),
        ("label\npass\n", r"in.csv:1: output: the column is missing"),
        ("output,label\na,pass,more\n", r"in.csv:2: the number of fields"),
        ('output,label\n"a,pass\n', r"is not CSV"),
        ("output,label\n", r"in.csv:1: holds no row"),
        ("", r"in.csv:1: output: the column is missing"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        import_text(tmp_path, text)
    assert not (tmp_path / PATH).exists()


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    text = 'output,label\n"two\nlines",good\nb,pass\nc,bad\n'
    with pytest.raises(ConfigError) as raised:
        import_text(tmp_path, text)
    assert [each.line for each in raised.value.problems] == [2, 5]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"output": "a", "label": "pass", "label": "fail"}', r"2: .*stands here twice"),
        ('{"output": "a", "outptu": 1}', r"2: outptu: unknown column"),
        ("[1]", r"2: is no object"),
        ('{"output": "a", "documents": [{"id": "x"}]}', r"2: documents: wrong value"),
        ('{"output": "a", "input": 3}', r"2: input: wrong value"),
        ('{"output": "a", "reference": 3}', r"2: reference: wrong value"),
        ('{"subject": {"input": {}}}', r"2: is no labelled item"),
    ],
)
def test_a_bad_json_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        import_text(tmp_path, '{"output": "fine"}\n' + line + "\n", name="in.jsonl")
    assert not (tmp_path / PATH).exists()


def test_a_label_that_nobody_signs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        import_text(tmp_path, "output,label\na,pass\n", defaults=RowDefaults(at="2026-05-04"))
    told = str(raised.value)
    assert "labeller: nobody is named" in told and "--by" in told


def test_rows_about_one_output_are_one_item_with_further_labels(tmp_path: Path) -> None:
    text = "output,label,labeller\nsame,pass,Ana\n same ,fail,Bo\nsame,pass,Ana\n"
    found = import_text(tmp_path, text)
    (kept,) = stored(tmp_path)
    assert [each.labeller for each in kept.labels] == ["Ana", "Bo"]
    assert (found.rows, found.new, found.labels, found.known, found.disputed) == (3, 1, 2, 1, 1)


def test_what_is_labelled_already_gets_further_labels_and_keeps_the_rest(tmp_path: Path) -> None:
    file = rubric_labels(tmp_path, PATH)
    subject = Subject(input={}, output="same")
    known = item(
        "same", label(), id=subject_id(subject), subject=subject, part="tuning", weight=3.0
    )
    file.put([known, item("other", label())])
    import_text(tmp_path, "output,label,labeller\nsame,pass,Bo\nnew,fail,Bo\n")
    one, two, three = stored(tmp_path)
    assert [each.labeller for each in one.labels] == ["Ana", "Bo"]
    assert (one.part, one.weight) == ("tuning", 3.0)
    assert two == item("other", label()) and three.subject.output == "new"
    again = import_text(tmp_path, "output,label,labeller\nsame,pass,Bo\n")
    assert (again.labels, again.known) == (0, 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("output,label\na,pass\na,fail\n", r":3: label: Ana says fail here, and pass .* in line 2"),
        ("output,label,part\na,1,test\na,1,tuning\n", r":3: part: .*the part test in line 2"),
        ("output,label,weight\na,1,2\na,1,3\n", r":3: weight: .*the weight 2 in line 2"),
        ("output,label\nkept,fail\n", r":2: label: Ana says fail .* in the label file"),
    ],
)
def test_rows_that_contradict_are_refused(tmp_path: Path, text: str, says: str) -> None:
    import_text(tmp_path, "output,label\nkept,pass\n", name="first.csv")
    before = (tmp_path / PATH).read_bytes()
    with pytest.raises(ConfigError, match=says):
        import_text(tmp_path, text)
    assert (tmp_path / PATH).read_bytes() == before


def test_lines_of_another_label_file_are_taken_as_they_are(tmp_path: Path) -> None:
    theirs = item("a", label(labeller="Bo"), label(False, "Cy"), part="tuning", weight=4.0)
    text = msgspec.json.encode(theirs).decode() + "\n"
    import_text(tmp_path, text, name="theirs.jsonl")
    assert stored(tmp_path) == (theirs,)
    with pytest.raises(ConfigError, match=r"the id is not that of the subject"):
        import_text(tmp_path, text.replace(theirs.id, "0" * 16), name="forged.jsonl")


def test_a_pair_needs_its_other_output(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r":3: other: is missing"):
        import_text(tmp_path, "output,other,label\na,b,pass\nc,,pass\n", compare="pair")
    import_text(tmp_path, "output,other,label\na,b,pass\n", compare="pair")
    assert stored(tmp_path, compare="pair")[0].subject.other == "b"


def test_a_rubric_with_references_refuses_rows_without(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r":2: reference: is missing, and tone@v1 needs one"):
        import_text(tmp_path, "output,label\na,pass\n", reference="required")


def test_a_long_output_of_a_table_is_read(tmp_path: Path) -> None:
    import_text(tmp_path, f"output,label\n{'long ' * 60_000},pass\n")
    assert len(stored(tmp_path)[0].subject.output) > 200_000


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.csv: cannot be read"):
        import_labels(tmp_path, rubric(), tmp_path / "none.csv", ANA)
