"""Result files with a row a result, and how the forms of result files are told apart."""

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError
from evalkit.sources.results import read_results

DATA = Path(__file__).parents[2] / "data/results"
GOOD = '{"case": "a", "passed": true}\n'


def read(tmp_path: Path, content: str | bytes, name: str = "results.jsonl") -> Any:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_results(path)


def refusal(tmp_path: Path, content: str | bytes, name: str = "results.jsonl") -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, content, name)
    text = str(caught.value)
    assert text.startswith(str(tmp_path / name))
    return text.replace(str(tmp_path / name), name)


def problems(tmp_path: Path, line: str) -> list[str]:
    (tmp_path / "results.jsonl").write_text(GOOD + line + "\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_results(tmp_path / "results.jsonl")
    assert all(problem.line == 2 for problem in caught.value.problems)
    return [problem.message for problem in caught.value.problems]


def test_a_result_that_says_pass_and_fail_is_refused(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, '{"case": "b", "passed": false, "passed": true}')
    assert "the key stands here twice" in message


@pytest.mark.parametrize("key", ["cost_usd", "tokens", "latency_s"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "-1", '"x"', "true", "[]"])
def test_an_amount_that_is_none_is_refused(tmp_path: Path, key: str, value: str) -> None:
    assert problems(tmp_path, f'{{"case": "b", "passed": true, "{key}": {value}}}')


@pytest.mark.parametrize("trial", ["-1", "0.5", "1e300", '"x"', "null", "true"])
def test_a_trial_that_is_no_count_is_refused(tmp_path: Path, trial: str) -> None:
    assert problems(tmp_path, f'{{"case": "b", "passed": true, "trial": {trial}}}')


@pytest.mark.parametrize("passed", ["0.5", '"maybe"', "[true]", "2", "-1"])
def test_a_score_is_no_pass_and_no_failure(tmp_path: Path, passed: str) -> None:
    assert problems(tmp_path, f'{{"case": "b", "passed": {passed}}}') == ["wrong value"]


def test_a_line_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, '{"case": "b", "passed": ' + "[" * 100_000)
    assert "JSON" in message or "nested" in message


def test_results_without_a_result_are_kept_as_unknown(tmp_path: Path) -> None:
    found = read(tmp_path, '{"case": "a", "passed": null}\n\n{"case": "b", "passed": "fail"}\n')
    assert [(each.case, each.passed) for each in found.rows] == [("a", None), ("b", False)]
    assert found.unknown == {"no result": 1}


def test_every_column_is_read(tmp_path: Path) -> None:
    text = (
        "case,passed,trial,group,tags,cost_usd,tokens,latency_s\n"
        '7,yes,0,g,"a b",0.5,12,1.5\n7,,1,g,,,,\n'
    )
    first, second = read(tmp_path, text, "results.csv").rows
    assert (first.case, first.passed, first.trial, first.group) == ("7", True, 0, "g")
    assert (first.tags, first.cost_usd, first.tokens, first.latency_s) == (("a", "b"), 0.5, 12, 1.5)
    assert (second.passed, second.trial, second.tags, second.cost_usd) == (None, 1, (), None)


def test_what_pandas_makes_of_booleans_with_gaps_is_understood(tmp_path: Path) -> None:
    found = read(tmp_path, "case,passed\na,1.0\nb,0.0\nc,\nd,True\n", "results.csv")
    assert [row.passed for row in found.rows] == [True, False, None, True]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_byte_order_marks_and_line_ends_do_not_matter(
    tmp_path: Path, mark: bytes, end: bytes
) -> None:
    csv = mark + end.join([b"case,passed", b"a,true", b"b,false", b""])
    lines = mark + end.join([b'{"case": "a", "passed": 1}', b'{"case": "b", "passed": 0}'])
    for content in (csv, lines):
        found = read(tmp_path, content, "results.txt")
        assert [(row.case, row.passed) for row in found.rows] == [("a", True), ("b", False)]


def test_the_content_tells_the_form_and_not_the_name(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD, "results.csv").kind == "jsonl"
    assert read(tmp_path, GOOD, "results.json").kind == "jsonl"
    assert read(tmp_path, "case,passed\na,1\n", "results.jsonl").kind == "csv"
    assert read(tmp_path, "<testsuite><testcase name='a'/></testsuite>", "x.csv").kind == "junit"
    log = (DATA / "inspect_ai/epochs.json").read_bytes()
    assert read(tmp_path, log, "results.csv").kind == "inspect_ai"
    repeats = (DATA / "promptfoo/repeats.jsonl").read_bytes()
    assert read(tmp_path, repeats, "results.json").kind == "promptfoo"


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ("", "r.csv", "holds no result"),
        ("", "r.jsonl", "holds no result"),
        ("\n \n", "r.json", "holds no result"),
        ("case,passed\n", "r.csv", "holds no result"),
        ("case;passed\na;1\n", "r.csv", "separate fields with commas"),
        ("evalId: x\nresults:\n", "r.yaml", "let promptfoo and inspect_ai write JSON"),
        ("case,passed,case\na,1,b\n", "r.csv", "r.csv:1: 'case': is given twice"),
        ("case,passed\na,1\na,1\n", "r.csv", "given twice, first in line 2"),
        ("case,passed\n,1\n", "r.csv", "an id that is not empty"),
        ("case,passed\na\n", "r.csv", "number of fields"),
        ('case,passed\n"a,1\n', "r.csv", "is not CSV"),
        (b"case,passed\n\xff,1\n", "r.csv", "r.csv:2:1: byte 0xff is not UTF-8"),
        ("case,passed\na,1\n".encode("utf-16"), "r.csv", "is UTF-16"),
        (GOOD.encode("utf-16"), "r.jsonl", "is UTF-16"),
        ("[1, 2]", "r.json", "is JSON, but no result file"),
        ('{"a": 1}', "r.json", "is JSON, but no result file"),
        ('{"schema": "evalkit.run/1"}', "r.json", "give the run's folder instead"),
        ('{"a": ', "r.json", "is no whole JSON"),
        (GOOD + "[1]\n", "r.jsonl", "r.jsonl:2: is no object"),
        (GOOD + '{"case": "b"}\n', "r.jsonl", "r.jsonl:2: passed: is missing"),
        (GOOD + '{"case": "b", "passed": "\\ud800"}\n', "r.jsonl", "half of a surrogate pair"),
        (b"PK\x03\x04rubbish", "r.eval", "is no whole inspect_ai log"),
        ("<a/>", "r.xml", "its first element is <a>"),
    ],
)
def test_a_broken_file_is_refused_with_what_is_wrong(
    tmp_path: Path, content: str | bytes, name: str, says: str
) -> None:
    assert says in refusal(tmp_path, content, name)


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.csv"):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_results(path)


def test_thousands_of_bad_lines_are_counted_and_not_listed(tmp_path: Path) -> None:
    text = refusal(tmp_path, "case,passed\n" + "a,maybe\n" * 5000, "r.csv")
    assert len(text.splitlines()) == 21
    assert text.endswith("has 4,980 more problems like these")


def test_values_are_shown_without_what_a_terminal_obeys(tmp_path: Path) -> None:
    text = refusal(tmp_path, "case,passed\na,\x1b[2J\x9b\u202e\n", "r.csv")
    assert r"'\x1b[2j\x9b\u202e'" in text.lower()
    assert text.isprintable()
    text = refusal(tmp_path, '{"case": "a", "passed": 1, "\\u001b": 1, "\\u001b": 2}\n')
    assert "stands here twice" in text and text.isprintable()


def test_a_long_id_is_read_and_shortened_where_it_is_shown(tmp_path: Path) -> None:
    long = "x" * 100_000
    assert read(tmp_path, f"case,passed\n{long},1\n", "r.csv").rows[0].case == long
    assert len(refusal(tmp_path, f"case,passed\n{long},1\n{long},1\n", "r.csv")) < 300


def test_a_hundred_thousand_rows_are_read(tmp_path: Path) -> None:
    rows = (json.dumps({"case": f"c{i}", "passed": i % 7 > 0}) for i in range(100_000))
    assert len(read(tmp_path, "\n".join(rows)).rows) == 100_000
