"""Replies written by hand, which never pass for a model's."""

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.control.providers.scripted import ScriptedProvider
from evalkit.errors import ConfigError, ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Attribution, CallPiece, Message, Piece, Reply, ToolCall
from tests.unit.control.providers.fakes import FixedClock, request, run


def line(case: str = "c1", prompt: str = "p@v1", **reply: Any) -> dict[str, Any]:
    return {"case": case, "prompt": prompt, "reply": reply or {"content": "yes"}}


def provider(root: Path, *lines: Any) -> ScriptedProvider:
    path = root / "scripted" / "s.jsonl"
    path.parent.mkdir(exist_ok=True)
    texts = [each if isinstance(each, str) else json.dumps(each) for each in lines]
    path.write_text("\n".join(texts), encoding="utf-8")
    return ScriptedProvider(path, name="scripted", clock=FixedClock())


def ask(scripted: ScriptedProvider, **changes: Any) -> Reply:
    return run(scripted.complete(request(**changes), timeout_s=1))


def asked(case: str, prompt: str) -> dict[str, Any]:
    return {"attribution": Attribution(suite="s", case=case, prompt=prompt)}


def test_the_reply_is_that_of_case_and_prompt(tmp_path: Path) -> None:
    scripted = provider(tmp_path, line(), line(prompt="p@v2", content="no"), line("c2"))
    assert ask(scripted).content == "yes"
    assert ask(scripted, **asked("c1", "p@v2")).content == "no"


def test_a_scripted_reply_is_called_scripted_and_its_usage_an_estimate(tmp_path: Path) -> None:
    reply = ask(provider(tmp_path, line(content="x" * 9)))
    assert (reply.origin, reply.model) == ("scripted", "scripted")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (7, 3)
    assert reply.usage.estimated
    assert reply.latency_s == 0.0


def test_reading_a_script_again_is_no_new_measurement(tmp_path: Path) -> None:
    scripted = provider(tmp_path, line())
    assert ask(scripted).measurement_id == ask(scripted, trial=2).measurement_id


def test_tool_calls_and_refusals_can_be_scripted(tmp_path: Path) -> None:
    scripted = provider(
        tmp_path,
        line(tool_calls=[{"name": "f", "arguments": {"a": 1}}]),
        line("c2", refusal="I won't."),
    )
    reply = ask(scripted)
    assert reply.tool_calls == (ToolCall(name="f", arguments={"a": 1}),)
    assert reply.finish_reason == "tool_calls"
    assert ask(scripted, **asked("c2", "p@v1")).refusal == "I won't."


def test_replies_are_said_one_a_turn_and_then_no_more(tmp_path: Path) -> None:
    replies = [{"tool_calls": [{"name": "f", "arguments": {}}]}, {"content": "Done."}]
    scripted = provider(tmp_path, {"case": "c1", "prompt": "p@v1", "replies": replies})
    example = Message(role="assistant", content="yes", part="examples")
    turns = [example, Message(role="user", content="on?")]
    first = ask(scripted, messages=tuple(turns))
    assert first.tool_calls == (ToolCall(name="f", arguments={}),)
    turns += [Message(role="assistant", content="", tool_calls=first.tool_calls)]
    turns += [Message(role="tool", content="1", name="f")]
    second = ask(scripted, messages=tuple(turns))
    assert second.content == "Done."
    assert second.measurement_id != first.measurement_id
    turns += [Message(role="assistant", content="Done.")]
    missing = scripted.missing(request(messages=tuple(turns)))
    assert missing is not None and "has 2 replies to case c1" in missing
    with pytest.raises(ProviderError, match="asks for another"):
        ask(scripted, messages=tuple(turns))


def test_a_line_with_both_or_neither_way_is_refused(tmp_path: Path) -> None:
    both = {"reply": {"content": "a"}, "replies": [{"content": "b"}]}
    scripted = provider(
        tmp_path, {"case": "c1", "prompt": "p@v1"}, {"case": "c2", "prompt": "p@v1"} | both
    )
    with pytest.raises(ConfigError, match="either a `reply` or at least one of `replies`"):
        scripted.missing(request())


def test_a_script_streams_its_reply_whole(tmp_path: Path) -> None:
    calls = [{"name": "f", "arguments": {"a": 1}, "id": "c1"}]
    scripted = provider(tmp_path, line(content="I look.", tool_calls=calls))

    async def work() -> list[Piece]:
        return [piece async for piece in scripted.stream(request(), timeout_s=5)]

    text, call, last = run(work())
    assert text == Piece(text="I look.")
    assert call.call == CallPiece(index=0, id="c1", name="f", arguments='{"a":1}')
    assert last.reply is not None and last.reply.content == "I look."


def test_a_reply_is_cut_at_the_output_cap_as_a_models_is(tmp_path: Path) -> None:
    scripted = provider(
        tmp_path, line(content="é" * 40, tool_calls=[{"name": "f", "arguments": {}}])
    )
    reply = ask(scripted, params={"max_tokens": 3})
    assert (reply.content, reply.finish_reason) == ("é" * 6, "length")
    assert reply.tool_calls == ()
    assert reply.usage.output_tokens == 3


def test_what_the_script_lacks_is_missing_and_an_error_when_asked(tmp_path: Path) -> None:
    scripted = provider(tmp_path, line("c2"))
    message = scripted.missing(request())
    assert message is not None
    assert "scripted/s.jsonl has no reply to case c1 under prompt p@v1" in message
    assert scripted.missing(request(**asked("c2", "p@v1"))) is None
    with pytest.raises(ProviderError) as caught:
        ask(scripted)
    assert caught.value.code == FailureMode.NOT_RECORDED


def test_every_broken_or_repeated_line_is_reported(tmp_path: Path) -> None:
    scripted = provider(
        tmp_path,
        line(),
        "{",
        line(contents="a typo"),
        line(),
        {"case": "c3", "reply": {"content": "x"}},
    )
    with pytest.raises(ConfigError) as caught:
        scripted.missing(request())
    problems = caught.value.problems
    assert [problem.line for problem in problems] == [2, 3, 4, 5]
    assert "has a reply in line 1" in problems[2].message


def test_a_script_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    scripted = ScriptedProvider(tmp_path / "scripted/x.jsonl", name="s", clock=FixedClock())
    with pytest.raises(ConfigError, match=r"scripted/x\.jsonl: cannot be read"):
        scripted.missing(request())
