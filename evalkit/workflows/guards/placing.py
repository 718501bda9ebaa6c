"""Where data may go and how fast providers are asked, in sentences about what became wider."""

from collections.abc import Iterable, Sequence

from evalkit.config.model import Config
from evalkit.config.residence import LOCAL, region_of
from evalkit.config.routes import Route
from evalkit.config.traffic import Limits

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
    """Models of a restricted route that are said to answer elsewhere than they were."""
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
