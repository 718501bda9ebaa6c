"""A cluster in this process: workers that get and give bytes as those of a real one, and die."""

import asyncio
from collections.abc import Mapping

import msgspec

from evalkit.workflows.runs.engines.cluster import WorkerLost
from evalkit.workflows.runs.engines.messages import decode_for_worker, encode
from evalkit.workflows.runs.engines.parcel import introduce
from evalkit.workflows.runs.engines.working import Worker


class LoopbackPost:
    """Implements cluster.Post."""

    def __init__(self, number: int, packed: bytes, digest: str, cluster: "LoopbackCluster") -> None:
        self.number = number
        self._packed, self._digest = packed, digest
        self._cluster = cluster
        self._worker = Worker(environ=cluster.environ)
        self._died = asyncio.Event()

    async def introduce(self) -> bytes:
        me = introduce(node=f"node-{self.number}", process=self.number)
        return msgspec.json.encode(msgspec.structs.replace(me, **self._cluster.other))

    async def load(self) -> bytes:
        packed = self._packed + self._cluster.noise
        return msgspec.json.encode(self._worker.load(packed, self._digest))

    async def deliver(self, batch: bytes) -> None:
        await asyncio.sleep(0)
        self._see_dead()
        self._worker.take(decode_for_worker(batch))

    async def collect(self) -> bytes:
        told = asyncio.ensure_future(self._worker.line.collect(at_most_s=1.0))
        died = asyncio.ensure_future(self._died.wait())
        try:
            await asyncio.wait({told, died}, return_when=asyncio.FIRST_COMPLETED)
            self._see_dead()
            return encode(told.result())
        finally:
            told.cancel()
            died.cancel()

    async def dismiss(self) -> bytes:
        self._see_dead()
        await self._worker.close()
        return encode(self._worker.line.left())

    def kill(self) -> None:
        """As kill -9: nothing is told any more, and connections break."""
        if not self._died.is_set():
            self._died.set()
            self._cluster.ending.append(asyncio.ensure_future(self._worker.close()))

    def _see_dead(self) -> None:
        if self._died.is_set():
            raise WorkerLost(f"node-{self.number} was killed")


class LoopbackCluster:
    """Implements cluster.Cluster. `other` is what workers say of themselves that is not so here,
    `noise` comes behind the parcel on its way, `environ` is theirs."""

    def __init__(
        self,
        processors: int = 2,
        *,
        environ: Mapping[str, str] | None = None,
        other: Mapping[str, str] | None = None,
        noise: bytes = b"",
    ) -> None:
        self.processors = processors
        self.environ = environ or {}
        self.other = dict(other or {})
        self.noise = noise
        self.posts: list[LoopbackPost] = []
        self.parcels: list[bytes] = []
        self.ending: list[asyncio.Future[None]] = []
        self.closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> int:
        self._loop = asyncio.get_running_loop()
        return self.processors

    def hire(self, packed: bytes, digest: str) -> LoopbackPost:
        post = LoopbackPost(len(self.posts), packed, digest, self)
        self.posts.append(post)
        self.parcels.append(packed)
        return post

    async def close(self) -> None:
        await asyncio.gather(*self.ending)
        self.closed = True

    def kill(self, number: int) -> None:
        """Kill a worker from any thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.posts[number].kill)
