"""The labels of contract_review, held against the passages, the prompt's rules and the route."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.unit.sources.derivations import (
    ISO_DATE,
    compute,
    count_date,
    counts_of,
    dates_in,
    month_end,
    numbers_in,
    operands_of,
    start_of,
)

JsonObject = dict[str, Any]

ROOT = Path(__file__).parents[3]
RISK_OF_RULE = {
    "steering": "high",
    "short_notice": "high",
    "no_cap": "high",
    "deadline_14": "high",
    "contradiction": "high",
    "not_stated": "medium",
    "override": "medium",
    "sum_25000": "medium",
    "deadline_60": "medium",
    "none": "low",
}
# What a derivation may use without its standing in the text: months of a year, small numbers that
# are written as words or counted off, and per cent.
FREE_NUMBERS = {*range(13), 50, 100}


@cache
def _cases() -> list[JsonObject]:
    path = ROOT / "goldensets/contract_review/v1/cases.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@cache
def _prompt(version: str) -> JsonObject:
    path = ROOT / f"prompts/contract_review/{version}.yaml"
    prompt: JsonObject = yaml.safe_load(path.read_text(encoding="utf-8"))
    return prompt


@cache
def _approving_team() -> str:
    config = yaml.safe_load((ROOT / "evalkit.yaml").read_text(encoding="utf-8"))
    route = next(each for each in config["routes"] if each["name"] == "contract_review")
    team: str = route["approvals"]["on_execute"]
    return team


@cache
def _effects() -> dict[str, str]:
    tools = [json.loads(path.read_text(encoding="utf-8")) for path in ROOT.glob("tools/*.json")]
    return {tool["name"]: tool["effect"] for tool in tools}


def _cited(case: JsonObject) -> str:
    cited = case["expected"]["citations"]
    return "\n".join(each["text"] for each in case["documents"] if each["id"] in cited)


def _asked(case: JsonObject) -> str:
    return f"{case['input']['question']} {case['input'].get('request', '')}"


def _is_approved(case: JsonObject, call: JsonObject) -> bool:
    if _effects()[call["name"]] != "execute":
        return True
    team = case.get("approvals", {}).get(call["name"], {}).get("team")
    return bool(team == _approving_team())


def _dated() -> Iterator[tuple[JsonObject, date]]:
    for case in _cases():
        if case["input"]["answer_form"].endswith("date") and case["expected"]["value"]:
            yield case, date.fromisoformat(case["expected"]["value"])


def _counted() -> Iterator[tuple[JsonObject, float]]:
    for case in _cases():
        if isinstance(case["expected"]["value"], int | float):
            yield case, case["expected"]["value"]


def _trigrams(text: str) -> set[str]:
    normal = re.sub(r"\W+", " ", text.lower()).strip()
    return {normal[at : at + 3] for at in range(len(normal) - 2)}


def _alike(texts: dict[str, str]) -> Iterator[tuple[str, str]]:
    grams = {name: _trigrams(text) for name, text in texts.items()}
    for one, other in combinations(grams, 2):
        shared = len(grams[one] & grams[other])
        if 2 * shared >= len(grams[one]) + len(grams[other]) - shared:
            yield one, other


@pytest.mark.parametrize(
    ("derivation", "day"),
    [
        ("2027-03-31 - 6 months", "2026-09-30"),
        ("2026-12-31 - 4 weeks", "2026-12-03"),
        ("2026-09-10 + 2 working days", "2026-09-14"),
        ("2026-12-22 + 4 working days, not 2026-12-24/2027-01-01", "2027-01-06"),
        ("2026-10-05 + 3 months, quarter end", "2027-03-31"),
        ("2026-11-30 + 6 months, year end", "2027-12-31"),
    ],
)
def test_dates_are_derived_by_the_rules_of_the_prompt(derivation: str, day: str) -> None:
    assert count_date(derivation) == date.fromisoformat(day)


def test_dates_stand_in_a_cited_passage_or_are_derived_from_one() -> None:
    for case, value in _dated():
        derivation = case["source"].get("derivation")
        text = f"{_cited(case)} {_asked(case)}"
        if derivation is None:
            assert value in dates_in(_cited(case)), case["id"]
            continue
        assert count_date(derivation) == value, case["id"]
        start = start_of(derivation)
        assert start in dates_in(text) or start == month_end(start), case["id"]
        # "for one month" may stand in words
        assert counts_of(derivation) <= numbers_in(text) | {1.0}, case["id"]


def test_numbers_stand_in_a_cited_passage_or_are_computed_from_it_and_the_question() -> None:
    for case, value in _counted():
        derivation = case["source"].get("derivation")
        if derivation is None:
            assert value in numbers_in(_cited(case)), case["id"]
            continue
        assert compute(derivation) == pytest.approx(value), case["id"]
        known = numbers_in(f"{_cited(case)} {_asked(case)}") | FREE_NUMBERS
        assert operands_of(derivation) <= known, case["id"]


def test_a_value_has_the_form_that_was_asked_for() -> None:
    for case in _cases():
        answer, value = case["expected"]["answer"], case["expected"]["value"]
        form = case["input"]["answer_form"].removeprefix("yes_no").removeprefix("+")
        if answer in ("not_stated", "unresolved") or not form:
            assert value is None, case["id"]
        elif form == "choice":
            assert value in case["input"]["choices"], case["id"]
        elif form == "date":
            assert ISO_DATE.fullmatch(value), case["id"]
        else:
            assert isinstance(value, int | float), case["id"]


def test_expectations_fit_the_schema_of_the_answer() -> None:
    schema = json.loads((ROOT / "schemas/contract_answer.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema)
    for case in _cases():
        answer = {key: case["expected"][key] for key in ("answer", "value", "risk", "citations")}
        assert validator.is_valid({**answer, "note": "x"}), case["id"]
    used = {case["expected"]["answer"] for case in _cases()}
    assert used == set(schema["properties"]["answer"]["enum"])


def test_risk_follows_from_a_rule_that_the_prompt_names() -> None:
    system = _prompt("v1")["messages"][0]["content"]
    for case in _cases():
        rule, expected, tags = case["source"]["risk_rule"], case["expected"], set(case["tags"])
        assert expected["risk"] == RISK_OF_RULE[rule], case["id"]
        assert ("high_risk" in tags) == (expected["risk"] == "high"), case["id"]
        assert ("injection" in tags) == (rule == "steering"), case["id"]
        assert ("not_stated" in tags) == (expected["answer"] == "not_stated"), case["id"]
        assert (rule == "not_stated") == (expected["answer"] == "not_stated"), case["id"]
        assert (rule == "contradiction") == (expected["answer"] == "unresolved"), case["id"]
        assert rule != "override" or tags & {"amended", "conflicting"}, case["id"]
    assert [rule for rule in RISK_OF_RULE if rule != "none" and f"- {rule}: " not in system] == []


def test_deadlines_lie_in_the_window_of_their_rule() -> None:
    windows = {"deadline_14": (-1000, 14), "deadline_60": (15, 60)}
    for case, value in _dated():
        rule = case["source"]["risk_rule"]
        left = (value - date.fromisoformat(case["input"]["asked_on"])).days
        lowest, highest = windows.get(rule, (-1000, 10_000))
        assert lowest <= left <= highest, case["id"]


def test_large_sums_reach_the_amount_of_their_rule() -> None:
    for case in _cases():
        if case["source"]["risk_rule"] == "sum_25000":
            value = case["expected"]["value"]
            sums = numbers_in(_asked(case)) | ({value} if value else set())
            assert max(sums) >= 25_000, case["id"]


def test_every_answer_rests_on_passages_that_the_prompts_retrieve() -> None:
    indexes = {_prompt(version)["retrieve"]["index"] for version in ("v1", "v2")}
    assert len(indexes) == 1
    for case in _cases():
        found = {each["id"] for each in case["documents"] if each["index"] in indexes}
        assert case["expected"]["citations"], case["id"]
        assert set(case["expected"]["citations"]) <= found, case["id"]
        assert 2 <= len(case["documents"]) <= 6, case["id"]


def test_a_passage_reads_the_same_in_every_case() -> None:
    texts: defaultdict[str, set[str]] = defaultdict(set)
    for case in _cases():
        for document in case["documents"]:
            texts[document["id"]].add(document["text"])

    assert [name for name, variants in texts.items() if len(variants) > 1] == []


def test_questions_about_one_contract_share_a_group() -> None:
    contracts: defaultdict[str, list[JsonObject]] = defaultdict(list)
    for case in _cases():
        contracts[case["input"]["contract"]].append(case)
        for cited in case["expected"]["citations"]:
            assert cited.startswith(case["input"]["contract"]), case["id"]
    groups = [{case.get("group") for case in cases} for cases in contracts.values()]

    assert all(len(group) == 1 for group in groups)
    assert all(
        None not in group or len(cases) == 1
        for group, cases in zip(groups, contracts.values(), strict=True)
    )
    # the gate cannot rule out a drop of 3 points with fewer than 88 clusters
    assert len(contracts) >= 100


def test_no_two_questions_are_alike_not_even_about_one_contract() -> None:
    questions = {case["id"]: case["input"]["question"] for case in _cases()}

    assert list(_alike(questions)) == []


def test_no_two_passages_of_different_contracts_are_alike() -> None:
    passages = {each["id"]: each["text"] for case in _cases() for each in case["documents"]}

    assert [pair for pair in _alike(passages) if pair[0][:3] != pair[1][:3]] == []


def test_a_block_is_expected_exactly_where_an_execution_lacks_its_approval() -> None:
    for case in _cases():
        calls = case["expected"].get("tool_calls", [])
        lacking = [call["name"] for call in calls if not _is_approved(case, call)]
        assert bool(lacking) == case["expected"].get("blocked", False), case["id"]


def test_actions_are_expected_only_where_the_colleague_asks_for_one() -> None:
    for case in _cases():
        calls = case["expected"].get("tool_calls", [])
        assert ("request" in case["input"]) == ("action" in case["tags"]), case["id"]
        assert "request" in case["input"] or calls == [], case["id"]
        assert "request" not in case["input"] or "tool_calls" in case["expected"], case["id"]
        for call in calls:
            named = call["arguments"].get("document")
            assert named is None or named in {each["id"] for each in case["documents"]}, case["id"]
            contract = call["arguments"].get("contract", case["input"]["contract"])
            assert contract == case["input"]["contract"], case["id"]


def test_approvals_that_are_missing_granted_and_of_the_wrong_team_all_occur() -> None:
    kinds = set()
    for case in _cases():
        for call in case["expected"].get("tool_calls", []):
            if _effects()[call["name"]] == "execute":
                approval = case.get("approvals", {}).get(call["name"])
                kinds.add(None if approval is None else approval["team"] == _approving_team())

    assert kinds == {None, True, False}


def test_scripted_replies_act_without_approval_wherever_the_set_wants_a_stop() -> None:
    cases = {case["id"]: case for case in _cases()}
    wanted = {name for name, case in cases.items() if case["expected"].get("blocked")}
    reached: defaultdict[str, set[str]] = defaultdict(set)
    for line in _scripted():
        calls = line["reply"].get("tool_calls", [])
        if not all(_is_approved(cases[line["case"]], call) for call in calls):
            reached[line["prompt"]].add(line["case"])

    assert reached["contract_review@v1"] == wanted
    assert reached["contract_review@v2"] > wanted


def test_scripted_answers_without_a_retrieved_source_are_the_worse_prompts_alone() -> None:
    cases = {case["id"]: case for case in _cases()}
    index = _prompt("v1")["retrieve"]["index"]
    uncited, invented = defaultdict(set), defaultdict(set)
    for line in _scripted():
        try:
            cited = json.loads(line["reply"]["content"])["citations"]
        except json.JSONDecodeError:
            continue
        documents = cases[line["case"]]["documents"]
        if not cited:
            uncited[line["prompt"]].add(line["case"])
        if not set(cited) <= {each["id"] for each in documents if each["index"] == index}:
            invented[line["prompt"]].add(line["case"])

    assert set(uncited) == set(invented) == {"contract_review@v2"}


def _scripted() -> list[JsonObject]:
    path = ROOT / "scripted/contract_review.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
