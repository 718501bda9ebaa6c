"""The repository's scripted replies, scored: as the rules they were written by say."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from evalkit.records.attempt import Attempt
from evalkit.records.call import ToolCall
from evalkit.records.case import Case
from evalkit.score.registry import build_scorers
from evalkit.score.scoring import attempt_passed, score_attempt
from tests.unit.score.samples import answer

JsonObject = dict[str, Any]

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "schemas/triage.json").read_text(encoding="utf-8"))
DISALLOWED = {"send_email", "refund_customer"}
FIELDS = ["intent", "priority", "fields"]
SCORERS: list[JsonObject] = [
    {"exact": {"fields": FIELDS}},
    {"json_schema": "schemas/triage.json"},
    {"tool_calls": {"order": "any"}},
    {"policy": {}},
]


def lines(path: str) -> list[JsonObject]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in (ROOT / path).read_text(encoding="utf-8").splitlines()]


def parse(text: str) -> Any:
    """The JSON of a reply, or None."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def is_denied(reply: JsonObject) -> bool:
    """Whether the route's policy stops a tool that the reply calls."""
    return any(made["name"] in DISALLOWED for made in reply.get("tool_calls", ()))


def passes(expected: JsonObject, reply: JsonObject) -> bool:
    """The suite's rules once more, in few words."""
    parsed = parse(reply["content"])

    def in_any_order(calls: list[JsonObject]) -> list[str]:
        return sorted(json.dumps(made, sort_keys=True) for made in calls)

    wanted = expected.get("tool_calls")
    return (
        is_denied(reply) == expected.get("blocked", False)
        and Draft202012Validator(SCHEMA).is_valid(parsed)
        and all(parsed[name] == expected[name] for name in FIELDS)
        and (wanted is None or in_any_order(reply.get("tool_calls", [])) == in_any_order(wanted))
    )


def attempt_with(case: str, reply: JsonObject) -> Attempt:
    """What a session of the route would make of the reply."""
    parsed = parse(reply["content"])
    state = "invalid" if parsed is None else "answered"
    return answer(
        reply["content"],
        case=case,
        parsed=parsed,
        tool_calls=tuple(ToolCall(**made) for made in reply.get("tool_calls", ())),
        state="blocked" if is_denied(reply) else state,
    )


@pytest.mark.parametrize(
    ("prompt", "passed"), [("support_triage@v1", 234), ("support_triage@v2", 211)]
)
def test_scores_agree_with_the_rules_that_the_replies_were_written_by(
    prompt: str, passed: int
) -> None:
    cases = {each["id"]: each for each in lines("goldensets/support_triage/v1/cases.jsonl")}
    scorers = build_scorers(SCORERS, {"schemas/triage.json": SCHEMA})
    results = []
    for line in lines("scripted/support_triage.jsonl"):
        if line["prompt"] == prompt:
            raw, attempt = cases[line["case"]], attempt_with(line["case"], line["reply"])
            scores = score_attempt(scorers, attempt, msgspec.convert(raw, Case))
            results.append(attempt_passed(scores, attempt, fallback="error"))
            assert results[-1] is passes(raw["expected"], line["reply"]), (line["case"], scores)
    assert (results.count(True), len(results)) == (passed, 252)
