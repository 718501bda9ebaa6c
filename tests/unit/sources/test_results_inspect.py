"""Logs of inspect_ai, as it wrote them (tests/data/results/inspect_ai)."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError
from evalkit.records.results import Results
from evalkit.sources.results import ResultChoice, read_results

if sys.version_info >= (3, 14):
    import zipfile
else:
    from backports.zstd import zipfile

DATA = Path(__file__).parents[2] / "data/results/inspect_ai"
Log = dict[str, Any]


def read(path: Path, scorer: str | None = None, pass_at: float | None = None) -> Results:
    return read_results(path, ResultChoice(scorer=scorer, pass_at=pass_at))


def refusal(path: Path, scorer: str | None = None, pass_at: float | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read(path, scorer, pass_at)
    return str(caught.value)


def passed(results: Results) -> dict[str, bool | None]:
    return {row.case: row.passed for row in results.rows}


def edited(tmp_path: Path, edit: Callable[[Log], object]) -> Path:
    """The log in JSON with something changed."""
    log = json.loads((DATA / "epochs.json").read_bytes())
    edit(log)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(log), encoding="utf-8")
    return path


def score(value: Any) -> Callable[[Log], object]:
    """Give the third sample another score."""
    return lambda log: log["samples"][2]["scores"]["grade"].update(value=value)


def repacked(tmp_path: Path, **members: bytes | None) -> Path:
    """base.eval with members replaced, or left out where they are None."""
    path = tmp_path / "changed.eval"
    with zipfile.ZipFile(DATA / "base.eval") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = members.get(name.removesuffix(".json"), old.read(name))
            if content is not None:
                new.writestr(name, content, compress_type=zipfile.ZIP_DEFLATED)
    return path


def test_letters_errors_and_unscored_samples_of_an_archive() -> None:
    results = read(DATA / "base.eval", "grade", 1.0)
    outcomes = passed(results)
    assert len(outcomes) == 30
    assert {case for case, ok in outcomes.items() if ok is None} == {"s07", "s09"}
    # I twice, N for no answer, and P below --pass-at 1
    assert {case for case, ok in outcomes.items() if ok is False} == {"s01", "s02", "s10", "s11"}
    assert outcomes["s08"] is True  # ran into its message limit and was scored all the same
    assert results.unknown == {"error": 1, "unscored": 1}
    assert results.about == "inspect_ai, task numbers, model mockllm/model, scorer grade"


def test_partial_credit_passes_from_where_it_is_said_to() -> None:
    assert passed(read(DATA / "base.eval", "grade", 0.5))["s11"] is True
    text = refusal(DATA / "base.eval", "grade")
    assert "1 of its scores is neither 1 nor 0, first that of sample 's11' (found 'P')" in text
    assert "--pass-at" in text


def test_numbers_need_a_line_to_pass() -> None:
    assert "--pass-at" in refusal(DATA / "base.eval", "share")
    outcomes = passed(read(DATA / "base.eval", "share", 0.75))
    assert [case for case in list(outcomes)[:5] if outcomes[case]] == ["s03", "s04"]


def test_several_scorers_are_listed_where_it_has_to_be_said_which() -> None:
    listed = "grade | share | manners.polite | manners.short"
    assert f"say which decides: --scorer {listed}" in refusal(DATA / "base.eval")
    assert f"has no scorer 'manners'; expected {listed}" in refusal(DATA / "base.eval", "manners")
    assert all(
        ok is not False for ok in passed(read(DATA / "base.eval", "manners.polite")).values()
    )
    assert passed(read(DATA / "base.eval", "manners.short"))["s02"] is False


def test_tags_groups_and_tokens_come_along() -> None:
    row = read(DATA / "base.eval", "manners.polite").rows[3]
    assert (row.case, row.tags, row.group, row.tokens) == ("s04", ("even",), "g2", 12)
    assert row.latency_s is not None and row.cost_usd is None


def test_epochs_are_trials_and_reducers_do_not_matter() -> None:
    rows = read(DATA / "epochs.json").rows
    found = sorted((row.case, row.trial) for row in rows)
    assert found == [(f"s{number:02}", trial) for number in range(1, 6) for trial in (0, 1)]
    assert [row.passed for row in rows if row.case == "s01"] == [False, False]


@pytest.mark.parametrize(
    ("name", "status"),
    [("started.eval", "started"), ("cancelled.eval", "cancelled"), ("failed.eval", "error")],
)
def test_an_eval_that_did_not_end_well_is_refused(name: str, status: str) -> None:
    text = refusal(DATA / name, "grade")
    assert f"did not end well (status '{status}')" in text
    assert "inspect eval-retry" in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("C", True),
        ("I", False),
        ("N", False),
        (1, True),
        (0, False),
        (1.0, True),
        (True, True),
        (False, False),
        ("yes", True),
        ("No", False),
        ("1", True),
        ("0.0", False),
        (float("nan"), None),
        (None, None),
        ({"only": "C"}, True),
        ({"only": float("nan")}, None),
    ],
)
def test_scores_count_as_inspect_counts_them(
    tmp_path: Path, value: Any, expected: bool | None
) -> None:
    assert read(edited(tmp_path, score(value))).rows[2].passed is expected


@pytest.mark.parametrize("value", ["A grade", "c", [1], float("inf"), 2, -1, 0.999, "P"])
def test_a_score_that_is_neither_is_refused(tmp_path: Path, value: Any) -> None:
    assert "changed.json" in refusal(edited(tmp_path, score(value)))


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda log: log.update(version=3), "has the log version 3"),
        (lambda log: log.update(invalidated=True), "declared invalid"),
        (lambda log: log.update(samples=None), "holds no sample"),
        (lambda log: log["samples"].pop(), "holds 9 samples of the 10"),
        (lambda log: log["samples"][0].update(epoch=2), "is there 2 times in epoch 2"),
        (lambda log: log["samples"][0].update(epoch=0), "expected 1 or more"),
        (lambda log: log["samples"][0].update(id=1.5), "at `$.samples[0].id`"),
        (lambda log: [each.update(scores={}) for each in log["samples"]], "was not scored"),
    ],
)
def test_a_log_that_lacks_something_is_refused(
    tmp_path: Path, edit: Callable[[Log], object], says: str
) -> None:
    assert says in refusal(edited(tmp_path, edit))


def test_a_sample_that_an_operator_stopped_has_no_result(tmp_path: Path) -> None:
    path = edited(tmp_path, lambda log: log["samples"][2].update(limit={"type": "operator"}))
    assert read(path).rows[2].passed is None
    path = edited(tmp_path, lambda log: log["samples"][2].update(limit={"type": "token"}))
    assert read(path).rows[2].passed is True


def test_an_error_counts_whatever_the_score_says(tmp_path: Path) -> None:
    path = edited(tmp_path, lambda log: log["samples"][2].update(error={"message": "down"}))
    assert read(path).rows[2].passed is None


def test_samples_that_all_ended_in_errors_are_all_unknown(tmp_path: Path) -> None:
    """inspect_ai calls such an eval a success, without results."""

    def break_all(log: Log) -> None:
        del log["results"]
        for sample in log["samples"]:
            sample.update(error={"message": "down"}, scores={})

    path = edited(tmp_path, break_all)
    assert {row.passed for row in read(path).rows} == {None}
    assert {row.passed for row in read(path, "grade").rows} == {None}


def test_numbers_and_texts_are_the_same_id(tmp_path: Path) -> None:
    path = edited(tmp_path, lambda log: [each.update(id=7) for each in log["samples"][::5]])
    assert "7" in passed(read(path))


def test_another_target_input_or_scorer_setting_makes_another_digest(tmp_path: Path) -> None:
    before = read(DATA / "epochs.json").checks
    for edit in (
        lambda log: [each.update(target="no") for each in log["samples"]],
        lambda log: [each.update(input="Is it?") for each in log["samples"]],
        lambda log: log["eval"]["scorers"][0].update(options={"strict": False}),
    ):
        after = read(edited(tmp_path, edit)).checks
        assert all(before[case] != after[case] for case in before)


def test_both_forms_of_a_sample_have_one_digest() -> None:
    archive = read(DATA / "base.eval", "grade", 1.0).checks
    for case, digest in read(DATA / "epochs.json").checks.items():
        assert archive[case] == digest


def test_ids_of_messages_do_not_change_the_digest(tmp_path: Path) -> None:
    def ask(message: str, text: str = "Is it?") -> Callable[[Log], object]:
        asked = [{"id": message, "role": "user", "content": text}]
        return lambda log: [each.update(input=asked) for each in log["samples"]]

    first = read(edited(tmp_path, ask("a"))).checks
    assert read(edited(tmp_path, ask("b"))).checks == first
    assert read(edited(tmp_path, ask("a", "Is it not?"))).checks != first


def test_an_archive_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    whole = (DATA / "base.eval").read_bytes()
    for end in (10, len(whole) // 2, len(whole) - 30):
        (tmp_path / "cut.eval").write_bytes(whole[:end])
        assert "is no whole inspect_ai log" in refusal(tmp_path / "cut.eval")


def test_an_archive_without_its_parts_is_refused(tmp_path: Path) -> None:
    assert "status 'started'" in refusal(repacked(tmp_path, header=None))
    assert "summaries.json" in refusal(repacked(tmp_path, summaries=None))
    assert "header.json: is no whole JSON" in refusal(repacked(tmp_path, header=b"{"))
    with zipfile.ZipFile(tmp_path / "other.eval", "w") as other:
        other.writestr("a.txt", "a")
    assert "is a ZIP archive, but no inspect_ai log" in refusal(tmp_path / "other.eval")


def test_samples_are_read_whole_where_summaries_have_no_metadata(tmp_path: Path) -> None:
    """As inspect_ai wrote them until 2025: without groups the statistics would be too sure."""
    with zipfile.ZipFile(DATA / "base.eval") as archive:
        summaries = json.loads(archive.read("summaries.json"))
    for summary in summaries:
        del summary["metadata"]
    path = repacked(tmp_path, summaries=json.dumps(summaries).encode())
    expected = read(DATA / "base.eval", "grade", 0.5)
    assert sorted(read(path, "grade", 0.5).rows, key=str) == sorted(expected.rows, key=str)


def test_a_member_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = repacked(tmp_path)
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"header.json") - 46  # its entry in the central directory
    raw[at + 24 : at + 28] = (0xF0000000).to_bytes(4, "little")
    path.write_bytes(raw)
    assert "header.json unpacks to more than" in refusal(path)


def test_a_constant_inside_a_text_stays_a_text(tmp_path: Path) -> None:
    def write(log: Log) -> None:
        log["samples"][0].update(id='NaN, "-Infinity" \\')
        score(float("nan"))(log)

    results = read(edited(tmp_path, write))
    assert results.rows[0].case == 'NaN, "-Infinity" \\'
    assert results.rows[2].passed is None
