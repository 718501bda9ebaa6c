"""Runs with a judge that may gate: what it decides, what it takes, and who agrees with it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from evalkit.store.spot_checks import SpotChecks
from tests.cli.conftest import V2, Ask
from tests.cli.judged import JudgedProject, reply
from tests.cli.judging import (
    LABELS,
    Recorded,
    Served,
    asked_about,
    asked_once,
    calibrate,
    edit_lines,
    judge_server,
    judging_of,
    label_run,
    latest,
    measured,
    of_version,
    part_in,
    part_of,
    put_labels,
    record_of,
    recorded,
    said,
    served,
    worse,
)
from tests.cli.project import always
from tests.servers.openai_server import OpenAIServer

__all__ = ["asked_once", "judge_server", "measured", "recorded", "served"]

Change = Callable[[JudgedProject], None]


def never(number: int) -> bool:
    return False


def judge_entry(project: JudgedProject) -> dict[str, Any]:
    """The judge among the suite's scorers, to be changed."""
    entry: dict[str, Any] = project.suite["scorers"][-1]
    return entry


def only_the_judge(project: JudgedProject) -> None:
    project.suite["scorers"] = [judge_entry(project)]


# what decides


@pytest.mark.parametrize("change", [lambda project: None, only_the_judge])
def test_equal_arms_pass_by_a_fit_judge(ask: Ask, recorded: Recorded, change: Change) -> None:
    project = recorded()
    change(project)
    project.write()
    done = ask("run", cwd=project.root)
    assert done.code == 0, done.out + done.err
    part = part_of(project.root)
    assert (part["outcome"], part["required"], part["estimate"]["drop"]) == ("pass", True, 0.0)
    assert part["judged"]["equal_errors"] == "same"
    assert part["judged"]["standing"]["standing"] == "fit"


@pytest.mark.parametrize("change", [lambda project: None, only_the_judge])
def test_a_regression_that_only_the_judge_sees_fails(
    ask: Ask, recorded: Recorded, change: Change
) -> None:
    project = recorded(good_v2=worse)
    change(project)
    project.write()
    done = ask("run", *V2, cwd=project.root)
    assert done.code == 1, done.out + done.err
    assert part_of(project.root, "drop")["outcome"] == "pass"
    part = part_of(project.root)
    assert part["outcome"] == "fail"
    # 17.5 points by the judge, who shows 89 % of a difference
    raw, corrected = part["judged"]["raw"]["drop"], part["estimate"]["drop"]
    assert raw == pytest.approx(0.175, abs=0.001) and corrected == pytest.approx(0.196, abs=0.001)
    assert "labels made by a model" in part["message"]


def test_an_improvement_passes(ask: Ask, recorded: Recorded) -> None:
    project = recorded(good_v1=worse)
    assert ask("run", *V2, cwd=project.root).code == 0
    assert part_of(project.root)["estimate"]["upper"] < 0


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"min_pass_rate": 0.5, "max_drop_pp": 50}, 0),
        ({"min_pass_rate": 0.9, "max_drop_pp": 50}, 1),
        ({"min_pass_rate": 0.63, "max_drop_pp": 50}, 3),
        ({"max_drop_pp": 40}, 0),
    ],
)
def test_a_judge_has_a_margin_and_a_floor_of_its_own(
    ask: Ask, recorded: Recorded, limits: dict[str, float], code: int
) -> None:
    project = recorded(good_v2=worse)
    judge_entry(project)["judge"].update(limits)
    project.write()
    assert ask("run", *V2, cwd=project.root).code == code
    part = part_of(project.root)
    assert part["margin"] == limits["max_drop_pp"] / 100
    if "min_pass_rate" in limits:
        floor = part_of(project.root, "judge tone floor")
        assert floor["floor"] == limits["min_pass_rate"]
        assert floor["outcome"] == {0: "pass", 1: "fail", 3: "inconclusive"}[code]
        low, high = floor["candidate_interval"]
        assert low < 0.65 < high


def test_a_floor_alone_is_enough_for_a_judge_without_a_baseline(
    ask: Ask, recorded: Recorded
) -> None:
    project = recorded(good_v1=never)
    only_the_judge(project)
    judge_entry(project)["judge"]["min_pass_rate"] = 0.6
    project.suite["gate"] = {"min_pass_rate": 0.5, "max_drop_pp": None}
    del project.suite["baseline"]
    project.write()
    assert ask("run", cwd=project.root).code == 1
    project.good_v1 = lambda number: number % 5 != 0
    project.write()
    assert ask("run", cwd=project.root).code == 0


def test_a_judge_that_does_not_gate_informs(ask: Ask, recorded: Recorded) -> None:
    project = recorded(good_v2=worse, gate=False)
    done = ask("run", *V2, cwd=project.root)
    assert done.code == 0, done.out
    part = part_of(project.root)
    assert (part["outcome"], part["required"]) == ("fail", False)


def test_a_case_passes_whatever_a_judge_says_of_it(ask: Ask, recorded: Recorded) -> None:
    project = recorded(good_v2=never)
    assert ask("run", *V2, cwd=project.root).code == 1
    totals = {each["variant"]: each for each in record_of(project.root)["suites"][0]["totals"]}
    assert totals["candidate"]["passed"] == 120
    assert totals["candidate"]["failure_modes"] == {}


def test_cases_in_quarantine_are_not_the_judges_either(ask: Ask, recorded: Recorded) -> None:
    project = recorded(good_v2=lambda number: number % 5 != 0 and number > 20)
    assert ask("run", *V2, cwd=project.root).code == 1
    out = {f"c{n:04}": {"until": "2999-01-01", "reason": "Flaky."} for n in range(21)}
    project.suite["quarantine"] = {"cases": out, "max_share": 0.2}
    project.write()
    assert ask("run", *V2, cwd=project.root).code == 0
    assert part_of(project.root)["judged"]["candidate"]["judged"] == 99


# who agrees


@pytest.mark.parametrize(("quality", "code"), [(worse, 1), (lambda number: number % 5 != 0, 0)])
def test_gate_and_score_agree_with_the_run(
    ask: Ask, recorded: Recorded, quality: Any, code: int
) -> None:
    project = recorded(good_v2=quality)
    assert ask("run", *V2, cwd=project.root).code == code
    run = record_of(project.root)["verdict"]
    decided = ask("gate", "latest", "--json", cwd=project.root)
    assert decided.code == code
    assert part_in(json.loads(decided.out)) == part_in(run)
    assert ask("score", "latest", cwd=project.root).code == code
    assert part_of(project.root) == part_in(run)


def test_two_stored_runs_are_gated_by_what_their_judge_said(ask: Ask, recorded: Recorded) -> None:
    project = recorded(good_v2=worse)
    assert ask("run", cwd=project.root).code == 0
    first = latest(project.root)
    assert ask("run", *V2, cwd=project.root).code == 1
    second, run = latest(project.root), part_of(project.root)
    decided = ask("gate", first, second, "--json", cwd=project.root)
    assert decided.code == 1
    part = part_in(json.loads(decided.out))
    assert part["estimate"] == run["estimate"]
    assert part["judged"]["equal_errors"] == "assumed"
    assert ask("gate", second, first, cwd=project.root).code == 0
    assert ask("gate", first, first, cwd=project.root).code == 0


def test_two_runs_of_different_content_need_equal_errors(ask: Ask, recorded: Recorded) -> None:
    project = recorded(good_v2=worse)
    project.suite["assume_equal_errors"] = False
    project.write()
    ask("run", cwd=project.root)
    first = latest(project.root)
    ask("run", *V2, cwd=project.root)
    decided = ask("gate", first, latest(project.root), "--json", cwd=project.root)
    assert decided.code == 3
    assert part_in(json.loads(decided.out))["judged"]["equal_errors"] == "unverified"


def test_runs_of_different_judges_are_not_compared(ask: Ask, served: Served) -> None:
    project = served(cases=5)
    ask("run", cwd=project.root)
    first = latest(project.root)
    project.judge_route["max_tokens"] = 119
    project.write()
    ask("run", cwd=project.root)
    decided = ask("gate", first, latest(project.root), cwd=project.root)
    assert decided.code == 2
    assert "another judge" in decided.err


class Graded(JudgedProject):
    """Scores: kind replies 5, rude ones 1, and what a run makes 3, which may pass or not."""

    middle = True

    def rubric(self) -> dict[str, Any]:
        levels = {"1": "rude", "5": "kind"}
        scale = {"kind": "graded", "lowest": 1, "highest": 5, "levels": levels}
        return super().rubric() | {"scale": scale}

    def verdicts(self, subjects: dict[str, Any]) -> list[dict[str, Any]]:
        def score(output: str, good: bool, number: int) -> int:
            return 3 if "of v3" not in output or number % 10 < 3 else 5 if good else 1

        return [
            {"id": id_, "score": score(subject.output, good, number)}
            for number, (id_, (subject, good)) in enumerate(subjects.items())
        ]

    def label_middle(self, passed: bool) -> None:
        """Label what has a score of 3, and leave the rest as it is."""
        numbers = iter(range(self.labelled))

        def change(row: dict[str, Any]) -> dict[str, Any]:
            if next(numbers) % 10 < 3:
                row["labels"][0]["passed"] = passed
            return row

        edit_lines(self.root, LABELS, change)
        calibrate(self.root)


def test_a_threshold_that_moved_moves_for_both_arms(ask: Ask, tmp_path: Any) -> None:
    project = Graded(tmp_path / "project")
    project.write()
    project.label_middle(True)
    assert ask("run", cwd=project.root).code == 0
    first, judged = latest(project.root), part_of(project.root)["judged"]
    assert judged["standing"]["threshold"] <= 3 and judged["candidate"]["passed"] == 120
    project.label_middle(False)
    assert ask("run", *V2, "--baseline", first, cwd=project.root).code == 0
    judged = part_of(project.root)["judged"]
    assert judged["standing"]["threshold"] > 3
    assert (judged["baseline"]["passed"], judged["candidate"]["passed"]) == (0, 0)
    assert ask("gate", first, latest(project.root), cwd=project.root).code == 0


def test_a_stored_run_as_baseline_brings_its_verdicts_along(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(good_v2=never, cases=50)
    assert ask("run", cwd=project.root).code == 0
    assert len(judge_server.seen) == 50
    judge_server.seen.clear()
    done = ask("run", *V2, "--baseline", latest(project.root), "--no-cache", cwd=project.root)
    assert done.code == 1, done.out + done.err
    assert asked_about(judge_server, 1) == {}
    assert len(asked_about(judge_server, 2)) == 50
    taken = judging_of(project.root)
    assert (taken["judgments"], taken["shared"], taken["calls"]) == (100, 50, 50)


# what is asked, and what it takes


def test_every_distinct_output_is_asked_about_once(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(good_v2=worse)
    same = {"content": reply(0, good=True, version=1)}
    project.replies = {
        "ask@v1": always(same),
        "ask@v2": lambda n: same if n < 100 else {"content": reply(n, good=True, version=2)},
    }
    project.suite["trials"] = 2
    project.case_changes = {n: {"input": {"question": "The same?"}} for n in range(50)}
    project.write()
    assert ask("run", *V2, cwd=project.root).code == 0
    # 50 cases with one question and one reply are one output; 70 others in the baseline
    assert len(judge_server.seen) == 1 + 70 + 20
    assert max(asked_about(judge_server, 2).values()) == 1
    taken = judging_of(project.root)
    assert (taken["judgments"], taken["calls"], taken["shared"]) == (480, 91, 389)


def test_verdicts_are_cached_by_content(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(good_v2=never, cases=40)
    assert ask("run", *V2, cwd=project.root).code == 1
    first = judging_of(project.root)
    assert len(judge_server.seen) == first["calls"] == 80
    assert ask("run", *V2, cwd=project.root).code == 1
    assert len(judge_server.seen) == 80
    assert judging_of(project.root)["billed_usd"] == 0
    assert judging_of(project.root)["cost_usd"] == pytest.approx(first["cost_usd"])
    assert ask("run", *V2, "--no-cache", cwd=project.root).code == 1
    assert len(judge_server.seen) == 160


def test_what_judging_took_is_told_apart(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(cases=20)
    ask("run", *V2, cwd=project.root)
    record, taken = record_of(project.root), judging_of(project.root)
    assert taken["billed_usd"] > 0
    assert record["billed_usd"] == pytest.approx(taken["billed_usd"])
    assert [each["billed_usd"] for each in record["suites"][0]["totals"]] == [0, 0]
    asked = [each["usage"] for each in usages(project.root)]
    assert taken["input_tokens"] == sum(each["input_tokens"] for each in asked)


def usages(root: Any) -> list[dict[str, Any]]:
    """The calls of the newest run's judgments."""
    path = root / ".evalkit/runs" / latest(root) / "judgments.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [call for row in rows if not row["shared"] for call in row["opinion"]["calls"]]


def test_a_judge_spends_inside_the_runs_budget(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(good_v2=never, cases=50)
    # for two in five outputs: too few to tell anything, whichever they are
    project.config["budgets"] = [{"scope": "run", "max_usd": 0.01}]
    project.write()
    done = ask("run", *V2, cwd=project.root)
    assert done.code == 4, done.out + done.err
    assert "budget exhausted" in done.out
    record, taken = record_of(project.root), judging_of(project.root)
    assert 0 < taken["billed_usd"] <= 0.01
    assert taken["cost_usd"] == pytest.approx(taken["billed_usd"])
    assert record["state"] == "incomplete"
    assert ask("gate", "latest", cwd=project.root).code == 2
    asked = len(judge_server.seen)
    assert ask("run", "--resume", "latest", cwd=project.root).code == 4
    assert len(judge_server.seen) - asked < 10
    project.config["budgets"] = [{"scope": "run", "max_usd": 1}]
    project.write()
    assert ask("run", "--resume", "latest", cwd=project.root).code == 1
    assert set(asked_about(judge_server, 1).values()) == {1}
    assert judging_of(project.root)["billed_usd"] > 0.01


def test_selected_cases_are_judged_and_not_gated(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served(good_v2=never)
    done = ask("run", *V2, "--case", "c0001", "--case", "c0003", cwd=project.root)
    assert done.code == 3
    assert len(judge_server.seen) == 4
    assert record_of(project.root)["verdict"] is None
    assert judging_of(project.root)["judgments"] == 4
    assert not list((project.root / ".evalkit").glob("spot_checks/*"))
    assert ask("gate", "latest", cwd=project.root).code == 2


def test_an_open_verdict_of_a_judge_takes_more_trials(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served()
    price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}
    project.config["models"]["talker"] = {"provider": "served", "price": price}
    project.route["models"] = {"primary": "talker"}
    project.route["max_tokens"] = 100
    only_the_judge(project)
    project.suite["gate"] = {"max_drop_pp": 8, "on_inconclusive": "escalate"}
    project.write()
    made: dict[str, int] = {}

    def answer(request: Any) -> str | None:
        if request.body["model"] == "assessor":
            return said("pass" if "please" in request.prompt else "fail")
        number = int(request.prompt.split("Is ")[1].split()[0])
        version = 2 if "v2 " in request.prompt else 1
        trial = made[request.prompt] = made.get(request.prompt, -1) + 1
        # either prompt is rude to another fifth of the questions each time
        good = (number + trial + version) % 5 != 0
        return reply(number + 1000 * trial, good=good, version=version)

    judge_server.answer = answer
    done = ask("run", *V2, cwd=project.root)
    assert done.code == 0, done.out + done.err
    looks = record_of(project.root)["verdict"]["suites"][0]["looks"]
    assert [look["outcome"] for look in looks][:2] == ["inconclusive", "pass"]
    judged = part_of(project.root)["judged"]
    assert judged["candidate"]["judged"] == 120 * looks[1]["trials"]


def test_more_trials_are_not_bought_for_a_judge_that_cannot_gate(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    project = served()
    project.config["models"]["tiny"]["provider"] = "served"
    project.suite["assume_equal_errors"] = False
    project.suite["scorers"] = [judge_entry(project)]
    project.suite["gate"] = {"max_drop_pp": 10, "on_inconclusive": "escalate"}
    project.route["max_tokens"] = 100
    project.cases = 60
    project.write()

    def answer(request: Any) -> str | None:
        if request.body["model"] == "assessor":
            return said("pass")
        return reply(1, good=True, version=2 if "v2 " in request.prompt else 1)

    judge_server.answer = answer
    assert ask("run", *V2, cwd=project.root).code == 3
    made = [each for each in judge_server.seen if each.body["model"] != "assessor"]
    assert len(made) == 120


# labels of a run


def test_labels_of_a_run_let_its_judge_decide(ask: Ask, recorded: Recorded) -> None:
    project = recorded(good_v2=worse)
    project.suite["assume_equal_errors"] = False
    project.write()
    assert ask("run", *V2, cwd=project.root).code == 3
    assert "nobody has checked that it errs alike" in part_of(project.root)["message"]
    assert label_run(ask, project.root, count=40).code == 0
    decided = ask("gate", "latest", "--json", cwd=project.root)
    part = part_in(json.loads(decided.out))
    assert (decided.code, part["judged"]["equal_errors"]) == (3, "unverified")
    assert "20 labels on the baseline's outputs, 20 on the candidate's" in part["message"]
    put_labels(project.root, count=110)
    decided = ask("gate", "latest", "--json", cwd=project.root)
    part = part_in(json.loads(decided.out))
    assert (decided.code, part["judged"]["equal_errors"]) == (1, "paired")
    assert part["judged"]["labels"] == 110
    arms = [part["judged"][arm] for arm in ("baseline", "candidate")]
    assert [arm["method"] for arm in arms] == ["post_stratified"] * 2
    assert part["judged"]["candidate"]["corrected"]["value"] == pytest.approx(0.6, abs=0.12)
    # which outputs are labelled is drawn by the run's id
    assert part["estimate"]["drop"] == pytest.approx(0.2, abs=0.12)


def test_labels_of_a_run_pass_what_did_not_drop(ask: Ask, recorded: Recorded) -> None:
    project = recorded()
    project.suite["assume_equal_errors"] = False
    project.write()
    assert ask("run", *V2, cwd=project.root).code == 3
    put_labels(project.root, count=110)
    decided = ask("gate", "latest", "--json", cwd=project.root)
    assert decided.code == 0
    assert part_in(json.loads(decided.out))["estimate"]["drop"] == pytest.approx(0, abs=0.02)


def test_labels_show_a_judge_that_favours_one_arm(
    ask: Ask, served: Served, judge_server: OpenAIServer
) -> None:
    # says that every reply of the new prompt is good, as does nobody else
    project = served(good_v2=lambda number: number % 5 != 0 and number % 3 != 0)
    judge_server.answer = of_version(2, said("pass"))
    assert ask("run", *V2, cwd=project.root).code == 0  # as it was told to assume
    put_labels(project.root, count=60)
    decided = ask("gate", "latest", "--json", cwd=project.root)
    assert decided.code == 3
    part = part_in(json.loads(decided.out))
    assert part["judged"]["equal_errors"] == "differ"
    assert "errs" in part["message"]


def test_labels_of_a_run_make_its_calibration_stale_and_measure_anew(
    ask: Ask, recorded: Recorded
) -> None:
    project = recorded()
    assert ask("run", cwd=project.root).code == 0
    label_run(ask, project.root, count=10)
    assert ask("check", cwd=project.root).code == 2
    assert ask("run", cwd=project.root).code == 3
    calibrate(project.root)
    assert ask("run", cwd=project.root).code == 0


def test_a_run_puts_outputs_aside_for_labelling(ask: Ask, recorded: Recorded) -> None:
    project = recorded()
    judge_entry(project)["judge"]["spot_checks"] = 6
    project.write()
    assert ask("run", *V2, cwd=project.root).code == 0
    queue = SpotChecks(project.root)
    waiting = queue.waiting("tone@v1")
    assert len(waiting) == 6
    assert {item.source["run"] for item in waiting} == {latest(project.root)}
    assert not any(item.labels for item in waiting)
    judge_entry(project)["judge"]["spot_checks"] = 0
    project.write()
    assert ask("run", *V2, cwd=project.root).code == 0
    assert queue.waiting("tone@v1") == waiting
