"""The input of a case, out of the messages that a prompt was rendered to."""

import re
from collections.abc import Collection, Sequence
from typing import Any

from evalkit.config.patterns import compile_pattern
from evalkit.errors import ConfigError
from evalkit.execute.rendering import PromptRenderer
from evalkit.records.asset import Agent, Prompt
from evalkit.records.call import Message
from evalkit.records.case import Case, Document
from evalkit.sources.prompts import inputs_of

# stands in for a value while a prompt is rendered, so that its place can be found
_PLACE = "evalkit{number}place"
_FOUND = re.compile(r"evalkit([0-9]+)place")


def fit_prompt(
    prompt: Prompt, messages: Sequence[Message], documents: Sequence[Document] = ()
) -> dict[str, Any] | None:
    """The input that `prompt` renders to these messages; None where there is none.

    Texts alone are found: a prompt that asks whether a value is there, or reads a part of one, fits
    nothing. What is returned was rendered once more, and gave the messages word for word.
    """
    keys = inputs_of(prompt)
    if not keys or [each.role for each in prompt.messages] != [each.role for each in messages]:
        return None
    try:
        renderer = PromptRenderer(prompt)
        places = {key: _PLACE.format(number=number) for number, key in enumerate(keys)}
        shapes = renderer.messages(Case(id="", input=places), documents)
    except ConfigError:
        return None
    found: dict[str, Any] = {}
    for shape, message in zip(shapes, messages, strict=True):
        values = _match(shape.content, message.content, keys)
        if values is None or any(found.get(key, value) != value for key, value in values.items()):
            return None
        found |= values
    if found.keys() != set(keys):
        return None
    try:
        again = renderer.messages(Case(id="", input=found), documents)
    except ConfigError:
        return None
    same = [each.content for each in again] == [each.content for each in messages]
    return found if same else None


def fit_conversation(
    agent: Agent, heard: Sequence[Message], documents: Sequence[Document] = ()
) -> tuple[dict[str, Any], tuple[str, ...]] | None:
    """The input that an agent's prompt renders to the first of these messages, and what the user
    said after them; None where they do not begin like that.

    What a step of the agent says as the user is nothing that the user said.
    """
    first = len(agent.prompt.messages)
    found = fit_prompt(agent.prompt, heard[:first], documents)
    if found is None:
        return None
    told = {step.says for step in agent.steps}
    return found, tuple(
        each.content for each in heard[first:] if each.role == "user" and each.content not in told
    )


def _match(shape: str, text: str, keys: Sequence[str]) -> dict[str, str] | None:
    """What stands in the places of a shape; None where the text is not of it."""
    parts = _FOUND.split(shape)
    pattern = "".join(
        "((?s:.*?))" if index % 2 else re.escape(part) for index, part in enumerate(parts)
    )
    match = compile_pattern(pattern).fullmatch(text)
    if match is None:
        return None
    values: dict[str, str] = {}
    for number, value in zip(parts[1::2], match.groups(), strict=True):
        if values.setdefault(keys[int(number)], value) != value:
            return None
    return values


def only_text_key(inputs: Collection[dict[str, Any]]) -> str | None:
    """The key that every input has and no other, with a text under it; None where there is none."""
    keys = {key for each in inputs for key in each}
    if len(keys) != 1:
        return None
    (key,) = keys
    return key if all(isinstance(each[key], str) for each in inputs) else None
