"""What a route is for and what it does under pressure, in words."""

from evalkit.records.route import LimitsExplained, ModelExplained, RouteExplained
from evalkit.report.figures import percent, quantity

_PRESSURES = {
    "load": "a call would wait longer than {after} s for limits, or only open circuits and 429s "
    "are left",
    "budget": "a budget that degrades runs low",
}


def work_rows(route: RouteExplained) -> list[tuple[str, str]]:
    """What the route is for, and where its data may go."""
    rows = []
    if route.found_by is not None:
        rows.append(("found by", route.found_by))
    words = [f"task {', '.join(route.tasks)}"] if route.tasks else []
    if route.risks:
        words.append(f"risk {', '.join(route.risks)}")
    if words:
        rows.append(("is for", "; ".join(words)))
    places = ["models of tier local only"] if route.local_only else []
    if route.regions is not None:
        places.append(f"region {' or '.join(route.regions)} only, fallbacks included")
    if places:
        rows.append(("data goes to", "; ".join(places)))
    rows += [("left out", f"{name}: {why}") for name, why in route.left_out.items()]
    return rows


def kind_words(model: ModelExplained) -> str:
    """A model's tier and region, as far as they are known."""
    words = [] if model.tier is None else [f"tier {model.tier}"]
    return ", ".join([*words, *([] if model.region is None else [f"region {model.region}"])])


def limit_words(limits: LimitsExplained) -> str:
    """How fast a provider is asked."""
    words = []
    if limits.requests_per_minute is not None:
        words.append(f"{limits.requests_per_minute:,} requests a minute")
    if limits.tokens_per_minute is not None:
        words.append(f"{limits.tokens_per_minute:,} tokens a minute")
    if limits.max_concurrency is not None:
        words.append(f"{limits.max_concurrency:,} calls at a time")
    return ", ".join(words) or "none"


def pressure_rows(route: RouteExplained) -> list[tuple[str, str]]:
    """When a cheaper model is asked, and when a model is left alone."""
    rows = []
    if route.degrade is not None:
        when = "; or ".join(
            _PRESSURES[each].format(after=quantity(route.degrade.after_s))
            for each in route.degrade.on
        )
        rows.append(("degrades", f"to {', '.join(route.degrade.to)} when {when}"))
    if route.breaker is None:
        rows.append(("circuit", "none: a model that keeps failing is asked all the same"))
    else:
        rules = route.breaker
        rows.append(
            (
                "circuit",
                f"of a live model opens when {percent(rules.failure_rate)} of at least "
                f"{rules.min_calls} calls within {quantity(rules.window_s)} s failed; "
                f"{quantity(rules.cool_down_s)} s later one call probes it",
            )
        )
    return rows
