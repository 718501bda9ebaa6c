"""Our adapters against a gateway that is not ours and speaks several formats: llm-katan, echoing.

Nothing is installed here. EVALKIT_PEER_KATAN is its command, from an environment of its own
(`pip install llm-katan`). It frames no Bedrock streams as Amazon does, so those are not asked for.
"""

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.errors import ProviderError
from evalkit.records.asset import Tool
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Message, Piece, Reply, ToolCall
from tests.peers.wire import ask_for

pytestmark = pytest.mark.peers

KEYS = {
    "openai": "peer-openai-key-0001",
    "anthropic": "peer-anthropic-key-0002",
    "gemini": "peer-vertexai-key-0003",
    "bedrock": "peer-bedrock-key-0004",
    "azure_openai": "peer-azure-key-0005",
}
PLACES = (
    ("openai", "/v1"),
    ("anthropic", "/v1"),
    ("gemini", "/v1/projects/p/locations/l/publishers/google"),
    ("bedrock", ""),
    ("azure_openai", "/openai/v1"),
    ("azure_openai", ""),
)
STREAMED = tuple(place for place in PLACES if place[0] != "bedrock")
TOOL = Tool(
    name="find_order",
    parameters={
        "type": "object",
        "properties": {"order": {"type": "string"}},
        "required": ["order"],
    },
)
QUESTION = Message(role="user", content="Where is A-17?")


@pytest.fixture(scope="module")
def katan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server's origin; skips where nobody says where it is."""
    if "EVALKIT_PEER_KATAN" not in os.environ:
        pytest.skip("EVALKIT_PEER_KATAN is not set")
    home = tmp_path_factory.mktemp("katan")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    keys = ",".join(
        f"{'vertexai' if kind == 'gemini' else kind}={key}" for kind, key in KEYS.items()
    )
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                os.environ["EVALKIT_PEER_KATAN"],
                *("--model", "echo-model", "--backend", "echo", "--host", "127.0.0.1"),
                *("--port", str(port), "--validate-keys", "--api-keys", keys),
                *("--providers", "openai,anthropic,vertexai,bedrock,azure_openai"),
            ],
            env={"PATH": os.environ["PATH"], "HOME": str(home)},
            stdout=log,
            stderr=log,
        )
    try:
        origin = f"http://127.0.0.1:{port}"
        _wait_for(origin, server, home / "log")
        yield origin
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(origin: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(f"{origin}/health", timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace"))


def ask(
    katan: str, place: tuple[str, str], *messages: Message, stream: bool = False, tool: bool = False
) -> list[Piece]:
    kind, base = place
    return ask_for(
        kind,
        katan + base,
        messages,
        stream=stream,
        tools=(TOOL,) if tool else (),
        model="echo-model",
        key=KEYS[kind],
        max_tokens=64,
    )


def reply_of(pieces: list[Piece]) -> Reply:
    assert pieces[-1].reply is not None
    return pieces[-1].reply


each_place = pytest.mark.parametrize("place", PLACES)
each_streamed = pytest.mark.parametrize("place", STREAMED)


@each_place
def test_a_text_is_read_with_its_usage(katan: str, place: tuple[str, str]) -> None:
    reply = reply_of(ask(katan, place, QUESTION))
    assert "User: Where is A-17?" in reply.content
    assert (reply.model, reply.finish_reason) == ("echo-model", "stop")
    assert reply.usage.input_tokens > 0 and reply.usage.output_tokens > 0
    assert not reply.usage.estimated


@each_place
def test_a_tool_call_is_read(katan: str, place: tuple[str, str]) -> None:
    reply = reply_of(ask(katan, place, QUESTION, tool=True))
    [call] = reply.tool_calls
    assert (call.name, reply.finish_reason) == ("find_order", "tool_calls")
    assert call.arguments is not None


@each_place
def test_a_tools_result_arrives(katan: str, place: tuple[str, str]) -> None:
    call = ToolCall(name="find_order", arguments={"order": "A-17"}, id="call_1")
    turns = (
        Message(role="assistant", content="", tool_calls=(call,)),
        Message(role="tool", content="It left on Monday.", tool_call_id="call_1"),
        Message(role="user", content="And now?"),
    )
    assert "And now?" in reply_of(ask(katan, place, QUESTION, *turns)).content


@each_streamed
def test_a_stream_adds_up(katan: str, place: tuple[str, str]) -> None:
    *pieces, last = ask(katan, place, QUESTION, stream=True)
    assert last.reply is not None and len(pieces) > 10
    assert "".join(piece.text for piece in pieces) == last.reply.content
    assert last.reply.usage == reply_of(ask(katan, place, QUESTION)).usage
    assert last.reply.finish_reason == "stop"


@each_streamed
def test_a_streamed_tool_call_is_read(katan: str, place: tuple[str, str]) -> None:
    whole = reply_of(ask(katan, place, QUESTION, tool=True))
    reply = reply_of(ask(katan, place, QUESTION, tool=True, stream=True))
    assert [(call.name, call.arguments) for call in reply.tool_calls] == [
        (call.name, call.arguments) for call in whole.tool_calls
    ]


@each_place
def test_a_key_that_is_not_accepted_is_told_and_not_shown(
    katan: str, place: tuple[str, str]
) -> None:
    """It quotes the key that it was sent, and the one that it wants."""
    kind, base = place
    wrong = "wrong-key-0123456789"
    with pytest.raises(ProviderError) as caught:
        ask_for(kind, katan + base, (QUESTION,), model="echo-model", key=wrong)
    assert (caught.value.code, caught.value.retryable) == (FailureMode.AUTHENTICATION, False)
    assert wrong not in str(caught.value)
