"""The socket of our servers."""

import asyncio
import socket

import uvicorn

from evalkit.workflows.binding import bind_tcp


def test_what_a_server_answers_leaves_at_once() -> None:
    at_once = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        at_once.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)
        writer.close()

    async def serve() -> None:
        bound = bind_tcp(uvicorn.Config("", host="127.0.0.1", port=0, log_level="warning"))
        async with await asyncio.start_server(accept, sock=bound):
            reader, writer = await asyncio.open_connection(*bound.getsockname())
            await reader.read()
            writer.close()
            await writer.wait_closed()

    asyncio.run(serve())
    assert at_once == [True]
