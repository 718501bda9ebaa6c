"""What a program gives back, read strictly."""

from typing import Any

import pytest

from evalkit.execute.programs.answer import TargetFailed, pick_answer, read_answer

FIELDS = {part: part for part in ("output", "tool_calls", "documents", "usage", "cost_usd")}


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ("yes", "yes"),
        ({"intent": "a"}, {"intent": "a"}),
        ({"output": "yes", "intent": "a"}, {"output": "yes", "intent": "a"}),
        ({"output": "yes"}, "yes"),
        ({"output": {"intent": "a"}, "cost_usd": 0.1}, {"intent": "a"}),
        ([1, 2], [1, 2]),
        (3, "3"),
        (True, "true"),
        (0.5, "0.5"),
    ],
)
def test_an_object_is_of_the_documented_form_or_the_output_itself(value: Any, output: Any) -> None:
    assert read_answer(value).output == output


def test_what_a_program_tells_of_its_work_is_kept() -> None:
    answer = read_answer(
        {
            "output": "done",
            "tool_calls": [{"name": "look_up", "arguments": {"id": 1}}, {"name": "pay"}],
            "documents": ["kb-1", {"id": "kb-2", "text": "…"}],
            "usage": {"input_tokens": 5},
            "cost_usd": 0.25,
        }
    )
    assert answer.tool_calls is not None and answer.usage is not None
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [
        ("look_up", {"id": 1}),
        ("pay", {}),
    ]
    assert answer.documents == ("kb-1", "kb-2")
    assert (answer.usage.input_tokens, answer.cost_usd) == (5, 0.25)


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"output": None},
        {"output": "x", "tool_calls": "look_up"},
        {"output": "x", "tool_calls": [{"arguments": {}}]},
        {"output": "x", "documents": [1]},
        {"output": "x", "usage": {"tokens": 5}},
        {"output": "x", "cost_usd": "much"},
        {"output": "x", "cost_usd": -0.1},
        {"output": "x", "usage": {"input_tokens": -5, "output_tokens": 1}},
        {"output": "x", "usage": {"input_tokens": 1, "output_tokens": 10**30}},
    ],
)
def test_what_cannot_be_read_is_the_targets_failure(value: Any) -> None:
    with pytest.raises(TargetFailed):
        read_answer(value)


def test_parts_are_picked_where_the_paths_lead() -> None:
    reply = {"choices": [{"message": {"content": "yes"}}], "bill": {"usd": 0.1}}
    paths = {**FIELDS, "output": "choices.0.message.content", "cost_usd": "bill.usd"}
    answer = pick_answer(reply, paths)
    assert (answer.output, answer.cost_usd, answer.usage) == ("yes", 0.1, None)
    for other in ({"choices": []}, ["yes"], "yes", {"choices": {"0": 1}}):
        with pytest.raises(TargetFailed, match=r"choices\.0\.message\.content"):
            pick_answer(other, paths)
