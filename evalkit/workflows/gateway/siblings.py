"""How the worker processes behind one port tell each other their figures: a socket file each.

The folder is the parent's and nobody else can enter it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

# a worker that stands still must not keep the others from being watched
_PATIENCE_S = 2.0


class SocketSiblings:
    """Implements gateway.worker_metrics.Siblings."""

    def __init__(self, folder: Path, number: int, count: int) -> None:
        """Of worker `number` among `count`, from 0. Made in the worker."""
        self._folder = folder
        self._number = number
        self._count = count
        self._parent = os.getppid()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.sock"

    @asynccontextmanager
    async def telling(self, text: Callable[[], Awaitable[bytes]]) -> AsyncIterator[None]:
        """Tell whoever of them asks, until the block ends."""

        async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                writer.write(await text())
                await writer.drain()
            except OSError:
                pass  # who asked has given up
            finally:
                writer.close()

        path = self._path(self._number)
        path.unlink(missing_ok=True)  # of the worker in whose place this one came
        try:
            async with await asyncio.start_unix_server(tell, path):
                yield
        finally:
            path.unlink(missing_ok=True)
            if os.getppid() != self._parent:  # which would have removed the folder
                with suppress(OSError):
                    self._folder.rmdir()

    async def texts(self, own: bytes) -> Mapping[int, bytes | None]:
        """The figures of each; None of one that is not there, or says nothing for two seconds."""
        others = [number for number in range(self._count) if number != self._number]
        told = await asyncio.gather(*(self._ask(number) for number in others))
        return dict(zip(others, told, strict=True)) | {self._number: own}

    async def _ask(self, number: int) -> bytes | None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(self._path(number))
                try:
                    return await reader.read() or None
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return None
