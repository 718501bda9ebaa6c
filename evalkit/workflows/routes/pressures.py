"""What a route does under pressure, told: who is asked instead, how fast, and when nobody is."""

from typing import Literal

from evalkit.config.model import Config
from evalkit.config.routes import Provider, Route
from evalkit.records.route import BreakerExplained, DegradeExplained, LimitsExplained


def explained_degrade(route: Route) -> DegradeExplained | None:
    """Who is asked under which pressure; None where nobody is."""
    if route.degrade is None:
        return None
    return DegradeExplained(
        to=route.degrade.order, on=tuple(route.degrade.on), after_s=route.degrade.after_s
    )


def explained_breaker(config: Config) -> BreakerExplained | None:
    """When a circuit opens; None where none does."""
    rules = config.breaker
    return None if rules is None else BreakerExplained(**rules.plain())


def explained_limits(provider: Provider) -> LimitsExplained | None:
    """How fast a provider is asked; None where nothing says so."""
    limits = provider.limits
    return None if limits is None else LimitsExplained(**limits.plain())


def part_of(route: Route, model: str) -> Literal["primary", "fallback", "degrade"]:
    """The part of the route that names the model first."""
    if model == route.models.first:
        return "primary"
    return "fallback" if model in route.models.order else "degrade"


def place_words(route: Route, model: str) -> str:
    """A model's place on the route, in words."""
    part = part_of(route, model)
    if part == "primary":
        tier = route.models.tier
        words = "the route's primary model"
        return words if tier is None else f"{words}, the first one of tier {tier} that it may ask"
    if part == "fallback":
        return f"fallback {route.models.order.index(model)} of the route"
    return f"asked instead under pressure: {', '.join(route.degrade.on if route.degrade else ())}"
