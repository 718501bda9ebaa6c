"""The embedded model's provider with the real model."""

import asyncio
import random
from pathlib import Path

import pytest

from evalkit.control.providers.engine import missing_engine, require_weights
from evalkit.control.providers.local import LocalProvider
from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Message, Reply, Request
from evalkit.workflows.wiring import SystemClock

pytestmark = [
    pytest.mark.local_model,
    pytest.mark.skipif(missing_engine() is not None, reason=str(missing_engine())),
]
LETTERS = "Each line is a letter to a shop and the one word that files it.\n"
FLOWERS = "Each line names a plant and then the one colour that it mostly has.\n"


def request(system: str, text: str, **params: object) -> Request:
    return Request(
        model="tiny",
        messages=(
            Message(role="system", content=system, part="system"),
            Message(role="user", content=text),
        ),
        key=system + text,
        params={"temperature": 0, "max_tokens": 12, **params},
    )


async def ask(requests: list[Request], *, at_once: int) -> dict[str, Reply]:
    """All replies of a freshly loaded model, by the requests' keys."""
    provider = LocalProvider(name="embedded", clock=SystemClock())
    remaining = iter(requests)
    replies: dict[str, Reply] = {}

    async def work() -> None:
        for each in remaining:
            replies[each.key] = await provider.complete(each, timeout_s=120)

    try:
        await asyncio.gather(*(work() for _ in range(at_once)))
    finally:
        await provider.close()
    return replies


def test_a_reply_does_not_depend_on_order_or_concurrency() -> None:
    """Texts and token counts are the same whatever was asked before, of either prompt."""
    requests = [
        request(system, f"{start} {number}:")
        for system in (LETTERS, FLOWERS)
        for start in ("My order", "My orange")
        for number in range(4)
    ]
    shuffled = random.Random(5).sample(requests, len(requests))
    first = asyncio.run(ask(requests, at_once=1))
    second = asyncio.run(ask(shuffled, at_once=4))
    assert len(first) == 16
    for key, reply in first.items():
        assert (second[key].content, second[key].usage) == (reply.content, reply.usage)


def test_a_reply_that_takes_too_long_is_stopped_and_frees_the_model() -> None:
    async def work() -> Reply:
        provider = LocalProvider(name="embedded", clock=SystemClock())
        try:
            await provider.complete(request("", "Hello", max_tokens=1), timeout_s=60)  # loads it
            slow = request("", "Once upon a time", max_tokens=3000, ignore_eos=True)
            with pytest.raises(ProviderError) as caught:
                await provider.complete(slow, timeout_s=0.3)
            assert caught.value.code == FailureMode.TIMEOUT
            return await provider.complete(request("", "1, 2, 3, 4,"), timeout_s=60)
        finally:
            await provider.close()

    reply = asyncio.run(work())
    assert reply.content.startswith(" 5")
    assert reply.latency_s < 10  # 3,000 tokens would have taken longer


def test_more_than_the_context_holds_is_a_context_length_error() -> None:
    for system, text in (("word " * 6000, "x"), ("", "word " * 6000)):
        with pytest.raises(ProviderError) as caught:
            asyncio.run(ask([request(system, text)], at_once=1))
        assert caught.value.code == FailureMode.CONTEXT_LENGTH


def test_another_file_than_the_pinned_weights_is_not_loaded(tmp_path: Path) -> None:
    other = tmp_path / require_weights().name
    other.write_bytes(b"GGUF" + bytes(1000))

    async def work() -> None:
        provider = LocalProvider(name="embedded", clock=SystemClock(), weights=other)
        try:
            await provider.complete(request("", "x"), timeout_s=5)
        finally:
            await provider.close()

    with pytest.raises(ProviderError, match="is not the file that evalkit knows"):
        asyncio.run(work())
