"""A Python function as what is tested, in processes of the variant's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from evalkit.errors import ConfigError, Refused, SessionError
from evalkit.execute.play import Play
from evalkit.execute.programs.answer import ProgramAnswer, TargetFailed, read_answer
from evalkit.execute.programs.attributed import AttributedSession, attributed
from evalkit.execute.programs.playing import ProgramTarget
from evalkit.execute.programs.python_host import FunctionRaised, HostPool, PythonHost
from evalkit.ports import ModelDoor, Opening
from evalkit.records.asset import Output, Tool
from evalkit.records.call import Message, PreparedCall, ToolCall
from evalkit.records.case import Case


class PythonTarget(ProgramTarget):
    """Calls `module:function` with the case's input, and with a session if it takes one.

    Each attempt has a process to itself, so that what one prints, breaks or hangs on reaches no
    other. Calls of its session are made here, through the core, and counted like any other.
    """

    def __init__(
        self,
        call: str,
        *,
        folder: Path,
        timeout_s: float,
        processes: int,
        reference: str,
        route: str,
        door: ModelDoor | None = None,
    ) -> None:
        """Nothing is started before an attempt is prepared; model calls that the function makes by
        itself go to the `door`."""
        super().__init__(reference=reference, route=route)
        self._timeout_s = timeout_s
        self._door = door
        self._pool = HostPool(call, folder=folder, limit=processes, door=door)
        self._checked = False

    async def prepare(self, opening: Opening, case: Case, trial: int) -> PreparedCall | None:
        """Nothing is known before it runs, but whether it can be loaded. Raises Refused."""
        if not self._checked:
            try:
                host = await self._pool.take()
            except TargetFailed as failed:
                redacted = opening.session().redacted
                raise Refused(f"target python: {redacted(str(failed))}") from None
            await self._pool.give_back(host, whole=True)
            self._checked = True
        return None

    async def close(self) -> None:
        """End its processes."""
        await self._pool.close()

    async def _ask(self, case: Case, trial: int, play: Play) -> ProgramAnswer:
        host = await self._pool.take()
        async with attributed(self._door, play, trial, token=host.token):
            return await self._call(host, case, ServedSession(play, trial))

    async def _call(self, host: PythonHost, case: Case, served: "ServedSession") -> ProgramAnswer:
        whole = False
        try:
            value = await host.call(case.input, serve=served.serve, timeout_s=self._timeout_s)
            whole = True
        except FunctionRaised as raised:
            whole = True
            if raised.act is not None and raised.act in served.raised:
                raise served.raised[raised.act] from None
            raise TargetFailed(str(raised)) from None
        finally:
            await self._pool.give_back(host, whole=whole)
        if served.unanswered is not None:
            # whatever it made of that, a model that could not be asked is no result of the target
            raise served.unanswered
        return read_answer(value)


class ServedSession:
    """Does for a function what it asks of its session, and keeps what the attempt has to tell."""

    def __init__(self, play: Play, trial: int) -> None:
        """`trial` is the attempt's."""
        self._play = play
        self._session = play.session
        self._asking = AttributedSession(play, trial)
        self.raised: dict[int, SessionError] = {}

    @property
    def unanswered(self) -> SessionError | None:
        """The last model that could not be asked; None once one answered again."""
        return self._asking.unanswered

    async def serve(self, act: str, arguments: Mapping[str, Any], number: int) -> dict[str, Any]:
        """The result of an act, or its error, as plain data. Raises StoreError."""
        try:
            return {"result": await self._do(act, arguments)}
        except SessionError as error:
            self.raised[number] = error
            completion = getattr(error, "completion", None)
            return {
                "error": {
                    "type": type(error).__name__,
                    "message": str(error),
                    "rule": getattr(error, "rule", ""),
                    "code": str(getattr(error, "code", "")),
                    "completion": msgspec.to_builtins(completion),
                }
            }
        except (ConfigError, msgspec.ValidationError, TypeError) as error:
            return {"error": {"type": "RuntimeError", "message": f"session.{act}: {error}"}}

    async def _do(self, act: str, arguments: Mapping[str, Any]) -> Any:
        match act:
            case "complete":
                output = arguments["output"]
                completion = await self._asking.complete(
                    msgspec.convert(arguments["messages"], tuple[Message, ...]),
                    tools=msgspec.convert(arguments["tools"], tuple[Tool, ...]),
                    params=arguments["params"],
                    output=None if output is None else msgspec.convert(output, Output),
                    interim=arguments["interim"],
                )
                return msgspec.to_builtins(completion)
            case "retrieve":
                found = await self._session.retrieve(arguments["index"], arguments["query"])
                known = {document.id for document in self._play.documents}
                self._play.documents += tuple(each for each in found if each.id not in known)
                return msgspec.to_builtins(found)
            case "authorize":
                call = msgspec.convert(arguments["call"], ToolCall)
                self._session.authorize(call)
                self._play.allowed.append(call.name)
                return None
            case "enter":
                self._session.enter(arguments["step"])
                return None
            case "tool_result":
                message = self._session.tool_result(
                    msgspec.convert(arguments["call"], ToolCall),
                    arguments["result"],
                    error=arguments["error"],
                    latency_s=arguments["latency_s"],
                )
                return msgspec.to_builtins(message)
        raise TypeError("a session has no such act")
