"""Which models a route asks: by name or by tier, who follows, and who is asked under pressure."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, model_validator

from evalkit.config.base import Name, Part

Tier = Literal["small", "mid", "top", "local"]
Pressure = Literal["load", "budget"]


class TierChoice(Part):
    """Every model of a tier."""

    tier: Annotated[
        Tier,
        Field(description="The models whose `tier` it is, in the order of `models:`."),
    ]


Choice = Name | TierChoice
Choices = Choice | list[Choice]


def listed_choices(choices: Choices | None) -> list[Choice]:
    """What is written once, several times or not at all, as a list."""
    if choices is None:
        return []
    return choices if isinstance(choices, list) else [choices]


class RouteModels(Part):
    """Which model answers, and which ones follow on an infrastructure error."""

    primary: Annotated[
        Name | None, Field(description="The model that is asked first. This or `tier` is needed.")
    ] = None
    tier: Annotated[
        Tier | None,
        Field(
            description="Instead of `primary`: the models whose `tier` it is, in the order of "
            "`models:`, without those that the route may not ask."
        ),
    ] = None
    fallback: Annotated[
        Choices | None,
        Field(
            description="Asked in order after a timeout, a 429, a 5xx, a lost connection, a reply "
            "that is none, or an open circuit of the one before. Never after a policy block, never "
            "after a bad answer. Names, or {tier: …} for the models of a tier."
        ),
    ] = None
    _order: tuple[str, ...] | None = PrivateAttr(None)

    @property
    def choices(self) -> list[Choice]:
        """What is written, the first one first."""
        first: list[Choice] = [] if self.primary is None else [self.primary]
        if self.tier is not None:
            first = [TierChoice(tier=self.tier)]
        return [*first, *listed_choices(self.fallback)]

    @property
    def order(self) -> tuple[str, ...]:
        """The first model, then every fallback. Of a tier as the whole configuration has it; a
        route that stands alone knows the models that it names."""
        if self._order is not None:
            return self._order
        return tuple(each for each in self.choices if isinstance(each, str))

    @property
    def first(self) -> str:
        """The model that is asked first; empty where no model of its tier may be asked."""
        return next(iter(self.order), "")

    def resolve(self, order: Sequence[str]) -> None:
        """Keep what the tiers stand for. Done once, by the configuration that the route is in."""
        self._order = tuple(order)

    @model_validator(mode="after")
    def _names_a_first(self) -> "RouteModels":
        if (self.primary is None) == (self.tier is None):
            raise ValueError("the models of a route have a `primary`, or a `tier`, and not both")
        return self


class Degrade(Part):
    """A cheaper model under pressure."""

    to: Annotated[
        Choices,
        Field(description="Who is asked instead, in order: names, or {tier: …}."),
    ]
    on: Annotated[
        list[Pressure],
        Field(
            min_length=1,
            description="load: a call would wait longer than `after_s` for its provider's limits, "
            "or no model of the route is left but for open circuits and 429s. budget: a budget "
            "with `on_exceed: degrade` cannot hold the call.",
        ),
    ] = ["load", "budget"]
    after_s: Annotated[
        float,
        Field(ge=0, le=3600, description="How long a call may wait before that is load, seconds."),
    ] = 5.0
    _order: tuple[str, ...] | None = PrivateAttr(None)

    @property
    def order(self) -> tuple[str, ...]:
        """The models that are asked instead, as in `RouteModels.order`."""
        if self._order is not None:
            return self._order
        return tuple(each for each in listed_choices(self.to) if isinstance(each, str))

    def resolve(self, order: Sequence[str]) -> None:
        """Keep what the tiers stand for."""
        self._order = tuple(order)
