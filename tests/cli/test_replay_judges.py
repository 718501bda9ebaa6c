"""`evalkit replay` of suites with judges: production's answers are judged as the candidate's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import V2, Ask
from tests.cli.judged import JudgedProject, reply
from tests.cli.judging import (
    Recorded,
    Served,
    ServedJudge,
    asked_about,
    asked_once,
    by_tone,
    calibrate,
    forgotten,
    judge_server,
    measured,
    part_of,
    recorded,
    served,
    worse,
)
from tests.cli.test_judge_kinds import Pairs, prefers_tone
from tests.servers.openai_server import OpenAIServer
from tests.stored_traces import chat, said, store, trace_of

__all__ = ["asked_once", "judge_server", "measured", "recorded", "served"]

SESSIONS = 120


def produced(project: JudgedProject, asks: str = "{}") -> None:
    """Sessions that production answered as v1 does, and the script of v1 and v2 for them."""
    rows: list[dict[str, Any]] = []
    for number in range(SESSIONS):
        answered = reply(number, good=project.good_v1(number), version=1)
        question = asks.format(project.case(number)["input"]["question"])
        asked = chat([said("user", f"v1 {question}")], answered)
        store(project.root, trace_of(asked, trace_id=f"{number + 16:032x}"))
        for prompt, replies in project.replies.items():
            case = f"trace-{number + 16:032x}"
            rows.append({"case": case, "prompt": prompt, "reply": replies(number)})
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (project.root / "scripted/ask.jsonl").write_text(lines)


def test_a_fit_judge_judges_production_s_answers_and_the_candidate_s(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(good_v2=worse)
    produced(project)
    same = ask("replay", "ask", cwd=project.root)
    assert same.code == 0, same.out + same.err
    part = part_of(project.root)
    assert (part["outcome"], part["required"], part["estimate"]["drop"]) == ("pass", True, 0.0)
    assert part["judged"]["baseline"]["judged"] == SESSIONS
    assert asked_about(judge_server, 1).total() == SESSIONS, "equal outputs share an opinion"
    changed = ask("replay", "ask", *V2, cwd=project.root)
    assert changed.code == 1, changed.out + changed.err
    assert part_of(project.root)["outcome"] == "fail"
    assert part_of(project.root, "drop")["outcome"] == "pass", "only the judge sees it"
    assert ask("gate", "latest", cwd=project.root).code == 1


@pytest.fixture
def of_pairs(judge_server: OpenAIServer) -> Iterator[OpenAIServer]:
    """The module's server as a judge of pairs; afterwards it judges single answers again."""
    judge_server.answer, judge_server.decide = prefers_tone, lambda request: None
    yield judge_server
    judge_server.answer = by_tone


def test_a_judge_of_pairs_compares_with_what_production_answered(
    ask: Ask, of_pairs: OpenAIServer, tmp_path: Path
) -> None:
    project = Pairs(tmp_path / "project", url=of_pairs.url, cases=40)
    project.good_v2 = lambda number: False
    project.suite["assume_equal_errors"] = False
    project.write()
    calibrate(project.root)
    produced(project)
    assert ask("replay", "ask", *V2, cwd=project.root).code == 1
    assert part_of(project.root)["outcome"] == "fail"
    assert ask("replay", "ask", cwd=project.root).code == 0


class WithReference(ServedJudge):
    """The judge is shown a right answer."""

    def rubric(self) -> dict[str, Any]:
        prompt = '{{ output | data("REPLY") }}\n{{ reference | data("RIGHT") }}\nAssess it.'
        judge = {"route": "judge", "prompt": prompt}
        return super().rubric() | {"reference": "required", "judge": judge}


def test_a_judge_that_needs_a_reference_gets_what_production_answered(
    ask: Ask, judge_server: OpenAIServer, tmp_path: Path
) -> None:
    judge_server.answer, judge_server.decide = by_tone, lambda request: None
    judge_server.seen.clear()
    project = WithReference(tmp_path / "project", url=judge_server.url, cases=2).write()
    produced(project)
    assert ask("replay", "ask", "--limit", "3", cwd=project.root).code == 3
    assert len(judge_server.seen) == 3
    assert all("RIGHT" in each.prompt and "of v1: " in each.prompt for each in judge_server.seen)


def test_a_judge_without_calibration_keeps_a_replay_from_passing(ask: Ask, served: Served) -> None:
    project = served()
    produced(project)
    forgotten(project)
    done = ask("replay", "ask", cwd=project.root)
    assert done.code == 3
    assert "calibrat" in done.out


def test_recorded_verdicts_say_nothing_of_what_was_said_in_production(
    ask: Ask, recorded: Recorded
) -> None:
    project = recorded()
    produced(project, asks="Once more: {}")
    done = ask("replay", "ask", cwd=project.root)
    assert done.code == 3
    words = " ".join(done.out.split())
    assert "a model (recorded verdicts), judged nothing of the candidate" in words


def test_a_plan_of_a_replay_counts_what_judges_would_be_asked(ask: Ask, served: Served) -> None:
    project = served()
    produced(project)
    planned = json.loads(ask("replay", "ask", "--plan", "--json", cwd=project.root).out)
    assert planned["suites"][0]["judging"]["calls"] == 2 * SESSIONS
