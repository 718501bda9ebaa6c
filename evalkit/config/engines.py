"""`run.engine`: where attempts are made."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from evalkit.config.base import Part

EngineKind = Literal["asyncio", "ray"]


class Engine(Part):
    """Where the attempts of a run are made; what a run is does not depend on it."""

    kind: Annotated[
        EngineKind,
        Field(
            description="asyncio: in this process. ray: by workers on a Ray cluster (extra `ray`), "
            "with the limits and budgets of this process. More in ray.md."
        ),
    ] = "asyncio"
    address: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Of the Ray cluster, as Ray takes it: ray://host:10001, host:6379, auto, "
            "or local, a cluster of this machine for the time of the run. Default: local.",
        ),
    ] = None
    workers: Annotated[
        int | None,
        Field(
            ge=1,
            le=100_000,
            description="Worker processes, each on a processor of the cluster. Default: one for "
            "every processor it has.",
        ),
    ] = None
    concurrency: Annotated[
        int | None,
        Field(
            ge=1,
            le=1_000_000,
            description="Attempts in the air at one time over all workers. Default: "
            "run.concurrency.",
        ),
    ] = None

    @model_validator(mode="after")
    def _keys_of_the_kind(self) -> "Engine":
        given = [
            name
            for name in ("address", "workers", "concurrency")
            if getattr(self, name) is not None
        ]
        if self.kind == "asyncio" and given:
            raise ValueError(f"{given[0]} belongs to kind: ray")
        return self
