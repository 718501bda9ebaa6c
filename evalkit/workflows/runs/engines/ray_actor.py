"""A worker as a Ray actor: asynchronous methods that hand bytes to a worker and back.

Its module is imported where Ray starts the actor, so it names Ray only to ask which node that is.
"""

import os

import msgspec

from evalkit.workflows.runs.engines.messages import decode_for_worker, encode
from evalkit.workflows.runs.engines.parcel import introduce
from evalkit.workflows.runs.engines.working import Worker

_COLLECT_S = 1.0


class RayActor:
    """The methods of `cluster.Post`, on the other side."""

    def __init__(self) -> None:
        """Nothing is loaded."""
        self._worker = Worker()

    async def introduce(self) -> bytes:
        """Who this is."""
        import ray

        node = str(ray.get_runtime_context().get_node_id())[:12]
        return msgspec.json.encode(introduce(node=node, process=os.getpid()))

    async def load(self, packed: bytes, digest: str) -> bytes:
        """Wire a parcel."""
        return msgspec.json.encode(self._worker.load(packed, digest))

    async def deliver(self, batch: bytes) -> None:
        """Take messages."""
        self._worker.take(decode_for_worker(batch))

    async def collect(self) -> bytes:
        """What there is to tell; an empty batch after a second without."""
        return encode(await self._worker.line.collect(at_most_s=_COLLECT_S))

    async def dismiss(self) -> bytes:
        """Give up what is under way."""
        await self._worker.close()
        return encode(self._worker.line.left())
