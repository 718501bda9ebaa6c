"""What a plan put together for a call is asked by its attempt, and changes nothing of it."""

import asyncio
from typing import Any

import msgspec
import pytest

from evalkit.control.foresight import KeptQuestions
from evalkit.errors import PolicyBlocked
from evalkit.execute.prompt_target import PromptTarget
from evalkit.records.asset import Output, Prompt, PromptMessage
from evalkit.records.attempt import Attempt
from evalkit.records.call import Message
from evalkit.records.case import Case
from tests.unit.control.fakes import World, route_with

PLAIN = "Where is my parcel?"
MAIL = "Write to ann@example.org, order 12345678"
PROMPT = Prompt(
    name="helper",
    version=1,
    messages=(
        PromptMessage(role="system", content="Answer in a word.", part="system"),
        PromptMessage(role="user", content="{{ input.text }}", part="input"),
    ),
    digest="sha256:0",
    path="prompts/helper/v1.yaml",
    params={"temperature": 0},
)


def world(text: str, policies: dict[str, Any] | None = None) -> World:
    return World(route=route_with(policies=policies or {}), case=Case(id="c", input={"text": text}))


def attempt(of: World, target: PromptTarget, *, trial: int = 1) -> Attempt:
    made = target.attempt(
        of.open(), of.case, suite="s", variant="candidate", trial=trial, clock=of.clock
    )
    return asyncio.run(made)


def planned(of: World, target: PromptTarget, *, trial: int = 1) -> str | None:
    """The key of the planned request; None where a policy stops it."""
    try:
        return asyncio.run(target.prepare(of.opening(), of.case, trial)).request.key
    except PolicyBlocked:
        return None


@pytest.mark.parametrize("text", [PLAIN, MAIL, "Say falcon", "4111 1111 1111 1111"])
@pytest.mark.parametrize(
    "policies",
    [
        {},
        {"pii_redaction": True},
        {"pii": {"mode": "warn"}},
        {"pii": {"mode": "block"}},
        {"secrets": {"mode": "block"}, "pii": {"mode": "redact", "kinds": ["email"]}},
        *(
            {"blocked_phrases": [{"text": "falcon", "where": "both", "mode": mode}]}
            for mode in ("block", "redact", "warn")
        ),
    ],
)
def test_an_attempt_after_a_plan_is_the_attempt_without_one(
    policies: dict[str, Any], text: str
) -> None:
    with_plan, without = world(text, policies), world(text, policies)
    target = PromptTarget(PROMPT, route="work")
    key = planned(with_plan, target)
    found = attempt(with_plan, target)
    assert msgspec.to_builtins(found) == msgspec.to_builtins(
        attempt(without, PromptTarget(PROMPT, route="work"))
    )
    assert with_plan.one.requests == without.one.requests
    assert key in (None, found.key)


def test_what_was_planned_is_sent_as_it_was_put_together() -> None:
    of, target = world(PLAIN, {"pii_redaction": True}), PromptTarget(PROMPT)
    prepared = asyncio.run(target.prepare(of.opening(), of.case, 1))
    attempt(of, target)
    assert of.one.requests[0] is prepared.request


def test_what_is_planned_for_many_is_put_together_again() -> None:
    of, target = world(PLAIN), PromptTarget(PROMPT)
    opening = of.plane.opening(of.case, suite="s", variant="candidate", prompt="p@v1")
    prepared = asyncio.run(target.prepare(opening, of.case, 1))
    attempt(of, target)
    assert of.one.requests == [prepared.request]
    assert of.one.requests[0] is not prepared.request


def test_every_trial_asks_what_was_planned_for_it() -> None:
    of, target = world(PLAIN), PromptTarget(PROMPT)
    calls = [asyncio.run(target.prepare(of.opening(), of.case, trial)) for trial in (1, 2)]
    for trial in (2, 1, 1):
        attempt(of, target, trial=trial)
    second, first, again = of.one.requests
    assert second is calls[1].request
    assert first is calls[0].request
    assert again == first
    assert again is not first


def test_another_case_of_the_same_id_is_rendered_itself() -> None:
    of, target = world(PLAIN), PromptTarget(PROMPT)
    planned(of, target)
    of.case = Case(id="c", input={"text": "Something else"})
    attempt(of, target)
    assert of.one.requests[0].messages[1].content == "Something else"


def test_texts_too_many_to_be_kept_are_rendered_again() -> None:
    of, target = world("x" * 16_000_000), PromptTarget(PROMPT)
    key = planned(of, target)
    assert attempt(of, target).key == key


def test_a_plan_in_a_step_that_the_route_lacks_is_blocked() -> None:
    of = World(route=route_with(steps={"first": {}}))
    message = [Message(role="user", content=PLAIN)]
    assert of.opening(step="first").prepare(message).model == "one"
    with pytest.raises(PolicyBlocked):
        of.opening(step="second")


class Asked:
    """A question with what it was made of, as whoever asks gives it."""

    def __init__(self, *, bound_tokens: int = 1) -> None:
        self.bound_tokens = bound_tokens
        self.messages = (Message(role="user", content=PLAIN),)
        self.made_of: dict[str, Any] = {
            "tools": (),
            "params": {"temperature": 0},
            "output": Output(),
            "trial": 1,
        }

    def keep(self, kept: KeptQuestions) -> None:
        kept.keep(self, self.messages, **self.made_of)  # type: ignore[arg-type]


def test_a_question_is_taken_once_and_only_with_all_that_it_was_made_of() -> None:
    kept, asked = KeptQuestions(), Asked()
    asked.keep(kept)
    same = (Message(role="user", content=PLAIN),)
    others = ({"trial": 2}, {"params": {"temperature": 0}}, {"output": Output()}, {"tools": []})
    assert kept.take(same, **asked.made_of) is None
    assert all(kept.take(asked.messages, **asked.made_of | other) is None for other in others)
    assert kept.take(asked.messages, **asked.made_of) is asked
    assert kept.take(asked.messages, **asked.made_of) is None


def test_of_questions_that_are_too_long_together_none_is_kept() -> None:
    kept, two = KeptQuestions(), [Asked(bound_tokens=8_000_000) for _ in range(2)]
    for each in two:
        each.keep(kept)
    assert [kept.take(each.messages, **each.made_of) for each in two] == [None, None]


def test_a_question_that_was_taken_leaves_its_room_to_others() -> None:
    kept = KeptQuestions()
    for each in [Asked(bound_tokens=8_000_000) for _ in range(3)]:
        each.keep(kept)
        assert kept.take(each.messages, **each.made_of) is each
