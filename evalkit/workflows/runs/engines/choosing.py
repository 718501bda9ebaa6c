"""Which engine makes the attempts of a run: what was asked for, else what is configured."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from evalkit.config.engines import Engine, EngineKind
from evalkit.errors import UsageError
from evalkit.ports import Cache, CallLog, EventSink
from evalkit.records.attempt import Attempt
from evalkit.records.plan import PlannedAttempt
from evalkit.workflows.runs.engines.cluster import Cluster
from evalkit.workflows.runs.preparing import PreparedRun
from evalkit.workflows.setup.aging import aged_cache
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.wiring import Wiring

if TYPE_CHECKING:
    from evalkit.workflows.runs.engines.distributing import RemoteEngine


class EngineChoice(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of the engine. It is not part of the request: a run may go on with
    another one. `cluster` is used in the place of Ray's."""

    kind: EngineKind | None = None
    address: str | None = None
    cluster: Cluster | None = None

    def check(self) -> None:
        """Raise UsageError for an engine that is asked for and not installed, before any work."""
        if self.kind == "ray" and self.cluster is None:
            from evalkit.workflows.runs.engines.ray_cluster import require_ray

            require_ray()

    def over(self, configured: Engine) -> Engine:
        """The engine to use. Raises UsageError for an address that would go unused."""
        kind = self.kind or ("ray" if self.address else configured.kind)
        if kind == "asyncio":
            if self.address is not None:
                raise UsageError("--engine-address is of a Ray cluster; give --engine ray with it")
            return Engine.model_construct()
        return configured.model_copy(
            update={"kind": kind, "address": self.address or configured.address}
        )


CONFIGURED = EngineChoice()


class EngineInUse(msgspec.Struct, frozen=True, kw_only=True):
    """An engine at work: what makes an attempt, and how many may be in the air."""

    make: Callable[[PlannedAttempt], Awaitable[Attempt]]
    concurrency: int


@asynccontextmanager
async def opened_engine(
    choice: EngineChoice,
    prepared: PreparedRun,
    request: RunRequest,
    *,
    wiring: Wiring,
    cache: Cache | None,
    calls: CallLog,
    emit: EventSink,
) -> AsyncIterator[EngineInUse]:
    """The engine of a run, until it is over.

    Raises UsageError where it is not installed, EngineError where it cannot be reached, and Refused
    for what it cannot make.
    """
    run = prepared.config.run
    engine = choice.over(run.engine)
    concurrency = request.concurrency or engine.concurrency or run.concurrency
    if engine.kind == "asyncio":
        yield EngineInUse(make=prepared.make, concurrency=concurrency)
        return
    remote = _remote_engine(
        choice.cluster or _ray_cluster(engine),
        prepared,
        request,
        wiring=wiring,
        cache=cache,
        calls=calls,
        emit=emit,
        workers=engine.workers,
    )
    try:
        await remote.open()
        yield EngineInUse(make=remote.make, concurrency=concurrency)
    finally:
        await remote.close()


def _ray_cluster(engine: Engine) -> Cluster:
    from evalkit.workflows.runs.engines.ray_cluster import RayCluster

    return RayCluster(engine.address, workers=engine.workers)


def _remote_engine(
    cluster: Cluster,
    prepared: PreparedRun,
    request: RunRequest,
    *,
    wiring: Wiring,
    cache: Cache | None,
    calls: CallLog,
    emit: EventSink,
    workers: int | None,
) -> "RemoteEngine":
    """An engine of workers that ask for what this process owns. Raises Refused."""
    from evalkit.workflows.runs.engines.distributing import RemoteEngine
    from evalkit.workflows.runs.engines.owning import Owned
    from evalkit.workflows.runs.engines.packing import build_parcel
    from evalkit.workflows.runs.engines.parcel import introduce, pack

    packed, digest = pack(build_parcel(prepared, request, wiring, cached=cache is not None))
    arms = [(setup, arm) for setup in prepared.setups for arm in setup.variants]
    now = wiring.clock.now()
    return RemoteEngine(
        cluster,
        packed=packed,
        digest=digest,
        me=introduce(node="", process=0),
        arms={(setup.name, arm.name): number for number, (setup, arm) in enumerate(arms)},
        case_of=lambda planned: prepared.cases[planned.suite].by_id(planned.case),
        owned=Owned(
            way=lambda number, name: wiring.lane(
                (config := arms[number][1].config), name, config.models[name]
            ),
            caches=[aged_cache(cache, setup, now=now) for setup, _ in arms],
            budgets=prepared.ledger,
            emit=emit,
            flights=wiring.flights,
        ),
        calls=calls,
        emit=emit,
        workers=workers,
    )
