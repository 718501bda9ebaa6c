"""A running application as what is tested: every case's input is POSTed to it."""

from collections.abc import Mapping

import msgspec

from evalkit.errors import ProviderError
from evalkit.execute.play import Play
from evalkit.execute.programs.answer import ProgramAnswer, TargetFailed, clip_tail, pick_answer
from evalkit.execute.programs.attributed import attributed
from evalkit.execute.programs.playing import ProgramTarget
from evalkit.ports import HttpReply, ModelDoor, Transport
from evalkit.records.attempt import FailureMode
from evalkit.records.case import Case
from evalkit.records.json_text import decode_json

# The application could not be asked: that says nothing about what it answers. All else that is no
# 2xx is its own doing, as an exception is a function's.
_NOT_ASKED: Mapping[int, FailureMode] = {
    401: FailureMode.AUTHENTICATION,
    403: FailureMode.AUTHENTICATION,
    408: FailureMode.TIMEOUT,
    429: FailureMode.RATE_LIMITED,
    502: FailureMode.SERVER_ERROR,
    503: FailureMode.SERVER_ERROR,
    504: FailureMode.TIMEOUT,
}


class HttpTarget(ProgramTarget):
    """POSTs the input as JSON and reads the documented reply, or one whose parts stand at paths."""

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        fields: Mapping[str, str],
        timeout_s: float,
        transport: Transport,
        reference: str,
        route: str,
        door: ModelDoor | None = None,
    ) -> None:
        """`fields` are the dotted paths of the parts of a reply; the transport is closed by whoever
        opened it. It is told where its own model calls may go, to the `door`."""
        super().__init__(reference=reference, route=route)
        self._url = url
        self._headers = {"content-type": "application/json", **headers}
        self._secrets = tuple(value for value in headers.values() if value)
        self._fields = dict(fields)
        self._timeout_s = timeout_s
        self._transport = transport
        self._door = door

    async def close(self) -> None:
        """Nothing is held."""

    async def _ask(self, case: Case, trial: int, play: Play) -> ProgramAnswer:
        async with attributed(self._door, play, trial) as token:
            more = {} if self._door is None else self._door.headers(token)
            return await self._post(case, more)

    async def _post(self, case: Case, more: Mapping[str, str]) -> ProgramAnswer:
        reply = await self._transport.post(
            self._url,
            headers={**self._headers, **more},
            body=msgspec.json.encode(case.input),
            timeout_s=self._timeout_s,
        )
        if mode := _NOT_ASKED.get(reply.status):
            raise ProviderError(mode, self._said(reply))
        if not 200 <= reply.status < 300:
            raise TargetFailed(self._said(reply))
        try:
            value = decode_json(reply.body.decode())
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise TargetFailed(f"the reply is not JSON ({error})") from None
        return pick_answer(value, self._fields)

    def _said(self, reply: HttpReply) -> str:
        """Its status and the beginning of what it wrote, without what was sent as a header."""
        text = clip_tail(reply.body.decode("utf-8", "replace"))[:300]
        for secret in self._secrets:
            text = text.replace(secret, "[header]")
        return f"the application answered {reply.status}: {text}"
