"""The process of a Python target: loads a function and calls it, one attempt after the other.

Runs in the user's environment and in the folder of the variant. JSON lines go over what were stdin
and stdout; what the function prints goes to stderr.
"""

import asyncio
import concurrent.futures
import importlib
import inspect
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, BinaryIO

import msgspec

from evalkit import errors
from evalkit.execute.programs.answer import MAX_BYTES
from evalkit.records.asset import Output, Tool
from evalkit.records.call import Completion, Message, ToolCall
from evalkit.records.case import Document

_Future = concurrent.futures.Future[Any]


class Channel:
    """JSON lines to and from the parent; acts of a session are asked for and waited for."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        """Starts to read at once, in a thread of its own."""
        self._incoming = incoming
        self._outgoing = outgoing
        self._writing = threading.Lock()
        self._waiting: dict[int, _Future] = {}
        self._asked = 0
        self.attempts: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, message: dict[str, Any]) -> None:
        """One line out. Raises TypeError and ValueError for what JSON cannot hold."""
        line = json.dumps(message, allow_nan=False, default=_plain).encode() + b"\n"
        if len(line) > MAX_BYTES:
            raise ValueError(f"it is longer than {MAX_BYTES // 1024 // 1024} MB")
        with self._writing:
            self._outgoing.write(line)
            self._outgoing.flush()

    def ask(self, act: str, arguments: dict[str, Any]) -> _Future:
        """An act of the session, done by the parent."""
        future: _Future = concurrent.futures.Future()
        with self._writing:
            self._asked += 1
            number = self._asked
        self._waiting[number] = future
        self.send({"is": "act", "id": number, "act": act, "arguments": arguments})
        return future

    def _read(self) -> None:
        for line in self._incoming:
            message = json.loads(line)
            if "input" in message:
                self.attempts.put(message["input"])
                continue
            future = self._waiting.pop(message["id"])
            if "error" in message:
                future.set_exception(_raised(message["id"], message["error"]))
            else:
                future.set_result(message["result"])
        os._exit(0)  # nobody is there to answer to


def _plain(value: Any) -> Any:
    """Structs, dataclasses and models of pydantic as what they hold."""
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    return msgspec.to_builtins(value)


def _raised(number: int, told: dict[str, Any]) -> BaseException:
    """The session's error as the function meets it."""
    kind, message = told["type"], told["message"]
    raised: BaseException
    if kind == "PolicyBlocked":
        raised = errors.PolicyBlocked(told["rule"], message, completion=_completion(told))
    elif kind == "BudgetExhausted":
        raised = errors.BudgetExhausted(told["rule"], message)
    elif kind == "ProviderError":
        raised = errors.ProviderError(told["code"], message)
    elif kind == "InvalidReply":
        raised = errors.InvalidReply(message, completion=_completion(told))
    else:
        raised = RuntimeError(message)
    raised.__dict__["act"] = number
    return raised


def _completion(told: dict[str, Any]) -> Completion | None:
    made = told.get("completion")
    return None if made is None else msgspec.convert(made, Completion)


class _Acts:
    """What both forms of a session say to the parent."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def _complete(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        params: dict[str, Any] | None,
        output: Output | None,
        interim: bool,
    ) -> _Future:
        asked = {
            "messages": [msgspec.to_builtins(each) for each in messages],
            "tools": [msgspec.to_builtins(each) for each in tools],
            "params": dict(params or {}),
            "output": None if output is None else msgspec.to_builtins(output),
            "interim": interim,
        }
        return self._channel.ask("complete", asked)

    def authorize(self, call: ToolCall) -> None:
        """Return if the call may be executed. Raises PolicyBlocked."""
        self._channel.ask("authorize", {"call": msgspec.to_builtins(call)}).result()

    def enter(self, step: str) -> None:
        """Begin a step of the route's workflow. Raises PolicyBlocked."""
        self._channel.ask("enter", {"step": step}).result()

    def tool_result(
        self,
        call: ToolCall,
        result: Any,
        *,
        error: str | None = None,
        latency_s: float | None = None,
    ) -> Message:
        """The result of a call, or its error, as the message that the model gets."""
        told = {
            "call": msgspec.to_builtins(call),
            "result": result,
            "error": error,
            "latency_s": latency_s,
        }
        return msgspec.convert(self._channel.ask("tool_result", told).result(), Message)


class BlockingSession(_Acts):
    """The session of a function that is not async: every act waits."""

    def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: dict[str, Any] | None = None,
        output: Output | None = None,
        interim: bool = False,
    ) -> Completion:
        """Ask the route's model. Raises SessionError."""
        asked = self._complete(messages, tools, params, output, interim)
        return msgspec.convert(asked.result(), Completion)

    def retrieve(self, index: str, query: str) -> tuple[Document, ...]:
        """Documents of an index. Raises SessionError."""
        asked = self._channel.ask("retrieve", {"index": index, "query": query})
        return msgspec.convert(asked.result(), tuple[Document, ...])


class AsyncSession(_Acts):
    """The session of an async function, as `evalkit.Project.session` gives it."""

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: dict[str, Any] | None = None,
        output: Output | None = None,
        interim: bool = False,
    ) -> Completion:
        """Ask the route's model. Raises SessionError."""
        asked = self._complete(messages, tools, params, output, interim)
        return msgspec.convert(await asyncio.wrap_future(asked), Completion)

    async def retrieve(self, index: str, query: str) -> tuple[Document, ...]:
        """Documents of an index. Raises SessionError."""
        asked = self._channel.ask("retrieve", {"index": index, "query": query})
        return msgspec.convert(await asyncio.wrap_future(asked), tuple[Document, ...])


def load(call: str) -> tuple[Callable[..., Any], bool]:
    """The function, and whether it takes a session. Raises what its import raises, and TypeError
    for what is no function of an input."""
    name, _, path = call.partition(":")
    found: Any = importlib.import_module(name)
    for part in path.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{call} is no function, it is {type(found).__name__}")
    parameters = inspect.signature(found).parameters.values()
    placed = [each for each in parameters if each.kind <= inspect.Parameter.POSITIONAL_OR_KEYWORD]
    needed = [each for each in placed if each.default is inspect.Parameter.empty]
    variadic = any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters)
    session = len(needed) == 2 or (len(placed) > 1 and placed[1].name == "session")
    named = [
        each.name
        for each in parameters
        if each.kind is inspect.Parameter.KEYWORD_ONLY and each.default is inspect.Parameter.empty
    ]
    if len(needed) > 2 or named or not (placed or variadic):
        raise TypeError(f"{call} takes {len(needed)} values; expected (input) or (input, session)")
    return found, session


def _is_async(function: Callable[..., Any]) -> bool:
    called = getattr(function, "__call__", None)  # noqa: B004 - of an object that can be called
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def main(root: str, call: str) -> None:
    """Serve attempts until the parent closes the channel."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    # where modules of a project stand, see sources/programs.py
    sys.path[:0] = [root, os.path.join(root, "src")]
    try:
        function, takes_session = load(call)
    except BaseException as error:
        line = json.dumps({"is": "broken", "error": _told(error, root)})
        outgoing.write(line.encode() + b"\n")
        outgoing.flush()
        return
    channel = Channel(incoming, outgoing)
    channel.send({"is": "ready", "session": takes_session})
    session = AsyncSession(channel) if _is_async(function) else BlockingSession(channel)
    loop = asyncio.new_event_loop()
    while True:
        given = channel.attempts.get()
        try:
            value = function(given, session) if takes_session else function(given)
            if inspect.isawaitable(value):
                value = loop.run_until_complete(_awaited(value))
        except BaseException as error:
            raised = {"error": _told(error, root), "act": getattr(error, "act", None)}
            channel.send({"is": "failed", **raised})
            continue
        try:
            channel.send({"is": "done", "value": value})
        except (TypeError, ValueError, RecursionError) as error:
            words = f"what it returned cannot be told as JSON: {error}"
            channel.send({"is": "failed", "error": words, "act": None})


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


def _told(error: BaseException, root: str) -> str:
    """The error, and the last line of the project that it came through."""
    try:
        words = "".join(traceback.format_exception_only(error)).strip()
    except BaseException:
        words = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    within = [frame for frame in frames if frame.filename.startswith(root + os.sep)]
    if not within:
        return words[-4_000:]
    file = os.path.relpath(within[-1].filename, root)
    return f"{words[-4_000:]} ({file}:{within[-1].lineno})"
