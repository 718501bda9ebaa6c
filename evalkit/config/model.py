"""The whole of evalkit.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from evalkit.config.base import Name, Part
from evalkit.config.routes import Budget, Model, Provider, Route
from evalkit.config.suites import Baseline, Suite


class RunDefaults(Part):
    """How runs are made unless the command line says otherwise."""

    suites: Annotated[
        list[Name] | None, Field(description="What `evalkit run` runs; default: every suite.")
    ] = None
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 8
    timeout_s: Annotated[float, Field(gt=0, description="Of one call.")] = 60.0
    retries: Annotated[
        int, Field(ge=0, le=20, description="More tries after an infrastructure error.")
    ] = 3


class Config(Part):
    """evalkit.yaml."""

    version: Literal[1] = 1
    providers: dict[Name, Provider] = {}
    models: dict[Name, Model] = {}
    routes: list[Route] = []
    budgets: list[Budget] = []
    suites: dict[Name, Suite] = {}
    baseline: Annotated[Baseline | None, Field(description="Of every suite that names none.")] = (
        None
    )
    run: RunDefaults = RunDefaults()

    def route(self, name: str) -> Route | None:
        """The route of that name."""
        return next((route for route in self.routes if route.name == name), None)
