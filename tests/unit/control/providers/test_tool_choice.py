"""Which tool has to be called: asked in one way, written in each format's own."""

from typing import Any

import pytest

from evalkit.control.providers.anthropic import payload_of as anthropic
from evalkit.control.providers.bedrock import payload_of as bedrock
from evalkit.control.providers.gemini import payload_of as gemini
from evalkit.control.providers.openai_request import payload_of as chat
from evalkit.control.providers.openai_responses import payload_of as responses
from evalkit.control.providers.protocol import UnsentParameter
from evalkit.records.asset import Tool
from evalkit.records.call import Message, Request

ONE = {"type": "function", "function": {"name": "lookup"}}


def request(**params: Any) -> Request:
    return Request(
        model="m",
        messages=(Message(role="user", content="hello"),),
        key="k",
        params=params,
        tools=(Tool(name="lookup"),),
    )


@pytest.mark.parametrize(
    ("choice", "there"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        (ONE, {"type": "tool", "name": "lookup"}),
        ({"type": "tool", "name": "own"}, {"type": "tool", "name": "own"}),
    ],
)
def test_anthropic_is_told_in_its_words(choice: Any, there: Any) -> None:
    assert anthropic(request(tool_choice=choice))["tool_choice"] == there


def test_one_call_a_turn_is_part_of_anthropic_s_choice() -> None:
    sent = anthropic(request(parallel_tool_calls=False))
    assert sent["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "parallel_tool_calls" not in sent
    sent = anthropic(request(tool_choice=ONE, parallel_tool_calls=False))
    assert sent["tool_choice"]["disable_parallel_tool_use"]


@pytest.mark.parametrize(
    ("choice", "there"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (ONE, {"mode": "ANY", "allowedFunctionNames": ["lookup"]}),
    ],
)
def test_gemini_is_told_in_its_words(choice: Any, there: Any) -> None:
    sent = gemini(request(tool_choice=choice))
    assert sent["toolConfig"]["functionCallingConfig"] == there
    assert "tool_choice" not in str(sent)


@pytest.mark.parametrize(
    ("choice", "there"),
    [("auto", {"auto": {}}), ("required", {"any": {}}), (ONE, {"tool": {"name": "lookup"}})],
)
def test_bedrock_is_told_in_its_words(choice: Any, there: Any) -> None:
    assert bedrock(request(tool_choice=choice))["toolConfig"]["toolChoice"] == there


def test_openai_s_formats_are_told_in_theirs() -> None:
    assert chat(request(tool_choice=ONE))["tool_choice"] == ONE
    assert responses(request(tool_choice="required"))["tool_choice"] == "required"
    assert responses(request(tool_choice=ONE))["tool_choice"] == {
        "type": "function",
        "name": "lookup",
    }


def test_what_a_format_cannot_be_told_is_refused_by_name() -> None:
    for payload_of in (gemini, bedrock):
        with pytest.raises(UnsentParameter, match="parallel_tool_calls"):
            payload_of(request(parallel_tool_calls=False))
    with pytest.raises(UnsentParameter, match="tool_choice"):
        bedrock(request(tool_choice="none"))


def test_calls_may_be_parallel_everywhere() -> None:
    for payload_of in (anthropic, gemini, bedrock):
        assert "parallel" not in str(payload_of(request(parallel_tool_calls=True)))
