"""An application's reply: its own doing, or no answer at all."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from evalkit.config.targets import HttpFields
from evalkit.errors import ProviderError
from evalkit.execute.programs.http_target import HttpTarget
from evalkit.ports import HttpReply
from evalkit.records.attempt import Attempt
from tests.unit.control.fakes import World


class Answering:
    """A transport with one reply, or one error."""

    def __init__(self, reply: HttpReply | Exception) -> None:
        self.reply = reply
        self.sent: list[tuple[str, Mapping[str, str], bytes]] = []

    async def post(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> HttpReply:
        self.sent.append((url, headers, body))
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    async def request(self, *arguments: Any, **named: Any) -> HttpReply:
        raise AssertionError("an application is only POSTed to")

    async def close(self) -> None:
        pass


def play(reply: HttpReply | Exception, **headers: str) -> Attempt:
    world = World()
    target = HttpTarget(
        "http://127.0.0.1:1/",
        headers=headers,
        fields=HttpFields().model_dump(),
        timeout_s=1.0,
        transport=Answering(reply),
        reference="http here",
        route="work",
    )
    return asyncio.run(
        target.attempt(
            world.open(), world.case, suite="s", variant="candidate", trial=1, clock=world.clock
        )
    )


def reply(status: int, body: bytes) -> HttpReply:
    return HttpReply(status=status, headers={}, body=body)


def test_an_answer_is_a_live_measurement_of_its_own() -> None:
    first, second = (play(reply(200, b'{"output": {"a": 1}}')) for _ in range(2))
    assert (first.state, first.output, first.parsed) == ("answered", '{"a":1}', {"a": 1})
    assert (first.origin, first.prompt, first.model) == ("live", "http here", "")
    assert first.measurement_id != second.measurement_id
    assert first.is_unpriced


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, b"boom", "answered 500: boom"),
        (404, b"", "answered 404"),
        (307, b"", "answered 307"),
        (200, b"<html>", "is not JSON"),
        (200, b"\xff", "is not JSON"),
        (200, b"[" * 5_000, "is not JSON"),
        (200, b'{"output": "a", "output": "b"}', "is not JSON"),
        (200, b'{"answer": "yes"}', "has nothing at `output`"),
        (200, b'{"output": null}', "its output is null"),
    ],
)
def test_what_it_does_wrong_is_a_result(status: int, body: bytes, words: str) -> None:
    attempt = play(reply(status, body))
    assert (attempt.state, attempt.failure_mode) == ("invalid", "target_error")
    assert words in str(attempt.error)


@pytest.mark.parametrize(
    ("status", "mode"),
    [(401, "authentication"), (429, "rate_limited"), (503, "server_error"), (504, "timeout")],
)
def test_what_kept_it_from_answering_is_none(status: int, mode: str) -> None:
    attempt = play(reply(status, b""))
    assert (attempt.state, attempt.failure_mode, attempt.origin) == ("error", mode, None)
    assert play(ProviderError("connection", "refused")).failure_mode == "connection"


def test_a_header_that_comes_back_is_not_quoted() -> None:
    attempt = play(reply(500, b"no such key: Bearer hush"), authorization="Bearer hush")
    assert "hush" not in str(attempt.error)
