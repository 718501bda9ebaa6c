"""Results of promptfoo, as it wrote them (tests/data/results/promptfoo)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError
from evalkit.records.results import ResultRow, Results
from evalkit.sources.results import ResultChoice, read_results

DATA = Path(__file__).parents[2] / "data/results/promptfoo"
Cell = dict[str, Any]


def read(path: Path, **select: str) -> Results:
    return read_results(path, ResultChoice(select=select))


def refusal(path: Path, **select: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(path, **select)
    return str(caught.value)


def cells(name: str = "prompts.jsonl") -> list[Cell]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [cell for line in lines if (cell := json.loads(line))["promptIdx"] == 0]


def written(tmp_path: Path, rows: list[Cell]) -> Path:
    path = tmp_path / "changed.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def edited(tmp_path: Path, edit: Callable[[Cell], object]) -> Path:
    """promptfoo's lines with the second test changed."""
    rows = cells()
    edit(rows[1])
    return written(tmp_path, rows)


def passed(results: Results) -> dict[str, bool | None]:
    return {row.case: row.passed for row in results.rows}


@pytest.mark.parametrize("name", ["columns.json", "columns.jsonl"])
def test_both_forms_of_one_evaluation(name: str) -> None:
    results = read(DATA / name, provider="branch")
    outcomes = passed(results)
    assert len(outcomes) == 27
    failed = {case for case, ok in outcomes.items() if ok is False}
    assert failed == {f"n{number:02}" for number in (1, 2, 3, 12, 13, 14)} | {"number=26"}
    assert results.about == "promptfoo, promptIdx=1 (prompt='short', provider='branch')"


def test_errors_of_the_provider_of_grading_and_no_output_have_no_result() -> None:
    results = read(DATA / "columns.json", provider="main")
    unknown = {case for case, ok in passed(results).items() if ok is None}
    assert unknown == {"n07", "n08", "n09", "number=25"}
    assert results.unknown == {"error": 2, "no output": 1, "grading error": 1}


def test_a_test_is_named_by_id_then_description_then_variables() -> None:
    names = list(passed(read(DATA / "columns.json", provider="main")))
    assert names[:2] == ["n01", "n02"]
    assert names[19] == "described"
    shared = [name for name in names if name.startswith("shared #")]
    assert len(shared) == 2  # two tests of one description
    assert names[22:] == ["number=24", "number=25", "number=26", "number=27", "number=28"]


def test_amounts_tags_and_groups_come_along() -> None:
    row = read(DATA / "columns.json", provider="main").rows[3]
    assert (row.case, row.tags, row.group) == ("n04", ("even",), "g2")
    assert (row.cost_usd, row.tokens) == (0.001, 12)
    assert row.latency_s is not None and row.latency_s < 1


def test_a_reply_from_the_cache_has_no_latency(tmp_path: Path) -> None:
    path = edited(tmp_path, lambda cell: cell["response"].update(cached=True))
    first, second, _ = read(path).rows
    assert first.latency_s is not None
    assert second.latency_s is None


def test_repeats_are_trials() -> None:
    rows = read(DATA / "repeats.jsonl").rows
    assert [(row.case, row.trial) for row in rows] == [
        (case, trial) for case in ("n01", "number=2", "number=3") for trial in (0, 1)
    ]


@pytest.mark.parametrize(
    ("name", "select", "says"),
    [
        ("columns.json", {}, "holds 2 columns: promptIdx=0 (prompt='short', provider='main'); "),
        ("columns.json", {"prompt": "short"}, "holds 2 columns with prompt='short'"),
        ("columns.json", {"provider": "none"}, "has no column with provider='none'"),
        ("columns.json", {"provider": "\x1b[2J"}, r"provider='\x1b[2J'"),
        ("prompts.jsonl", {"promptIdx": "2"}, "has no column with promptIdx='2'"),
        ("prompts.jsonl", {"prompt": "long", "provider": "branch"}, "has no column with"),
    ],
)
def test_the_columns_are_listed_where_it_has_to_be_said_which(
    name: str, select: dict[str, str], says: str
) -> None:
    text = refusal(DATA / name, **select)
    assert says in text
    assert "promptIdx=1" in text and "--select prompt=…" in text


@pytest.mark.parametrize(
    "select", [{"prompt": "long"}, {"promptIdx": "1"}, {"prompt": "long", "provider": "main"}]
)
def test_a_column_is_chosen_by_any_of_its_names(select: dict[str, str]) -> None:
    assert "promptIdx=1" in read(DATA / "prompts.jsonl", **select).about
    by_id = cells()[0]["promptId"]
    assert "promptIdx=0" in read(DATA / "prompts.jsonl", prompt=by_id).about


def test_tests_in_which_nothing_can_fail_are_refused_by_name() -> None:
    text = refusal(DATA / "unasserted.jsonl")
    assert "'number=2' (testIdx 1) has no assertion that can fail" in text
    assert "'number=3' (testIdx 2) has no assertion that can fail" in text  # weight 0
    assert "n01" not in text


def test_a_rating_by_hand_is_an_assertion(tmp_path: Path) -> None:
    """The web view stores it as a component, and changes `success` alone."""

    def rate(cell: Cell) -> None:
        cell["testCase"].pop("assert")
        cell["success"] = False
        cell["gradingResult"]["componentResults"] = [{"assertion": {"type": "human"}}, None]

    assert read(edited(tmp_path, rate)).rows[1].passed is False


def test_a_result_that_promptfoo_lost_is_missed() -> None:
    """A score that is NaN cannot be stored, and its test is gone from the file."""
    assert "holds 2 of the 3 results that promptfoo counts" in refusal(DATA / "lost.json")


def test_a_gap_in_lines_is_missed(tmp_path: Path) -> None:
    rows = cells()
    text = refusal(written(tmp_path, [rows[0], rows[2]]))
    assert "lacks the results of 1 tests, first testIdx 1" in text
    rows[2]["testIdx"] = 10**18
    assert "first testIdx 1" in refusal(written(tmp_path, [rows[0], rows[2]]))


def lose(key: str) -> Callable[[Cell], object]:
    return lambda cell: cell.pop(key)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda cell: cell.update(score=None), "'n02' (testIdx 1) has a score that is no number"),
        (lambda cell: cell.update(success=False), "contradicts itself"),
        (lambda cell: cell.update(failureReason=1), "contradicts itself"),
        (lambda cell: cell.update(failureReason=3), "Invalid enum value 3"),
        (lambda cell: cell.update(success="yes"), "changed.jsonl:2: is not as the tool writes it"),
        (lambda cell: cell.update(testIdx=0), "testIdx 1"),
        (lambda cell: cell["testCase"].update(vars=[1]), "at `$.testCase.vars`"),
        (lose("failureReason"), "missing required field `failureReason`"),
        (lose("success"), "missing required field `success`"),
    ],
)
def test_what_promptfoo_never_writes_is_refused(
    tmp_path: Path, edit: Callable[[Cell], object], says: str
) -> None:
    assert says in refusal(edited(tmp_path, edit))


def test_other_assertions_make_another_digest(tmp_path: Path) -> None:
    """So that a test that was made easier is noticed."""
    easier = edited(tmp_path, lambda cell: cell["testCase"]["assert"][0].update(value="y"))
    before, after = read(DATA / "prompts.jsonl", promptIdx="0").checks, read(easier).checks
    assert [case for case in before if before[case] != after[case]] == ["n02"]
    assert before == read(DATA / "prompts.jsonl", promptIdx="1").checks


def test_long_variables_make_a_short_name(tmp_path: Path) -> None:
    def widen(cell: Cell) -> None:
        cell["testCase"]["metadata"] = {}
        cell["testCase"]["vars"] = {"text": "word " * 1000, "list": [1, {"a": None}]}

    name = read(edited(tmp_path, widen)).rows[1].case
    assert name.startswith('list=[1,{"a":null}], text=word word')
    assert len(name) < 80


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    whole = (DATA / "columns.json").read_bytes()
    (tmp_path / "cut.json").write_bytes(whole[: len(whole) // 2])
    assert "is no whole JSON" in refusal(tmp_path / "cut.json")
    lines = (DATA / "repeats.jsonl").read_bytes()
    (tmp_path / "cut.jsonl").write_bytes(lines[:-40])
    assert "cut.jsonl:6: is no whole JSON" in refusal(tmp_path / "cut.jsonl")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "has the results version 2; expected version 3"),
        ({"results": []}, "holds no result"),
        ({"results": {}}, "is not as the tool writes it"),
    ],
)
def test_another_version_or_no_result_is_refused(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    data = json.loads((DATA / "lost.json").read_bytes())
    data["results"].update(change)
    (tmp_path / "old.json").write_text(json.dumps(data))
    assert says in refusal(tmp_path / "old.json")


def test_its_junit_report_is_refused_since_it_only_numbers_tests() -> None:
    assert "let promptfoo write JSON" in refusal(DATA / "repeats.junit.xml")


def test_rows_are_neutral_records() -> None:
    assert all(type(row) is ResultRow for row in read(DATA / "repeats.jsonl").rows)
