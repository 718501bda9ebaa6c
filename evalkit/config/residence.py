"""Where the data of a call would go, and which routes may send theirs there: denied by default."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from evalkit.config.route_models import Choice, listed_choices
from evalkit.config.routes import Model, Provider, Route

# what these answer is made in this process: nothing leaves it
_IN_PROCESS = ("local", "scripted")
LOCAL = "local"


def resolve_models(
    route: Route, models: Mapping[str, Model], providers: Mapping[str, Provider]
) -> None:
    """Put the models of a tier in its place; those that the route may not ask are left out."""
    known = (route, models, providers)
    route.models.resolve(_order(route.models.choices, *known))
    if route.degrade is not None:
        route.degrade.resolve(_order(listed_choices(route.degrade.to), *known))


def _order(
    choices: Sequence[Choice],
    route: Route,
    models: Mapping[str, Model],
    providers: Mapping[str, Provider],
) -> list[str]:
    order: list[str] = []
    for choice in choices:
        if isinstance(choice, str):
            order.append(choice)
            continue
        order += [
            name
            for name, model in models.items()
            if model.tier == choice.tier
            and name not in order
            and why_not(route, name, models, providers) is None
        ]
    return order


def why_not(
    route: Route, name: str, models: Mapping[str, Model], providers: Mapping[str, Provider]
) -> str | None:
    """Why the route may not ask the model, by `local_only` and `regions`; None where it may.

    A provider that stands in for the model's own is held to the same.
    """
    if not route.keeps_local and route.regions is None:
        return None
    model = models.get(name)
    if model is None:
        return "nothing is known of the model, and the route restricts where its data goes"
    if route.keeps_local and model.tier != LOCAL:
        because = "local_only" if route.local_only else "risk pii"
        return f"the route is for models of tier local ({because}), and its tier is {model.tier}"
    if route.regions is None:
        return None
    for provider in _answering(model.provider, providers):
        region = region_of(model, provider, providers)
        if region is not None and region not in route.regions:
            through = (
                f"through {provider} it is in region {region}"
                if region
                else f"nothing says in which region it is through {provider}"
            )
            return f"{through}, and the route is for {', '.join(route.regions)}"
    return None


def left_out(
    route: Route, models: Mapping[str, Model], providers: Mapping[str, Provider]
) -> dict[str, str]:
    """Models of the route's tiers that it may not ask, with the reason."""
    degraded = None if route.degrade is None else route.degrade.to
    choices = [*route.models.choices, *listed_choices(degraded)]
    tiers = {choice.tier for choice in choices if not isinstance(choice, str)}
    of_tiers = [name for name, model in models.items() if model.tier in tiers]
    return refused_models(route, of_tiers, models, providers)


def region_of(model: Model, provider: str, providers: Mapping[str, Provider]) -> str | None:
    """Where the model answers when it is asked through the provider; empty where nobody says, None
    where nothing leaves the process.

    The region of a model is that of its own provider's, so a stand-in has its own.
    """
    settings = providers.get(provider)
    if settings is not None and settings.kind in _IN_PROCESS:
        return None
    own = settings.region if settings is not None else None
    return (model.region if provider == model.provider and model.region else own) or ""


def _answering(name: str | None, providers: Mapping[str, Provider]) -> Iterator[str]:
    """The provider and those that stand in for it."""
    seen: set[str] = set()
    while name is not None and name not in seen:
        yield name
        seen.add(name)
        settings = providers.get(name)
        name = None if settings is None else settings.without_key


def refused_models(
    route: Route,
    names: Iterable[str],
    models: Mapping[str, Model],
    providers: Mapping[str, Provider],
) -> dict[str, str]:
    """Of these models those that the route may not ask, with the reason."""
    reasons = {name: why_not(route, name, models, providers) for name in names}
    return {name: reason for name, reason in reasons.items() if reason is not None}
