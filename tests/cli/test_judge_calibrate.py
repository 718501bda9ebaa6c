"""`evalkit judge calibrate` and `judge freeze`, as somebody types them."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ask
from tests.unit.workflows.judges.judged_project import CLOUD, SCRIPTED, project_of

STORED = "rubrics/tone/v1.calibration.json"


def test_a_fit_judge_is_measured_and_stored(ask: Ask, tmp_path: Path) -> None:
    project = project_of(tmp_path)
    said = ask("judge", "calibrate", "tone@v1", cwd=project.root)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("FIT  tone@v1: this judge may gate\n")
    assert "labels made by people" in said.out
    assert STORED in said.out and (project.root / STORED).exists()


def test_an_unfit_judge_ends_with_0_and_says_why(ask: Ask, tmp_path: Path) -> None:
    project = project_of(tmp_path, right_fails=40, wrong_fails=60)
    said = ask("judge", "calibrate", "tone", cwd=project.root)
    assert said.code == 0
    assert said.out.startswith("UNFIT")
    assert "(TNR)" in said.out and "exit code 0" in said.out


def test_json_is_the_stored_record_and_nothing_else(ask: Ask, tmp_path: Path) -> None:
    project = project_of(tmp_path)
    said = ask("judge", "calibrate", "tone@v1", "--json", cwd=project.root)
    assert said.code == 0
    assert said.out == (project.root / STORED).read_text()
    assert json.loads(said.out)["measured"]["confusion"]["true_pass"] == 95


def test_a_judge_is_asked_and_progress_goes_to_stderr(ask: Ask, tmp_path: Path) -> None:
    project = project_of(tmp_path, judge=SCRIPTED)
    said = ask("judge", "calibrate", "tone@v1", "--json", cwd=project.root)
    assert said.code == 0
    assert "judged 200 of 200" in said.err
    assert json.loads(said.out)["asked"] == "tiny on route judge"


def test_verdicts_of_another_judge_are_printed_only(ask: Ask, tmp_path: Path) -> None:
    project = project_of(tmp_path, judge=SCRIPTED)
    said = ask("judge", "calibrate", "tone@v1", "--verdicts", "verdicts.jsonl", cwd=project.root)
    assert said.code == 0
    assert "stored      not stored" in said.out
    assert "measurement of another judge" in " ".join(said.out.split())
    assert not (project.root / STORED).exists()


def test_files_are_named_from_where_the_user_stands(ask: Ask, tmp_path: Path) -> None:
    project = project_of(tmp_path)
    below = project.root / "rubrics/tone"
    asked = ("--labels", "v1.labels.jsonl", "--verdicts", "../../verdicts.jsonl")
    assert ask("judge", "calibrate", "tone@v1", *asked, cwd=below).code == 0
    assert (project.root / STORED).exists()


def test_a_wanted_width_changes_how_many_labels_are_missing(ask: Ask, tmp_path: Path) -> None:
    project = project_of(tmp_path)

    def missing(width: str) -> int:
        said = ask("judge", "calibrate", "tone@v1", "--width", width, "--json", cwd=project.root)
        found: int = json.loads(said.out)["measured"]["missing_labels"]
        return found

    assert missing("4") > missing("8") > 0
    assert missing("60") == 0


def test_no_store_leaves_the_project_alone(ask: Ask, tmp_path: Path) -> None:
    project = project_of(tmp_path)
    assert ask("judge", "calibrate", "tone@v1", "--no-store", cwd=project.root).code == 0
    assert not (project.root / STORED).exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tune@v1",), "tone"),
        (("tone@v1", "--labels", "missing.jsonl"), "missing.jsonl"),
        (("tone@v1", "--verdicts", "missing.csv"), "missing.csv"),
        (("tone@v1", "--width", "0"), "width"),
    ],
)
def test_bad_input_ends_with_2_and_stores_nothing(
    ask: Ask, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    project = project_of(tmp_path)
    said = ask("judge", "calibrate", *arguments, cwd=project.root)
    assert (said.code, said.out) == (2, "")
    assert words in said.err
    assert not (project.root / STORED).exists()


def test_a_judge_whose_key_is_missing_is_refused(ask: Ask, tmp_path: Path) -> None:
    providers = {"cloud": CLOUD["providers"]["cloud"] | {"without_key": None}}
    project = project_of(tmp_path, judge=SCRIPTED, config=CLOUD | {"providers": providers})
    said = ask("judge", "calibrate", "tone@v1", cwd=project.root)
    assert (said.code, said.out) == (2, "")
    assert "TEST_KEY" in said.err


def test_freezing_writes_the_digest_that_it_prints(ask: Ask, tmp_path: Path) -> None:
    project = project_of(tmp_path)
    said = ask("judge", "freeze", "tone@v1", cwd=project.root)
    assert (said.code, said.err) == (0, "")
    digest = said.out.rsplit(" ", 1)[1].strip()
    assert said.out.startswith("tone@v1 is frozen at sha256:")
    assert (project.root / "rubrics/tone/v1.yaml").read_text().endswith(f"digest: {digest}\n")


def test_a_frozen_rubric_that_changed_ends_with_2(ask: Ask, tmp_path: Path) -> None:
    project = project_of(tmp_path)
    ask("judge", "freeze", "tone@v1", cwd=project.root)
    path = project.root / "rubrics/tone/v1.yaml"
    path.write_text(path.read_text().replace("It is kind.", "It is short."))
    for verb in ("freeze", "calibrate"):
        said = ask("judge", verb, "tone@v1", cwd=project.root)
        assert said.code == 2
        assert "rubrics/tone/v2.yaml" in said.err
