"""The whole of evalkit.yaml."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from evalkit.config.base import Name, Part
from evalkit.config.budgets import Budget
from evalkit.config.engines import Engine
from evalkit.config.gateway import GatewayRules
from evalkit.config.indexes import Index, Scopes
from evalkit.config.matching import match_route
from evalkit.config.permissions import Text
from evalkit.config.prices import PriceList
from evalkit.config.residence import left_out, refused_models, resolve_models
from evalkit.config.routes import Model, Provider, Route
from evalkit.config.suites import Baseline, Suite
from evalkit.config.telemetry import Retention, Telemetry
from evalkit.config.traffic import BreakerRules


class RunDefaults(Part):
    """How runs are made unless the command line says otherwise."""

    suites: Annotated[
        list[Name] | None,
        Field(min_length=1, description="What `evalkit run` runs; default: every suite."),
    ] = None
    concurrency: Annotated[
        int, Field(ge=1, le=1024, description="Attempts in the air at one time.")
    ] = 8
    timeout_s: Annotated[
        float, Field(gt=0, description="How long one call may take, in seconds.")
    ] = 60.0
    retries: Annotated[
        int,
        Field(ge=0, le=20, description="More tries of a call after an infrastructure error."),
    ] = 3
    engine: Annotated[Engine, Field(description="Where the attempts are made.")] = (
        Engine.model_construct()
    )


class Config(Part):
    """evalkit.yaml."""

    version: Annotated[Literal[1], Field(description="The version of this format.")] = 1
    providers: Annotated[
        dict[Name, Provider], Field(description="Where models are reached, by a name of yours.")
    ] = {}
    models: Annotated[
        dict[Name, Model],
        Field(description="What the models that routes name really are, and what they cost."),
    ] = {}
    routes: Annotated[
        list[Route], Field(description="How each kind of work is done; names are unique.")
    ] = []
    indexes: Annotated[
        dict[Name, Index],
        Field(description="Where retrieval looks, by the name that prompts and routes use."),
    ] = {}
    scopes: Annotated[
        Scopes, Field(description="Who may read what an index or a document keeps to a scope.")
    ] = Scopes.model_construct()
    prices: Annotated[
        PriceList, Field(description="Where the prices come from that no model names.")
    ] = PriceList.model_construct()
    budgets: Annotated[
        list[Budget], Field(description="Caps on what calls spend; every one of them holds.")
    ] = []
    breaker: Annotated[
        BreakerRules | None,
        Field(
            description="When a model that keeps failing is left alone for a while; null: never."
        ),
    ] = BreakerRules.model_construct()
    approvers: Annotated[
        dict[Name, list[Text]] | None,
        Field(
            description="Who may grant and deny approvals, by team. Without the list whoever names "
            "the team may; with it nobody else."
        ),
    ] = None
    suites: Annotated[
        dict[Name, Suite], Field(description="What is tested, by the name that `run` takes.")
    ] = {}
    baseline: Annotated[
        Baseline | None,
        Field(
            description="What suites without a `baseline` of their own are compared with: a git "
            "ref, a run bundle, or {set: …}. Default: the pull request's base, or the merge base "
            "with the default branch."
        ),
    ] = None
    run: Annotated[
        RunDefaults, Field(description="How runs are made unless flags say otherwise.")
    ] = RunDefaults.model_construct()
    telemetry: Annotated[
        Telemetry, Field(description="What sessions tell of themselves, and to whom.")
    ] = Telemetry.model_construct()
    retention: Annotated[
        Retention, Field(description="How long private state is kept, for `evalkit prune`.")
    ] = Retention.model_construct()

    gateway: Annotated[
        GatewayRules, Field(description="What `evalkit serve` allows its clients.")
    ] = GatewayRules.model_construct()

    @field_validator("version", mode="before")
    @classmethod
    def _no_flag(cls, value: object) -> object:
        """To Python `true` is 1."""
        return str(value) if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _tiers(self) -> "Config":
        for route in self.routes:
            resolve_models(route, self.models, self.providers)
        return self

    def refused(self, route: Route) -> Mapping[str, str]:
        """Models that the route names and may not ask, with the reason."""
        return refused_models(route, route.every_model, self.models, self.providers)

    def left_out(self, route: Route) -> Mapping[str, str]:
        """Models of the route's tiers that it may not ask, with the reason."""
        return left_out(route, self.models, self.providers)

    def route(self, name: str) -> Route | None:
        """The route of that name."""
        return next((route for route in self.routes if route.name == name), None)

    def route_for(self, *, task: str | None = None, risk: str | None = None) -> Route:
        """The route for a task, a risk class, or both. Raises UsageError for none or several."""
        return match_route(self.routes, task=task, risk=risk)

    def answering(self, provider: str) -> tuple[str, ...]:
        """The provider and those that stand in for it, one after the other; known ones only."""
        found: dict[str, None] = {}
        name: str | None = provider
        while name in self.providers and name not in found:
            found[name] = None
            name = self.providers[name].without_key
        return tuple(found)
