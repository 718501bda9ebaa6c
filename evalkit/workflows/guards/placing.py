"""Where data may go, how fast providers are asked and when they are left alone, in sentences about
what became wider."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from evalkit.config.model import Config
from evalkit.config.residence import LOCAL, region_of
from evalkit.config.routes import Route
from evalkit.config.traffic import Limits

# the way in which each lets more calls pass to a provider that fails
_LATER = {"failure_rate": 1, "min_calls": 1, "window_s": -1, "cool_down_s": -1}
_LIMITS = ("requests_per_minute", "tokens_per_minute", "max_concurrency")


def wider_places(old: Route, new: Route) -> Iterable[str]:
    """Places to which a route may send its data that it could not reach before."""
    if old.keeps_local and not new.keeps_local:
        yield f"route {new.name} may ask models that are not local"
    if old.regions is not None and new.regions is None:
        yield f"route {new.name} may ask models of every region"
    elif old.regions is not None and new.regions is not None:
        more = sorted(set(new.regions) - set(old.regions))
        if more:
            yield f"route {new.name} may also ask models in {', '.join(more)}"
    taken = [risk for risk in new.risks if risk not in old.risks]
    if taken:
        yield f"route {new.name} is now for risk {', '.join(taken)}"


def moved_models(old: Config, new: Config, route: Route) -> Iterable[str]:
    """Models of a restricted route that are said to answer elsewhere than they were, or do."""
    restricted = route.keeps_local or route.regions is not None
    for name in route.every_model:
        before, after = old.models.get(name), new.models.get(name)
        if before is None or after is None:
            continue
        if route.keeps_local and after.tier == LOCAL != before.tier:
            yield f"model {name} is said to be local now"
        if route.regions is not None:
            was = region_of(before, before.provider, old.providers)
            now = region_of(after, after.provider, new.providers)
            if was != now:
                yield f"model {name} is said to be in region {now or '-'} now, it was {was or '-'}"
        if restricted and (moved := _moved(old, new, before.provider, after.provider)):
            yield f"model {name} of the restricted route {route.name} is reached {moved}"


def _moved(old: Config, new: Config, was: str, now: str) -> str | None:
    """The places that a model is asked at and was not, stand-ins included; ports do not count."""
    before, after = (
        {name: _host(config.providers[name].address) for name in config.answering(provider)}
        for config, provider in ((old, was), (new, now))
    )
    if not set(after.values()) - set(before.values()):
        return None
    return f"at {', '.join(after.values())} now, it was at {', '.join(before.values()) or '-'}"


def _host(address: str | None) -> str:
    return (urlsplit(address).hostname or address) if address else "this process"


def looser_breaker(old: Config, new: Config) -> Iterable[str]:
    """Circuits that open later than they did, for less long, or never."""
    before, after = old.breaker, new.breaker
    if before is None:
        return
    if after is None:
        yield "circuits are switched off (breaker)"
        return
    for key, sign in _LATER.items():
        was, now = getattr(before, key), getattr(after, key)
        if sign * (now - was) > 0:
            yield f"breaker.{key} went from {was:g} to {now:g}"


def looser_limits(old: Config, new: Config, models: Sequence[str]) -> Iterable[str]:
    """Providers of these models that may be asked faster than they were."""
    asked = {
        name: None
        for config in (old, new)
        for model in models
        if model in config.models
        for name in config.answering(config.models[model].provider)
    }
    for name in asked:
        if name in old.providers and name in new.providers:
            before = old.providers[name].limits or Limits()
            after = new.providers[name].limits or Limits()
            for key in _LIMITS:
                was, now = getattr(before, key), getattr(after, key)
                if was is not None and (now is None or now > was):
                    yield f"{key} of provider {name} went from {was} to {now or 'none'}"
