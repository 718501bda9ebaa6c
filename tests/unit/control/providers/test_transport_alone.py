"""A transport in a process of its own, which imports aiohttp without the system's authorities."""

import asyncio
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

ASK = """
import asyncio, os, sys
from evalkit.control.providers.transport import build_transport
from evalkit.errors import ProviderError

async def ask(url):
    transport = build_transport(alone=True)
    try:
        reply = await transport.request("GET", url, headers={}, timeout_s=10)
        return reply.status
    except ProviderError as error:
        return error.code
    finally:
        await transport.close()

before = dict(os.environ)
print(asyncio.run(ask(sys.argv[1])), dict(os.environ) == before)
"""


def asked_alone(authority: trustme.CA, environ: dict[str, str]) -> str:
    """What a process of its own says of a server whose certificate is the authority's."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async def work() -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            kept = {k: v for k, v in os.environ.items() if not k.startswith("SSL_CERT_")}
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", ASK, f"https://127.0.0.1:{port}/"),
                env={**kept, "NO_PROXY": "127.0.0.1", **environ},
                stdout=subprocess.PIPE,
            )
            said, _ = await child.communicate()
            return said.decode().strip()

    return asyncio.run(work())


def test_it_trusts_the_authorities_that_the_environment_names(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ours.pem"))
    named = {"SSL_CERT_FILE": str(tmp_path / "ours.pem")}
    assert asked_alone(authority, named) == "204 True"


@pytest.mark.parametrize("named", [{}, {"SSL_CERT_DIR": "/nowhere"}])
def test_it_trusts_nobody_else_and_leaves_the_environment_as_it_was(named: dict[str, str]) -> None:
    assert asked_alone(trustme.CA(), named) == "connection True"
