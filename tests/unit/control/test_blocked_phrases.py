"""Phrases that may not be said, in requests and in replies, by their modes."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from evalkit.config.permissions import BlockedPhrase
from evalkit.control.phrases import PhraseScreen
from evalkit.errors import PolicyBlocked
from evalkit.records.call import Completion, Message
from tests.unit.control.fakes import (
    FakeProvider,
    World,
    ask,
    call,
    reply_of,
    route_with,
    tool,
    traced,
)

UNSEEN = (
    "\u200b\u200d\u2060\ufeff\u00ad\u202e\ufe0f\U000e0101\u034f\u115f\u3164\uffa0\u17b4\u180b"
    "\x00\x08\x1b\x7f\x80\U000e0041"
)
SPACES = "\t\v\f\x1c\x85\u00a0\u1680\u2003\u2028\u2029\u202f\u2800\u3000"
RULE = "policies.blocked_phrases"


def world(content: str, *phrases: Any, **fields: Any) -> World:
    return World(
        route=route_with(policies={"blocked_phrases": list(phrases)}),
        one=FakeProvider(reply_of(content, **fields), name="first"),
    )


@pytest.mark.parametrize(
    ("phrase", "content", "found"),
    [
        ("Project Falcon", "about project   falcon today", True),
        ("Project Falcon", "PROJECT\nFALCON", True),
        ("Project Falcon", "project-falcon", False),
        ("falcon", "a falconer", False),
        ("falcon", "a gyrfalcon", False),
        ("falcon", "(falcon)", True),
        ("falcon", "a falconer's falcon", True),
        ("größe", "Die Größe.", True),
        ("größe", "Die Größen.", False),
        ("100%", "it is 100% safe", True),
        ("a.b", "axb", False),
        ("falcon", "ｆａｌｃｏｎ", True),
        ("project falcon", "project\u00a0falcon", True),
        ("falcon", "fal\u200bcon", True),
        ("falcon", "f\u00adalcon \ud800", True),
        ("falcon", '{"answer": "\\u0066alcon"}', True),
        ("falcon", '{"falcon": 1}', True),
        ("4711", '{"id": 4711}', True),
        ("4711", '{"id": 47110}', False),
        ("falcon", '{"a": [{"b": "the falcon"}]', True),
        # what nobody sees, by Unicode's list: variation selectors, joiners, fillers, controls
        *(("falcon", f"fal{unseen}con", True) for unseen in UNSEEN),
        *(("project falcon", f"project{space}falcon", True) for space in SPACES),
        ("café", "cafe\u0301", True),
        ("cafe\u0301", "CAFÉ", True),
        ("cafe", "cafe\u0301", False),
        ("か", "か\u3099", False),
        ("tệ", "te\u0302\u0323", True),
        ("straße", "STRASSE", True),
        ("strasse", "Straße", True),
        # JSON that not every reader reads, and JSON in a text, and in a text of JSON
        ("falcon", '{"a": "\\u0066alcon", "a": 1}', True),
        ("falcon", '{"a": NaN, "b": "\\u0066alcon"}', True),
        ("falcon", '```json\n{"a": "\\u0066alcon"}\n```', True),
        ("project falcon", 'Here: {"a": "project\\nfalcon"}', True),
        ("falcon", json.dumps({"a": '{"b": "\\u0066alcon"}'}), True),
        ("falcon", "\\falcon", True),
        ("🦅", '{"a": "\\ud83e\\udd85"} and more', True),
        ({"pattern": "fal[ck]on"}, "a falkoner", True),
        ({"pattern": "fal[ck]on"}, "a Falkoner", False),
        ({"pattern": "(?i)order \\d+"}, "Order 12", True),
        ({"pattern": "^no$"}, "no, thanks", False),
    ],
)
def test_a_phrase_is_found_where_people_would_read_it(
    phrase: Any, content: str, found: bool
) -> None:
    session = world(content, phrase).open()
    if not found:
        assert ask(session).content == content
        return
    with pytest.raises(PolicyBlocked) as caught:
        ask(session)
    assert caught.value.rule == RULE
    assert isinstance(caught.value.completion, Completion)


def test_what_is_blocked_is_told_by_its_place() -> None:
    session = world("the falcon lands", "eagle", "falcon").open()
    with pytest.raises(PolicyBlocked) as caught:
        ask(session)
    assert "blocked phrase 2" in str(caught.value)
    assert "falcon" not in str(caught.value)
    [denied] = traced(session, RULE)
    assert (denied.outcome, denied.data) == (
        "denied",
        {"phrase": 2, "count": 1, "where": "reply"},
    )


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("the Falcon and the falcon", "the [BLOCKED] and the [BLOCKED]"),
        ("fal\u200bcon!", "[BLOCKED]!"),
        ("ﬁne ｆａｌｃｏｎ ﬁne", "ﬁne [BLOCKED] ﬁne"),
        ('{"a": "\\u0066alcon", "b": 1}', '{"a":"[BLOCKED]","b":1}'),
        ('{"a": "eagle", "b": 1.0}', '{"a": "eagle", "b": 1.0}'),
    ],
)
def test_redact_puts_a_mark_in_its_place(content: str, shown: str) -> None:
    session = world(content, {"text": "falcon", "mode": "redact"}).open()
    assert ask(session).content == shown
    outcomes = [each.outcome for each in traced(session, RULE)]
    assert outcomes == (["changed"] if "[BLOCKED]" in shown else [])


def test_phrases_that_overlap_are_one_mark() -> None:
    session = world(
        "x project falcon nine x",
        {"text": "project falcon", "mode": "redact"},
        {"text": "falcon nine", "mode": "redact"},
    ).open()
    assert ask(session).content == "x [BLOCKED] x"


def test_warn_lets_it_pass_and_counts_it() -> None:
    session = world("falcon, falcon", {"text": "falcon", "mode": "warn"}).open()
    assert ask(session).content == "falcon, falcon"
    [warned] = traced(session, RULE)
    assert (warned.outcome, warned.data["count"]) == ("warned", 2)


def test_block_wins_over_redact() -> None:
    session = world("falcon", {"text": "falcon", "mode": "redact"}, "falcon").open()
    with pytest.raises(PolicyBlocked):
        ask(session)


def test_arguments_of_calls_are_searched_and_redacted() -> None:
    asked = reply_of("", tool_calls=(call("send", text="the falcon", n=[{"falcon": 1}]),))
    route = route_with(policies={"blocked_phrases": [{"text": "falcon", "mode": "redact"}]})
    session = World(route=route, one=FakeProvider(asked, name="first")).open()
    [made] = ask(session, tools=[tool("send")]).tool_calls
    assert made.arguments == {"text": "the [BLOCKED]", "n": [{"[BLOCKED]": 1}]}


def test_a_tool_s_name_is_searched_where_it_was_not_offered() -> None:
    asked = reply_of("", tool_calls=(call("falcon", n=1),))
    route = route_with(policies={"blocked_phrases": ["falcon"]})
    session = World(route=route, one=FakeProvider(asked, name="first")).open()
    assert ask(session, tools=[tool("falcon")]).tool_calls
    session = World(route=route, one=FakeProvider(asked, name="first")).open()
    with pytest.raises(PolicyBlocked):
        ask(session, tools=[tool("send")])


def test_a_refusal_is_searched() -> None:
    session = world("", "falcon", refusal="I cannot talk of falcon").open()
    with pytest.raises(PolicyBlocked):
        ask(session)


@pytest.mark.parametrize(
    ("where", "blocked"), [("request", True), ("both", True), ("reply", False)]
)
def test_a_phrase_of_requests_never_reaches_a_model(where: str, blocked: bool) -> None:
    made = world("fine", {"text": "falcon", "where": where})
    session = made.open()
    if blocked:
        with pytest.raises(PolicyBlocked) as caught:
            ask(session, "tell me of the falcon")
        assert caught.value.completion is None
        with pytest.raises(PolicyBlocked):
            session.prepare([Message(role="user", content="falcon")])
        assert made.one.requests == []
    else:
        assert ask(session, "tell me of the falcon").content == "fine"


def test_what_is_redacted_in_requests_leaves_as_a_mark() -> None:
    made = world("fine", {"text": "falcon", "where": "request", "mode": "redact"})
    session = made.open()
    messages = [
        Message(role="user", content="of the falcon"),
        Message(role="assistant", content="", tool_calls=(call("look", q="falcon"),)),
        Message(role="tool", content='{"found": "falcon"}', name="look"),
    ]
    prepared = session.prepare(messages)
    said = [each.content for each in prepared.request.messages]
    assert said == ["of the [BLOCKED]", "", '{"found":"[BLOCKED]"}']
    assert prepared.request.messages[1].tool_calls[0].arguments == {"q": "[BLOCKED]"}
    assert traced(session, RULE) == []


def test_what_is_held_back_is_redacted_of_personal_data() -> None:
    session = world("falcon of ana@example.com", "falcon").open()
    with pytest.raises(PolicyBlocked) as caught:
        ask(session)
    assert caught.value.completion.content == "falcon of [EMAIL_1]"


def test_a_route_without_phrases_touches_nothing() -> None:
    reply = reply_of('{"a":  "\\u0066"}')
    assert PhraseScreen([]).reply(reply) == (reply, [])


def test_what_is_nested_without_end_is_denied() -> None:
    deep: Any = "falcon"
    for _ in range(100_000):
        deep = [deep]
    reply = reply_of("", tool_calls=(call("send", a=deep),))
    _, [ruling] = PhraseScreen([BlockedPhrase(text="falcon")]).reply(reply)
    assert (ruling.stops, ruling.rule) == (True, "policy.error")


@pytest.mark.parametrize(
    "phrase",
    [
        {},
        {"text": "a", "pattern": "a"},
        {"text": ""},
        {"text": "  "},
        {"pattern": "("},
        {"pattern": "(?=a)"},
        {"pattern": "a*"},
        {"text": "a", "mode": "shout"},
        {"text": "a", "where": "nowhere"},
    ],
)
def test_a_phrase_that_says_nothing_is_refused(phrase: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BlockedPhrase.model_validate(phrase)


def test_a_long_text_takes_no_longer_than_its_length() -> None:
    screen = PhraseScreen([BlockedPhrase(pattern="(a+)+b"), BlockedPhrase(text="a a")])
    _, rulings = screen.reply(reply_of(json.dumps({"x": "a" * 200_000})))
    assert rulings == []
    for hidden in ("\u0301\u0323" * 50_000, "\\" * 100_000, "\u200b" * 100_000):
        _, rulings = screen.reply(reply_of(f"a {hidden}"))
        assert rulings == []


def test_phrases_that_cannot_be_looked_for_together_are_looked_for_one_by_one() -> None:
    named = [BlockedPhrase(pattern=f"(?P<it>{word})") for word in ("falcon", "eagle")]
    _, rulings = PhraseScreen(named).reply(reply_of("the eagle and the falcon"))
    assert [ruling.data["phrase"] for ruling in rulings] == [1, 2]


def test_an_anchored_phrase_is_found_in_a_value_of_json() -> None:
    screen = PhraseScreen([BlockedPhrase(pattern="^no$"), BlockedPhrase(text="other")])
    _, [ruling] = screen.reply(reply_of('{"answer": ["no"]}'))
    assert ruling.data["phrase"] == 1
