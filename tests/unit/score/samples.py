"""Attempts and cases of these tests, and one scorer on one of them."""

import json
from typing import Any

import msgspec

from evalkit.records.attempt import Attempt
from evalkit.records.call import ToolCall
from evalkit.records.case import Case
from evalkit.records.score import Score
from evalkit.score.registry import build_scorers
from evalkit.score.scoring import score_attempt

ANSWERED = Attempt(
    at="2026-11-24T12:00:00Z",
    variant="candidate",
    suite="desk",
    case="c-1",
    trial=1,
    key="k",
    state="answered",
    model="tiny",
    planned_model="tiny",
)


def answer(output: str | None = None, **changes: Any) -> Attempt:
    """An answered attempt with this text; `changes` are any fields of it."""
    return msgspec.structs.replace(ANSWERED, output=output, **changes)


def answer_json(value: Any, **changes: Any) -> Attempt:
    """An answered attempt whose reply is this JSON, as a prompt that asks for JSON leaves it."""
    return answer(json.dumps(value), parsed=value, **changes)


def answer_calls(*calls: ToolCall, **changes: Any) -> Attempt:
    """An answered attempt that only calls tools."""
    return answer("", tool_calls=calls, **changes)


def call(name: str, **arguments: Any) -> ToolCall:
    """A tool call."""
    return ToolCall(name=name, arguments=arguments)


def case(**expected: Any) -> Case:
    """The case that these attempts are made at."""
    return Case(id="c-1", input={"text": "hello"}, expected=expected)


def score(entry: dict[str, Any], attempt: Attempt, expecting: Case, **schemas: Any) -> Score:
    """What one scorer says, with `schemas` by file name without its ending."""
    scorers = build_scorers([entry], {f"{name}.json": schema for name, schema in schemas.items()})
    return score_attempt(scorers, attempt, expecting)[1]
