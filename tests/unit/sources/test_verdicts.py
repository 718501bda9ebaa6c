"""Recorded verdicts: read line by line, and nothing that can be read two ways is taken."""

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, Problem
from evalkit.records.asset import RubricScale
from evalkit.records.judgment import RecordedVerdict
from evalkit.sources.tree import WorkingTree
from evalkit.sources.verdicts import read_recorded_verdicts, read_verdicts
from tests.labelled import rubric

GRADED = rubric(scale=RubricScale(kind="graded", lowest=1, highest=5))


def read(
    root: Path, text: str | bytes, name: str = "v.jsonl", judged: Any = None
) -> dict[str, RecordedVerdict]:
    """The verdicts in a file with this text."""
    (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return dict(read_verdicts(WorkingTree(root), name, judged or rubric()))


def problems(root: Path, text: str | bytes, **more: Any) -> list[Problem]:
    """What is wrong with such a file."""
    with pytest.raises(ConfigError) as raised:
        read(root, text, **more)
    return list(raised.value.problems)


def problem(root: Path, text: str | bytes, **more: Any) -> Problem:
    """The one thing that is."""
    (found,) = problems(root, text, **more)
    return found


def line(**row: Any) -> str:
    """A line of JSON."""
    return json.dumps({"id": "a", **row}) + "\n"


@pytest.mark.parametrize("value", ["pass", "Pass ", "TRUE", "1", True, 1])
def test_a_verdict_of_pass_has_several_spellings(tmp_path: Path, value: Any) -> None:
    assert read(tmp_path, line(verdict=value)) == {"a": RecordedVerdict(passed=True)}


@pytest.mark.parametrize("value", ["fail", " FAIL", "false", "0", False, 0])
def test_and_so_has_one_of_fail(tmp_path: Path, value: Any) -> None:
    assert read(tmp_path, line(verdict=value)) == {"a": RecordedVerdict(passed=False)}


@pytest.mark.parametrize("value", ["", " ", "unsure", "Abstained", "none", "null", None])
def test_without_a_verdict_the_judge_abstained(tmp_path: Path, value: Any) -> None:
    assert read(tmp_path, line(verdict=value))["a"].state == "abstained"
    assert read(tmp_path, line(score=value), judged=GRADED)["a"].state == "abstained"


@pytest.mark.parametrize("value", ["maybe", "yes", "passed", 2, 0.5, [True], {}, "pass fail"])
def test_what_is_no_verdict_is_refused_at_its_line(tmp_path: Path, value: Any) -> None:
    found = problem(tmp_path, line(verdict="pass", id="b") + line(verdict=value))
    assert (found.file, found.line, found.key) == ("v.jsonl", 2, "verdict")
    assert found.expected == "pass, fail, or unsure"


@pytest.mark.parametrize(("value", "score"), [(1, 1.0), (5, 5.0), (3.5, 3.5), ("4", 4.0)])
def test_a_graded_rubric_takes_scores(tmp_path: Path, value: Any, score: float) -> None:
    assert read(tmp_path, line(score=value), judged=GRADED) == {"a": RecordedVerdict(score=score)}


@pytest.mark.parametrize("value", [0.9, 5.1, -1, "nan", "inf", "five", True, [3], {}, 10**400])
def test_a_score_off_the_scale_is_refused(tmp_path: Path, value: Any) -> None:
    found = problem(tmp_path, line(score=value), judged=GRADED)
    assert (found.key, found.expected) == ("score", "1 to 5")


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused(tmp_path: Path, literal: str) -> None:
    found = problem(tmp_path, f'{{"id": "a", "score": {literal}}}\n', judged=GRADED)
    assert found.line == 1


def test_a_rubric_is_judged_by_its_own_kind_of_verdict(tmp_path: Path) -> None:
    assert "judged by a verdict" in problem(tmp_path, line(score=3)).message
    found = problem(tmp_path, line(verdict="pass"), judged=GRADED)
    assert "tone@v1 is judged by a score" in found.message


def test_both_may_stand_there_and_the_other_one_is_not_read(tmp_path: Path) -> None:
    text = line(verdict="pass", score=2)
    assert read(tmp_path, text) == {"a": RecordedVerdict(passed=True)}
    assert read(tmp_path, text, judged=GRADED) == {"a": RecordedVerdict(score=2.0)}


def test_a_reason_is_kept(tmp_path: Path) -> None:
    found = read(tmp_path, line(verdict="pass", reason="It\u2028thanks."))
    assert found["a"].reason == "It\u2028thanks."
    assert problem(tmp_path, line(verdict="pass", reason=3)).key == "reason"


def test_a_line_separator_of_unicode_ends_no_line(tmp_path: Path) -> None:
    rows = [{"id": str(n), "verdict": "pass", "reason": "a\u2028b\x85c"} for n in range(3)]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    assert len(read(tmp_path, text)) == 3
    found = problem(tmp_path, text + line(verdict="maybe"))
    assert found.line == 4


@pytest.mark.parametrize("id_", ["", "  ", None, 7, ["a"]])
def test_an_id_names_an_output(tmp_path: Path, id_: Any) -> None:
    assert problem(tmp_path, line(id=id_, verdict="pass")).key == "id"


def test_spaces_around_an_id_do_not_count(tmp_path: Path) -> None:
    assert list(read(tmp_path, line(id=" a ", verdict="pass"))) == ["a"]


def test_an_id_may_stand_twice_if_it_says_the_same(tmp_path: Path) -> None:
    assert len(read(tmp_path, line(verdict="pass") + line(verdict="1"))) == 1
    found = problem(tmp_path, line(verdict="pass") + line(verdict="fail"))
    assert (found.line, found.key) == (2, "id")
    assert "a second time with another verdict" in found.message


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "a", "verdict": "pass", "verdict": "fail"}',
        '{"id": "a", "id": "b", "verdict": "pass"}',
        '{"id": "a", "verdict": "pass"',
        '{"id": "a"} {"verdict": "pass"}',
        "{'id': 'a'}",
        "[" * 5000,
        "pass",
    ],
)
def test_a_line_that_is_no_json_or_has_a_key_twice_is_refused(tmp_path: Path, text: str) -> None:
    found = problem(tmp_path, f"\n{text}\n")
    assert (found.line, found.message) == (2, "is no JSON, or has a key twice")


@pytest.mark.parametrize("text", ["[]", '"a"', "null", "3"])
def test_a_line_that_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    assert problem(tmp_path, text).message == "is no object"


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    found = problem(tmp_path, line(verdict="pass", verdikt="fail"))
    assert (found.key, found.message) == ("verdikt", "unknown key")


def test_a_missing_verdict_is_refused(tmp_path: Path) -> None:
    assert "is missing" in problem(tmp_path, line()).message


def test_every_bad_line_is_named_up_to_twenty(tmp_path: Path) -> None:
    found = problems(tmp_path, "".join(line(id=str(n), verdict="?") for n in range(25)))
    assert [each.line for each in found[:20]] == list(range(1, 21))
    assert found[20].message == "and 5 more lines"
    assert len(problems(tmp_path, "x\n" * 20)) == 20


@pytest.mark.parametrize("text", ["", "\n \n", b"\xef\xbb\xbf\n"])
def test_a_file_without_a_verdict_is_refused(tmp_path: Path, text: str | bytes) -> None:
    assert problem(tmp_path, text).message == "holds no verdict"


def test_a_file_that_is_not_there_or_not_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.jsonl: is not there"):
        read_verdicts(WorkingTree(tmp_path), "gone.jsonl", rubric())
    assert "is not UTF-8" in problem(tmp_path, b'{"id": "\xff"}').message


def test_a_byte_order_mark_and_line_ends_of_windows_are_fine(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + line(verdict="pass").replace("\n", "\r\n").encode()
    assert list(read(tmp_path, text)) == ["a"]
    table = b"\xef\xbb\xbfid,verdict\r\na,pass\r\n"
    assert list(read(tmp_path, table, name="v.CSV")) == ["a"]


def csv(root: Path, text: str, **more: Any) -> Any:
    """The verdicts of a table."""
    return read(root, text, name="v.csv", **more)


def test_a_table_has_a_header(tmp_path: Path) -> None:
    found = csv(tmp_path, 'reason,id,verdict\n"So, it\nis.",a,pass\n,b,\n')
    assert found == {
        "a": RecordedVerdict(passed=True, reason="So, it\nis."),
        "b": RecordedVerdict(state="abstained"),
    }
    assert csv(tmp_path, "id,score\na,4.5\n", judged=GRADED) == {"a": RecordedVerdict(score=4.5)}


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("id,verdict\na\n", 2, "not as many fields"),
        ("id,verdict\na,pass,fail\n", 2, "not as many fields"),
        ("id,verdict,verdict\na,pass,fail\n", 1, "is a column twice"),
        ("id,verdict\n\na,maybe\n", 3, "is none"),
        ("id,verdikt\na,pass\n", 2, "unknown key"),
        ("id\na\n", 2, "is missing"),
        ('id,verdict\n"a"b,pass\n', 2, "is no CSV"),
        ('id,verdict\n"a,pass\n', 2, "is no CSV"),
        ("id,verdict\na," + "x" * 200_000 + "\n", 2, "is no CSV"),
    ],
)
def test_a_table_that_is_not_one_is_refused_at_its_line(
    tmp_path: Path, text: str, at: int, words: str
) -> None:
    found = problems(tmp_path, text, name="v.csv")[0]
    assert found.line == at
    assert words in found.message


@pytest.mark.parametrize("text", ["", "id,verdict\n"])
def test_a_table_without_a_row_is_refused(tmp_path: Path, text: str) -> None:
    assert problem(tmp_path, text, name="v.csv").message == "holds no verdict"


def test_a_rubrics_own_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "said.jsonl").write_text(line(verdict="pass"))
    recorded = rubric(recorded="said.jsonl", recorded_by="a model")
    assert list(read_recorded_verdicts(WorkingTree(tmp_path), recorded)) == ["a"]
    with pytest.raises(ValueError, match="nothing is recorded"):
        read_recorded_verdicts(WorkingTree(tmp_path), rubric())
