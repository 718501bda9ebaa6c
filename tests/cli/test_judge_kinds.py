"""Judges of pairs, panels, checklists and scores in a run."""

import json
from itertools import count
from pathlib import Path
from typing import Any

from tests.cli.conftest import V2, Ask
from tests.cli.judged import JudgedProject, reply
from tests.cli.judging import (
    LABELS,
    ServedJudge,
    asked_once,
    by_tone,
    calibrate,
    edit_lines,
    judge_server,
    latest,
    measured,
    number_of,
    of_version,
    part_in,
    part_of,
    recorded,
    said,
    served,
    shown,
    version_of,
    worse,
)
from tests.servers.openai_server import OpenAIServer, SeenRequest

__all__ = ["asked_once", "judge_server", "measured", "recorded", "served"]


class Pairs(ServedJudge):
    """Both outputs of a case are compared."""

    def rubric(self) -> dict[str, Any]:
        prompt = '{{ output | data("REPLY") }}\n{{ other | data("OTHER") }}\nWhich is better?'
        return super().rubric() | {
            "compare": "pair",
            "scale": {"kind": "binary", "pass": "Better.", "fail": "Not better."},
            "judge": {"route": "judge", "prompt": prompt},
        }

    def write(self) -> "Pairs":
        super().write()
        numbers = count()

        def paired(row: dict[str, Any]) -> dict[str, Any]:
            from evalkit.records.judgment import Subject
            from evalkit.records.subject import subject_id

            number, good = next(numbers), row["labels"][0]["passed"]
            row["subject"]["other"] = reply(number, good=not good, version=3)
            return row | {"id": subject_id(Subject(**row["subject"]))}

        edit_lines(self.root, LABELS, paired)
        return self


def prefers_tone(request: SeenRequest) -> str:
    """The politer of two, by what stands in each fence."""
    other = request.prompt.split("<<<OTHER ")[1]
    first, second = "please" in shown(request), "please" in other.split(" OTHER>>>")[0]
    return said("tie" if first == second else "first" if first else "second")


def test_pairs_fail_pass_and_are_not_moved_by_their_order(
    ask: Ask, judge_server: OpenAIServer, tmp_path: Path
) -> None:
    judge_server.answer, judge_server.decide = prefers_tone, lambda request: None
    project = Pairs(tmp_path / "project", url=judge_server.url, cases=40)
    project.good_v2 = lambda number: False
    project.suite["assume_equal_errors"] = False
    project.write()
    calibrate(project.root)
    assert ask("run", *V2, cwd=project.root).code == 1
    worse_run = latest(project.root)
    assert part_of(project.root)["judged"]["equal_errors"] == "same"
    assert ask("run", cwd=project.root).code == 0
    # two finished runs were never compared with each other
    decided = ask("gate", latest(project.root), worse_run, "--json", cwd=project.root)
    assert decided.code == 3
    part = part_in(json.loads(decided.out))
    assert "No output was compared with the one that it is held against" in part["message"]
    judge_server.answer = lambda request: said("first")
    assert ask("run", *V2, "--no-cache", cwd=project.root).code == 3
    assert part_of(project.root)["judged"]["candidate"]["abstained"] == 40


class Panel(ServedJudge):
    """Two judges: without a majority they abstain."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.config["models"]["second"] = dict(self.config["models"]["assessor"])
        self.config["routes"].append({**self.judge_route, "name": "other"})
        self.config["routes"][2]["models"] = {"primary": "second"}

    def rubric(self) -> dict[str, Any]:
        prompt = super().rubric()["judge"]["prompt"]
        return super().rubric() | {"judge": {"panel": ["judge", "other"], "prompt": prompt}}


def test_a_panel_that_is_tied_says_nothing(
    ask: Ask, judge_server: OpenAIServer, tmp_path: Path
) -> None:
    judge_server.answer, judge_server.decide = by_tone, lambda request: None
    project = Panel(tmp_path / "project", url=judge_server.url, good_v2=worse, cases=60).write()
    calibrate(project.root)
    kind = of_version(2, said("pass"))
    judge_server.answer = lambda r: kind(r) if r.body["model"] == "second" else by_tone(r)
    assert ask("run", *V2, cwd=project.root).code == 3
    candidate = part_of(project.root)["judged"]["candidate"]
    assert candidate["abstained"] == candidate["disagreed"] == 24
    assert candidate["judged"] == candidate["passed"] == 36


class Checklist(ServedJudge):
    """Two questions, both of which have to be answered with yes."""

    def rubric(self) -> dict[str, Any]:
        items = {"polite": "Is it polite?", "short": "Is it short?"}
        return super().rubric() | {"scale": {"kind": "checklist", "items": items, "rule": "all"}}


def answers(polite: str, short: str) -> str:
    found = {"polite": polite, "short": short}
    return json.dumps({"reason": "", "evidence": "", "answers": found})


def test_a_checklist_passes_by_its_rule_and_not_by_half(
    ask: Ask, judge_server: OpenAIServer, tmp_path: Path
) -> None:
    def right(request: SeenRequest) -> str:
        return answers("yes" if "please" in shown(request) else "no", "yes")

    judge_server.answer, judge_server.decide = right, lambda request: None
    project = Checklist(tmp_path / "project", url=judge_server.url, cases=60)
    project.good_v2 = lambda number: False
    project.write()
    calibrate(project.root)
    assert ask("run", *V2, cwd=project.root).code == 1
    half = (
        answers("yes", "unsure"),
        '{"reason": "", "evidence": "", "answers": {"polite": "yes"}}',
        said("pass"),
    )
    judge_server.answer = lambda r: half[number_of(r) % 3] if version_of(r) == 2 else right(r)
    assert ask("run", *V2, "--no-cache", cwd=project.root).code == 3
    candidate = part_of(project.root)["judged"]["candidate"]
    assert (candidate["abstained"], candidate["unparseable"]) == (20, 40)


def test_scores_without_a_calibration_decide_nothing(ask: Ask, tmp_path: Path) -> None:
    class Graded(JudgedProject):
        def rubric(self) -> dict[str, Any]:
            levels = {"1": "rude", "5": "kind"}
            scale = {"kind": "graded", "lowest": 1, "highest": 5, "levels": levels}
            return super().rubric() | {"scale": scale}

        def verdicts(self, subjects: dict[str, Any]) -> list[dict[str, Any]]:
            return [{"id": id_, "score": 5 if ok else 1} for id_, (_, ok) in subjects.items()]

    project = Graded(tmp_path / "project", cases=50)
    project.suite["gate"]["on_inconclusive"] = "warn"
    project.write()
    assert ask("run", *V2, cwd=project.root).code == 3
