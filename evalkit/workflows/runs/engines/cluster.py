"""What a cluster is to a run; Ray is one, and tests have one in a process."""

from typing import Protocol


class WorkerLost(Exception):
    """A worker is gone, or says nothing any more. What it had under way is made elsewhere."""


class Post(Protocol):
    """One worker, far away. Every method raises WorkerLost; none is tried again by the cluster."""

    async def introduce(self) -> bytes:
        """Who it is: an Introduction. Returns once there is room for it in the cluster."""

    async def load(self) -> bytes:
        """Have it wire the run's parcel: a Readiness."""

    async def deliver(self, batch: bytes) -> None:
        """Messages to it, in the order of the calls where one is awaited before the next."""

    async def collect(self) -> bytes:
        """Messages of it; waits a while for there to be one."""

    async def dismiss(self) -> bytes:
        """Have it give up what is under way: its last messages."""

    def kill(self) -> None:
        """End its process. Without effect where that is gone."""


class Cluster(Protocol):
    """Where workers run."""

    async def open(self) -> int:
        """Connect, and tell how many processors there are. Raises EngineError."""

    def hire(self, packed: bytes, digest: str) -> Post:
        """A further worker, for a parcel with that digest; the cluster places it when it can."""

    async def close(self) -> None:
        """Give everything back."""
