"""The socket that an ASGI server of ours listens at."""

import socket

import uvicorn

Bound = socket.socket


def bind_tcp(config: uvicorn.Config) -> Bound:
    """A socket bound to the address of `config`. Raises SystemExit as uvicorn does where that is
    taken, after it has told why in its log; OverflowError and UnicodeError for what is no address.

    asyncio sends what it is given at once only on sockets that say that they are TCP, and uvicorn's
    do not: each answer would wait for the client to acknowledge its head, which takes 40 ms.
    """
    bound = config.bind_socket()
    return socket.socket(bound.family, bound.type, socket.IPPROTO_TCP, fileno=bound.detach())
