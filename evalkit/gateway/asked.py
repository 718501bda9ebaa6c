"""What a client asks for, whatever format it asked in."""

from typing import Any

import msgspec

from evalkit.records.asset import Output, Tool
from evalkit.records.call import Message


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was understood. `model` is what the client calls the route.

    `end_user` is whom the application asks for, empty where it does not say. `strict` names tools
    whose calls have to meet their schema. `usage` tells whether a stream ends with its usage, where
    the format lets a client choose.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    params: dict[str, Any] = {}
    output: Output = Output()
    stream: bool = False
    usage: bool = True
    end_user: str = ""
    strict: frozenset[str] = frozenset()
