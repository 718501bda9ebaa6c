"""The embedded model's provider, over an engine that is watched."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from evalkit.control.providers.local import LocalProvider, fixed_prefix
from evalkit.control.requests import build_request
from evalkit.errors import ProviderError, StoreError
from evalkit.records.asset import Output, Tool
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Attribution, Message, Piece, Reply, Request, ToolCall, Usage
from tests.unit.control.providers.fakes import FixedClock, request, run

Chunk = dict[str, Any]
OnChunk = Callable[[Chunk], bool | None]


class WatchedEngine:
    """Answers in two chunks and keeps what it was asked; its cache holds one prompt's text."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.threads: set[int] = set()
        self.at_once = 0
        self.cached = ""
        self.on_call: Callable[[], None] = lambda: None
        self.error: dict[str, Any] | None = None
        self.words = ["ye", "s"]
        self.deltas: list[dict[str, Any]] = []

    def handle_chat_completions(
        self, body: dict[str, Any], on_chunk: OnChunk | None = None
    ) -> dict[str, Any] | None:
        self.threads.add(threading.get_ident())
        self.at_once += 1
        assert self.at_once == 1, "two calls at once"
        try:
            self.bodies.append(body)
            self.on_call()
            text = "".join(message["content"] for message in body["messages"])
            usage = self._usage(text, body["cache_prompt"])
            if on_chunk is None:
                return (self.error and {"error": self.error}) or {"choices": [], "usage": usage}
            if self.error:
                on_chunk({"error": self.error})
                return None
            for delta in self.deltas or [{"content": word} for word in self.words]:
                if on_chunk({"choices": [{"delta": delta, "finish_reason": None}]}):
                    return None
            on_chunk({"choices": [{"delta": {}, "finish_reason": "stop"}]})
            on_chunk({"choices": [], "usage": usage})
            return None
        finally:
            self.at_once -= 1

    def _usage(self, text: str, from_cache: bool) -> dict[str, Any]:
        """A token a character; as llama.cpp does, at least the last one is always computed."""
        common = 0
        if from_cache:
            while common < min(len(text) - 1, len(self.cached)) and (
                text[common] == self.cached[common]
            ):
                common += 1
        self.cached = text
        return {
            "prompt_tokens": len(text),
            "completion_tokens": len(self.words),
            "prompt_tokens_details": {"cached_tokens": common},
        }


def provider(engine: WatchedEngine, clock: FixedClock | None = None) -> LocalProvider:
    return LocalProvider(
        name="embedded",
        clock=clock or FixedClock(),
        weights=Path("model.gguf"),
        open_engine=lambda path: engine,
    )


def ask(engine: WatchedEngine, *requests: Request, timeout_s: float = 5) -> list[Reply]:
    async def work() -> list[Reply]:
        embedded = provider(engine)
        try:
            calls = [embedded.complete(each, timeout_s=timeout_s) for each in requests]
            return list(await asyncio.gather(*calls))
        finally:
            await embedded.close()

    return run(work())


def of_prompt(system: str, text: str, **changes: Any) -> Request:
    messages = (
        Message(role="system", content=system, part="system"),
        Message(role="user", content=text),
    )
    return request(messages=messages, **changes)


def prompts_of(engine: WatchedEngine) -> list[tuple[str, bool]]:
    """What the engine computed: the text, and whether it could use its cache."""
    return [
        ("".join(message["content"] for message in body["messages"]), body["cache_prompt"])
        for body in engine.bodies
    ]


def test_the_reply_is_put_together_from_its_chunks() -> None:
    reply = ask(WatchedEngine(), of_prompt("Say: ", "on?"))[0]
    assert (reply.content, reply.finish_reason, reply.origin) == ("yes", "stop", "live")
    assert reply.model == "SmolLM2-135M-Instruct.Q4_1"
    assert reply.usage == Usage(input_tokens=8, output_tokens=2, cached_tokens=5)


def test_the_text_is_handed_over_as_it_is_made() -> None:
    async def work() -> list[Piece]:
        embedded = provider(WatchedEngine())
        try:
            asked = of_prompt("Say: ", "on?")
            return [piece async for piece in embedded.stream(asked, timeout_s=5)]
        finally:
            await embedded.close()

    *pieces, last = run(work())
    assert [piece.text for piece in pieces] == ["ye", "s"]
    assert last.reply is not None and last.reply.content == "yes"


def test_a_stream_that_is_left_stops_the_engine() -> None:
    engine = WatchedEngine()

    async def work() -> None:
        embedded = provider(engine)
        async with aclosing(embedded.stream(of_prompt("Say: ", "on?"), timeout_s=5)) as pieces:
            async for _ in pieces:
                break
        again = await embedded.complete(of_prompt("Say: ", "on?"), timeout_s=5)
        assert again.content == "yes"
        await embedded.close()

    run(work())


def test_a_stream_fails_as_a_whole_reply_does() -> None:
    engine = WatchedEngine()
    engine.error = {"code": 400, "message": "too big", "type": "exceed_context_size_error"}

    async def work() -> None:
        async for _ in provider(engine).stream(of_prompt("p", "x"), timeout_s=5):
            pass

    with pytest.raises(ProviderError, match="too big"):
        run(work())


def test_parameters_and_a_seed_are_sent() -> None:
    engine = WatchedEngine()
    ask(engine, request(params={"temperature": 0.7, "max_tokens": 6, "stop": ["\n"]}, trial=3))
    body = engine.bodies[-1]
    assert (body["temperature"], body["max_tokens"], body["stop"]) == (0.7, 6, ["\n"])
    assert (type(body["seed"]), body["stream"]) == (int, True)


def built(text: str, trial: int) -> Request:
    return build_request(
        identity="local",
        model_id="m",
        messages=[Message(role="user", content=text)],
        tools=(),
        params={"temperature": 0.7},
        max_tokens=6,
        output=Output(kind="text"),
        trial=trial,
        attribution=Attribution(suite="s", variant="baseline", case=text),
    )


def test_every_case_and_trial_draws_with_a_seed_of_its_own() -> None:
    # a seed of the run would make all of its cases lucky together
    engine = WatchedEngine()
    requests = [built(f"case {i}", trial) for i in range(20) for trial in (1, 2, 3)]
    ask(engine, *requests, *requests)
    seeds = [body["seed"] for body in engine.bodies]
    assert len(set(seeds)) == 60
    assert seeds[:60] == seeds[60:]  # the same request, the same draw
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_seed_that_the_prompt_names_is_kept() -> None:
    engine = WatchedEngine()
    ask(engine, request(params={"seed": 7, "max_tokens": 6}))
    assert engine.bodies[-1]["seed"] == 7


def test_every_call_starts_from_exactly_the_prompts_fixed_part() -> None:
    """Computed from nothing once, then led back to before each call: no call sees another."""
    engine = WatchedEngine()
    replies = ask(engine, of_prompt("Say: ", "on"), of_prompt("Say: ", "only"))
    assert prompts_of(engine) == [
        ("Say: ", False),
        ("Say: ", True),
        ("Say: on", True),
        ("Say: ", True),
        ("Say: only", True),
    ]
    assert [reply.usage.cached_tokens for reply in replies] == [5, 5]


def test_a_fixed_part_that_the_engine_lost_is_computed_from_nothing_again() -> None:
    engine = WatchedEngine()
    ask(engine, of_prompt("Say: ", "a"), of_prompt("Save ", "b"), of_prompt("Say: ", "c"))
    assert prompts_of(engine)[-4:] == [
        ("Say: ", True),  # finds only "Sa" of the other prompt
        ("Say: ", False),
        ("Say: ", True),
        ("Say: c", True),
    ]


def test_a_prompt_without_a_fixed_part_uses_no_cache_at_all() -> None:
    engine = WatchedEngine()
    ask(engine, request(messages=(Message(role="user", content="on?"),)))
    assert prompts_of(engine) == [("on?", False)]


def test_the_fixed_part_ends_at_the_first_message_that_differs_between_cases() -> None:
    parts = [("system", "a"), ("examples", "b"), ("documents", "c"), ("examples", "d")]
    messages = tuple(
        Message(role="user", content=text, part=part)  # type: ignore[arg-type]
        for part, text in parts
    )
    assert fixed_prefix(messages) == "ab"


def test_calls_are_made_one_at_a_time_in_one_thread() -> None:
    engine = WatchedEngine()
    replies = ask(engine, *(of_prompt("Say: ", str(number)) for number in range(20)))
    assert len({reply.measurement_id for reply in replies}) == 20
    assert len(engine.threads) == 1
    assert threading.get_ident() not in engine.threads


def test_with_tools_a_prompt_is_a_dialogue_that_uses_no_cache() -> None:
    engine = WatchedEngine()
    call = {"id": "c1", "function": {"name": "f", "arguments": '{"a":1}'}}
    engine.deltas = [{"tool_calls": [{"index": 0, **call}]}]
    asked = of_prompt("Say: ", "on?", tools=(Tool(name="f"),))
    reply = ask(engine, asked)[0]
    assert reply.tool_calls == (ToolCall(name="f", arguments={"a": 1}, id="c1"),)
    assert [body["cache_prompt"] for body in engine.bodies] == [False]
    assert engine.bodies[0]["tools"][0]["function"]["name"] == "f"


def test_a_call_of_a_tool_that_is_not_declared_is_refused_instead_of_ignored() -> None:
    calling = Message(role="assistant", content="", tool_calls=(ToolCall(name="f", arguments={}),))
    with pytest.raises(ProviderError, match="declares none") as caught:
        ask(WatchedEngine(), request(messages=(calling,)))
    assert caught.value.code == FailureMode.BAD_REQUEST


@pytest.mark.parametrize("messages", [("p", "too long"), ("", "too long")])
def test_a_prompt_beyond_the_context_is_a_context_length_error(messages: tuple[str, str]) -> None:
    engine = WatchedEngine()
    engine.error = {"code": 400, "message": "too big", "type": "exceed_context_size_error"}
    with pytest.raises(ProviderError, match="too big") as caught:
        ask(engine, of_prompt(*messages))
    assert (caught.value.code, caught.value.retryable) == (FailureMode.CONTEXT_LENGTH, False)


def test_what_the_engine_cannot_take_is_a_bad_request() -> None:
    engine = WatchedEngine()

    def refuse() -> None:
        raise ValueError("unrecognized type nonsense")

    engine.on_call = refuse
    with pytest.raises(ProviderError, match="nonsense") as caught:
        ask(engine, request(messages=(Message(role="user", content="x"),)))
    assert caught.value.code == FailureMode.BAD_REQUEST


def test_a_slow_reply_is_stopped_at_its_deadline_and_the_next_call_is_served() -> None:
    engine, clock = WatchedEngine(), FixedClock()
    engine.words = ["a", "b", "c"]

    async def work() -> Reply:
        embedded = provider(engine, clock)
        engine.on_call = lambda: clock.__setattr__("passed_s", clock.passed_s + 4)
        with pytest.raises(ProviderError, match="within 5 s") as caught:
            await embedded.complete(of_prompt("Say: ", "x"), timeout_s=5)  # three calls, 12 s
        assert (caught.value.code, caught.value.retryable) == (FailureMode.TIMEOUT, True)
        engine.on_call = lambda: None
        try:
            return await embedded.complete(of_prompt("Say: ", "y"), timeout_s=5)
        finally:
            await embedded.close()

    assert run(work()).content == "abc"


def test_a_cancelled_call_stops_the_engine_and_the_next_one_waits_for_it() -> None:
    engine = WatchedEngine()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert leave.wait(5)

    async def work() -> Reply:
        embedded = provider(engine)
        engine.on_call = hold
        first = asyncio.create_task(
            embedded.complete(request(messages=(Message(role="user", content="x"),)), timeout_s=9)
        )
        while not entered.is_set():
            assert not first.done()
            await asyncio.sleep(0)
        first.cancel()
        second = asyncio.create_task(embedded.complete(of_prompt("S", "y"), timeout_s=9))
        with pytest.raises(asyncio.CancelledError):
            await first
        engine.on_call = lambda: None
        leave.set()
        try:
            return await second
        finally:
            await embedded.close()

    started = time.monotonic()
    assert run(work()).content == "yes"
    assert time.monotonic() - started < 5


def test_an_engine_that_does_not_load_is_an_error_of_each_call() -> None:
    def broken(path: Path) -> WatchedEngine:
        raise StoreError(f"the engine could not load {path.name}")

    async def work() -> None:
        embedded = LocalProvider(
            name="embedded", clock=FixedClock(), weights=Path("m.gguf"), open_engine=broken
        )
        try:
            await embedded.complete(request(), timeout_s=5)
        finally:
            await embedded.close()

    with pytest.raises(ProviderError, match=r"could not load m\.gguf") as caught:
        run(work())
    assert (caught.value.code, caught.value.retryable) == (FailureMode.CONNECTION, False)
