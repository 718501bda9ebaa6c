"""Changes that make the judge of their own test easier: each is named, and none ends with 0."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import V2, Ask
from tests.cli.judged import JudgedProject
from tests.cli.judging import (
    CALIBRATION,
    LABELS,
    VERDICTS,
    Edit,
    Recorded,
    Served,
    asked_once,
    calibrate,
    changed_model,
    configured,
    edit_json,
    edit_lines,
    id_of,
    judge_server,
    latest,
    measured,
    of_version,
    other_truth,
    part_of,
    record_of,
    recorded,
    rubric_with,
    said,
    served,
    worse,
)
from tests.servers.openai_server import OpenAIServer

__all__ = ["asked_once", "judge_server", "measured", "recorded", "served"]


def committed(project: JudgedProject) -> JudgedProject:
    project.commit()
    return project


def relabelled(project: JudgedProject) -> None:
    other_truth(project)
    calibrate(project.root)


def measured_again(project: JudgedProject) -> None:
    edit_json(project.root, CALIBRATION, lambda found: found.update(made_at="2027-01-01"))


def some_verdicts(project: JudgedProject) -> None:
    bad = {id_of(project, n, good=project.good_v2, version=2) for n in range(0, 20, 5)}
    edit_lines(
        project.root,
        VERDICTS,
        lambda row: row | {"verdict": "pass"} if row["id"] in bad else row,
    )


def lower_floor(project: JudgedProject) -> None:
    rubric_with(calibration={"labelled_by": "anyone", "min_tnr": 0.5, "max_abstained": 0.3})(
        project
    )


def assumed(project: JudgedProject) -> None:
    project.suite["assume_equal_errors"] = True
    configured(project)


def informing(project: JudgedProject) -> None:
    project.suite["scorers"][1]["gate"] = False
    configured(project)


def wider(project: JudgedProject) -> None:
    project.suite["scorers"][1]["judge"]["max_drop_pp"] = 40
    configured(project)


def without(project: JudgedProject) -> None:
    project.suite["scorers"].pop()
    configured(project)


def second_version(project: JudgedProject) -> None:
    """A version whose recorded verdicts on what runs made are all pass."""
    folder = project.root / "rubrics/tone"
    judge = {"recorded": {"file": "rubrics/tone/v2.verdicts.jsonl", "judge": "a model"}}
    text = json.dumps(project.rubric() | {"version": 2, "judge": judge})
    (folder / "v2.yaml").write_text(text)
    labelled = {json.loads(line)["id"] for line in (project.root / LABELS).read_text().splitlines()}
    shutil.copy(project.root / LABELS, folder / "v2.labels.jsonl")
    shutil.copy(project.root / VERDICTS, folder / "v2.verdicts.jsonl")
    edit_lines(
        project.root,
        "rubrics/tone/v2.verdicts.jsonl",
        lambda row: row if row["id"] in labelled else row | {"verdict": "pass"},
    )
    calibrate(project.root, "tone@v2")


def pinned_to_it(project: JudgedProject) -> None:
    second_version(project)
    project.suite["scorers"][1]["judge"]["rubric"] = "tone@v2"
    configured(project)


def edited_rubric(project: JudgedProject) -> None:
    rubric_with(criteria=["It is polite, or meant to be."])(project)
    calibrate(project.root)


WEAKER: dict[str, tuple[Edit, str]] = {
    "labels": (relabelled, f"{LABELS}, {CALIBRATION}, which vouch for the judge of tone@v1"),
    "calibration": (measured_again, f"{CALIBRATION}, which vouch for the judge of tone@v1"),
    "verdicts": (some_verdicts, f"{VERDICTS}, which vouch for the judge of tone@v1"),
    "floor": (lower_floor, "calibration.min_tnr of tone@v1 went from 0.7 to 0.5"),
    "assumption": (assumed, "judges are taken to err alike on both variants now"),
    "gate": (informing, "the scorer tone no longer gates"),
    "margin": (wider, "the gating scorer tone was changed"),
    "scorer": (without, "the gating scorer tone is gone"),
    "version": (pinned_to_it, "the gating judge tone went from tone@v1 to tone@v2"),
    "rubric": (edited_rubric, "a changed rubric needs a new version"),
}


@pytest.mark.parametrize("name", WEAKER)
def test_a_change_that_vouches_for_itself_is_held(ask: Ask, recorded: Recorded, name: str) -> None:
    edit, words = WEAKER[name]
    project = recorded()
    project.suite["assume_equal_errors"] = name != "assumption"
    configured(project)
    project.commit()
    edit(project)
    done = ask("run", *V2, cwd=project.root)
    assert done.code == 3, done.out + done.err
    guard = part_of(project.root, "gate change")
    assert words in guard["message"] and guard["held"]
    # nothing else would have kept it from passing
    parts = record_of(project.root)["verdict"]["suites"][0]["parts"]
    assert {part["outcome"] for part in parts if part["kind"] != "guard"} == {"pass"}


def test_a_reviewer_accepts_it_by_name(ask: Ask, recorded: Recorded) -> None:
    project = committed(recorded())
    lower_floor(project)
    assert ask("run", *V2, "--accept-gate-change", cwd=project.root).code == 0
    warnings = " ".join(record_of(project.root)["warnings"])
    assert "accepted by --accept-gate-change, ask: calibration.min_tnr of tone@v1 went" in warnings


def test_the_latest_rubric_cannot_be_swapped_by_adding_one(ask: Ask, recorded: Recorded) -> None:
    project = recorded(good_v2=worse)
    project.suite["scorers"][1]["judge"]["rubric"] = "tone@latest"
    configured(project)
    project.commit()
    second_version(project)
    assert ask("run", *V2, cwd=project.root).code == 3
    guard = part_of(project.root, "gate change")["message"]
    assert "the gating judge tone went from tone@v1 to tone@v2" in guard
    assert ask("run", *V2, "--accept-gate-change", cwd=project.root).code == 0


def test_a_judge_that_is_swapped_and_measured_is_held(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(good_v2=worse)
    project.commit()
    changed_model(project)
    judge_server.answer = of_version(2, said("pass"))
    calibrate(project.root)
    assert ask("run", *V2, cwd=project.root).code == 3
    assert f"{CALIBRATION}, which vouch for" in part_of(project.root, "gate change")["message"]
    assert part_of(project.root)["outcome"] == "pass"


def recordings_of(root: Path) -> str:
    """What the judge said in the newest run, as recordings of its replies."""
    journal = root / ".evalkit/runs" / latest(root) / "judgments.jsonl"
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    made = []
    for row in rows:
        (call,) = row["opinion"]["calls"]
        answer = {
            "content": said("pass" if call["passed"] else "fail"),
            "model": "assessor-0001",
            "usage": {},
            "origin": "recording",
            "measurement_id": call["key"][:16],
            "measured_at": "2026-05-04T09:00:00+00:00",
            "latency_s": 0.1,
        }
        made.append({"key": call["key"], "case": row["case"], "reply": answer})
    return "".join(f"{json.dumps(each)}\n" for each in made)


def test_recorded_replies_of_a_judge_are_held_to_what_they_were(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(good_v2=worse)
    assert ask("run", *V2, cwd=project.root).code == 1
    recordings = recordings_of(project.root)
    project.config["providers"]["served"]["recordings"] = "recordings"
    configured(project)
    project._write("recordings/assessor/ask.jsonl", recordings)
    project.commit()
    judge_server.seen.clear()
    assert ask("run", *V2, "--no-cache", cwd=project.root).code == 1
    assert judge_server.seen == []
    project._write("recordings/assessor/ask.jsonl", recordings.replace('\\"fail', '\\"pass'))
    assert ask("run", *V2, "--no-cache", cwd=project.root).code == 3
    assert part_of(project.root)["outcome"] == "pass"
    guard = part_of(project.root, "gate change")["message"]
    assert "replies of assessor that were written down say something else now: c0" in guard


def test_a_pull_request_without_any_of_this_is_not_held(ask: Ask, recorded: Recorded) -> None:
    project = committed(recorded())
    project._write("README.md", "Nothing that gates.\n")
    assert ask("run", *V2, cwd=project.root).code == 0
