"""Files that vouch for a judge, edited by hand: none of them makes it fit."""

import csv
import io
import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import V2, Ask
from tests.cli.judged import JudgedProject
from tests.cli.judging import (
    CALIBRATION,
    LABELS,
    VERDICTS,
    Edit,
    Recorded,
    asked_once,
    calibrate,
    edit_json,
    edit_lines,
    forgotten,
    judge_server,
    labels_of_people_wanted,
    latest,
    measured,
    part_of,
    recorded,
    rubric_with,
    served,
    worse,
)

__all__ = ["asked_once", "judge_server", "measured", "recorded", "served"]


def stated(**figures: Any) -> Edit:
    """Write figures into the calibration, and that the judge is fit."""

    def edit(document: dict[str, Any]) -> None:
        document["measured"].update(fit=True, why=[], **figures)

    return lambda project: edit_json(project.root, CALIBRATION, edit)


def rate(value: float, lower: float, n: float = 120) -> dict[str, float]:
    return {"value": value, "lower": lower, "upper": 1.0, "n": n}


def of_another_rubric(project: JudgedProject) -> None:
    edit_json(project.root, CALIBRATION, lambda document: document.update(rubric="other@v3"))


def all_verdicts_right(project: JudgedProject) -> None:
    """The file of verdicts as it was, and the calibration's own made flattering."""

    def edit(document: dict[str, Any]) -> None:
        document["verdicts"] = dict.fromkeys(document["verdicts"], True)

    edit_json(project.root, CALIBRATION, edit)


def verdicts_replaced(project: JudgedProject) -> None:
    edit_lines(project.root, VERDICTS, lambda row: row | {"verdict": "pass"})


FORGED: dict[str, tuple[Edit, str]] = {
    "better": (stated(tpr=rate(1.0, 0.99), tnr=rate(1.0, 0.99)), "do not follow"),
    "beyond 1": (stated(tpr=rate(1.5, 1.4)), "do not follow"),
    "no labels": (stated(tpr=rate(0.925, 0.9, n=0)), "do not follow"),
    "no rates": (stated(tpr=None, tnr=None, youden=None), "do not follow"),
    "threshold": (stated(threshold=3.0), "do not follow"),
    "another rubric": (of_another_rubric, "is one of other@v3"),
    "its verdicts": (all_verdicts_right, "are others now"),
    "the verdicts": (verdicts_replaced, "are others now"),
}


@pytest.mark.parametrize("name", FORGED)
def test_an_edited_measurement_vouches_for_nobody(ask: Ask, recorded: Recorded, name: str) -> None:
    edit, words = FORGED[name]
    project = recorded(cases=5)
    edit(project)
    assert ask("run", *V2, cwd=project.root).code == 3
    assert words in part_of(project.root)["message"]


def test_an_unfit_judge_stays_unfit_whatever_its_file_says(ask: Ask, recorded: Recorded) -> None:
    project = recorded(cases=50)
    lenient = count()

    def often_wrong(row: dict[str, Any]) -> dict[str, Any]:
        return row | {"verdict": "pass"} if next(lenient) % 3 else row

    edit_lines(project.root, VERDICTS, often_wrong)
    forgotten(project)
    calibrate(project.root)
    edit_json(project.root, CALIBRATION, lambda found: found["measured"].update(fit=True, why=[]))
    assert ask("run", *V2, cwd=project.root).code == 3
    part = part_of(project.root)
    assert part["judged"]["standing"]["standing"] == "unfit"
    assert "(TNR)" in part["message"]


@pytest.mark.parametrize("text", ["", "{}", '{"schema": "evalkit.calibration/9"}', "null", "[1]"])
def test_a_file_that_is_no_calibration_is_refused(ask: Ask, recorded: Recorded, text: str) -> None:
    project = recorded(cases=5)
    (project.root / CALIBRATION).write_text(text)
    for verb in ("run", "check"):
        done = ask(verb, cwd=project.root)
        assert done.code == 2
        assert CALIBRATION in done.err


def test_a_persons_name_makes_no_human_label(ask: Ask, recorded: Recorded) -> None:
    project = recorded(cases=5)
    labels_of_people_wanted(project)

    def named(row: dict[str, Any]) -> dict[str, Any]:
        row["labels"][0]["labeller"] = "Ana Meier"
        return row

    edit_lines(project.root, LABELS, named)
    calibrate(project.root)
    assert ask("run", *V2, cwd=project.root).code == 3
    assert "The labels were made by a model" in part_of(project.root)["message"]


def test_labels_that_change_their_maker_are_told_as_what_they_are(
    ask: Ask, recorded: Recorded
) -> None:
    project = recorded(cases=5)
    edit_json(
        project.root,
        CALIBRATION,
        lambda found: found["measured"].update(labelled_by=["person"]),
    )
    ask("run", cwd=project.root)
    assert part_of(project.root)["judged"]["standing"]["labelled_by"] == ["model"]


def twice(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Path, str], None]:
    """Add the first line again, changed."""

    def edit(root: Path, path: str) -> None:
        lines = (root / path).read_text().splitlines()
        again = json.dumps(change(json.loads(lines[0])))
        (root / path).write_text("\n".join([*lines, again]) + "\n")

    return edit


@pytest.mark.parametrize(
    ("path", "edit", "words"),
    [
        (VERDICTS, twice(lambda row: row | {"verdict": "unsure"}), "a second time with another"),
        (VERDICTS, twice(lambda row: {"id": 7, "verdict": "pass"}), "names no output"),
        (VERDICTS, twice(lambda row: row | {"id": "0", "verdict": "maybe"}), "is none"),
        (VERDICTS, twice(lambda row: row | {"weight": 3}), "unknown key"),
        (LABELS, twice(lambda row: row), "the item stands here twice"),
        (LABELS, twice(lambda row: row | {"id": "0" * 16}), "the id is not that of the subject"),
        (LABELS, twice(lambda row: row | {"weight": -1.0}), "wrong weight"),
    ],
)
def test_lines_that_contradict_are_refused(
    ask: Ask, recorded: Recorded, path: str, edit: Callable[[Path, str], None], words: str
) -> None:
    project = recorded(cases=5)
    edit(project.root, path)
    done = ask("run", cwd=project.root)
    assert done.code == 2
    assert path in done.err and words in done.err


def test_verdicts_on_outputs_that_nobody_knows_change_nothing(ask: Ask, recorded: Recorded) -> None:
    project = recorded(good_v2=worse)
    with (project.root / VERDICTS).open("a") as file:
        for number in range(50):
            file.write(json.dumps({"id": f"{number:016x}", "verdict": "pass"}) + "\n")
    assert ask("run", *V2, cwd=project.root).code == 1


def test_a_verdict_file_may_be_csv_and_reads_the_same(ask: Ask, recorded: Recorded) -> None:
    project = recorded(good_v2=worse)
    rows = [json.loads(line) for line in (project.root / VERDICTS).read_text().splitlines()]
    written = io.StringIO()
    table = csv.DictWriter(written, ["id", "verdict"])
    table.writeheader()
    table.writerows(rows)
    judge = {"recorded": {"file": "verdicts.csv", "judge": "a model"}}
    (project.root / "verdicts.csv").write_text(written.getvalue())
    rubric_with(judge=judge)(project)
    calibrate(project.root)
    assert ask("run", *V2, cwd=project.root).code == 1


def test_judgments_that_are_gone_are_unknown(ask: Ask, recorded: Recorded) -> None:
    project = recorded()
    assert ask("run", *V2, cwd=project.root).code == 0
    journal = project.root / ".evalkit/runs" / latest(project.root) / "judgments.jsonl"
    rows = journal.read_text().splitlines(keepends=True)
    fails = [row for row in rows if '"passed":false' not in row]
    assert len(fails) < len(rows)
    journal.write_text("".join(fails))
    # a scorer's stored scores do not stand in for what the judge said
    assert ask("gate", "latest", cwd=project.root).code == 3
    journal.unlink()
    assert ask("gate", "latest", cwd=project.root).code == 3


def test_a_damaged_judgment_is_told(ask: Ask, recorded: Recorded) -> None:
    project = recorded(cases=5)
    ask("run", cwd=project.root)
    journal = project.root / ".evalkit/runs" / latest(project.root) / "judgments.jsonl"
    rows = journal.read_text().splitlines(keepends=True)
    journal.write_text(rows[0].replace('"state":"judged"', '"state":"fine"') + "".join(rows[1:]))
    done = ask("gate", "latest", cwd=project.root)
    assert done.code == 4, done.out + done.err
    assert "judgments.jsonl" in done.err
