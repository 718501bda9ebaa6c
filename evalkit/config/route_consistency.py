"""What is wrong with a route beside its models, its providers and the other routes."""

from collections.abc import Iterator
from itertools import product

from evalkit.config.problems import Path, listed, suggest
from evalkit.config.residence import LOCAL, why_not
from evalkit.config.route_models import Choice, TierChoice
from evalkit.config.routes import HTTP_KINDS, Model, Route
from evalkit.config.written import Written
from evalkit.errors import Problem

# Any word is a risk class; these are the ones that a slip of the pen is held against.
_RISKS = ("low", "medium", "high", "pii")


def route_problems(written: Written, path: Path, route: Route) -> Iterator[Problem]:
    """Models that are unknown, named twice or not for this route; tiers without one."""
    places = _model_places(route)
    order: list[str] = []
    for place, choice in places:
        at: Path = (*path, *place)
        if isinstance(choice, TierChoice):
            yield from _tier(written, (*at, "tier") if place[-1] != "tier" else at, route, choice)
            continue
        if choice in order:
            yield written.locator.problem(at, "the route asks this model already", value=choice)
        else:
            yield from _named(written, at, route, choice)
        order.append(choice)
    yield from _degrade(written, path, route)
    yield from _risk_words(written, path, route)


def _model_places(route: Route) -> list[tuple[Path, Choice]]:
    """Where each choice of the route's models stands, the first one first."""
    models = route.models
    first = models.choices[0]
    places: list[tuple[Path, Choice]] = [
        (("models", "primary" if models.tier is None else "tier"), first)
    ]
    rest = models.choices[1:]
    if isinstance(models.fallback, list):
        places += [(("models", "fallback", index), each) for index, each in enumerate(rest)]
    else:
        places += [(("models", "fallback"), each) for each in rest]
    return places


def _named(written: Written, at: Path, route: Route, name: str) -> Iterator[Problem]:
    known = written.config.models
    if name in written.models and name not in known:
        return  # it has a problem of its own
    reason = why_not(route, name, known, written.config.providers)
    if reason is not None:
        yield written.locator.problem(at, f"the route may not ask it: {reason}", value=name)
    elif name not in known:
        yield written.locator.problem(
            at,
            "the model is not in `models:`, so it has no provider and no price",
            value=name,
            suggestion=suggest(name, written.models),
            severity="warning",
        )


def _tier(written: Written, at: Path, route: Route, choice: TierChoice) -> Iterator[Problem]:
    known = written.config.models
    if len(known) < len(written.models):
        return  # one that is broken may be of this tier
    of_tier = [name for name, model in known.items() if model.tier == choice.tier]
    reasons = {name: why_not(route, name, known, written.config.providers) for name in of_tier}
    if all(reason is not None for reason in reasons.values()):
        told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        yield written.locator.problem(
            at,
            f"no model of this tier may be asked: {told}"
            if told
            else "no model in `models:` is of this tier",
            value=choice.tier,
            suggestion=None if told else f"give a model `tier: {choice.tier}`",
        )


def _degrade(written: Written, path: Path, route: Route) -> Iterator[Problem]:
    if route.degrade is None:
        return
    choices = route.degrade.to if isinstance(route.degrade.to, list) else [route.degrade.to]
    for index, choice in enumerate(choices):
        at: Path = (*path, "degrade", "to")
        if isinstance(route.degrade.to, list):
            at = (*at, index)
        if isinstance(choice, TierChoice):
            yield from _tier(written, (*at, "tier"), route, choice)
            continue
        yield from _named(written, at, route, choice)
        if choice == route.models.first:
            yield written.locator.problem(
                at, "the route asks this model first, so it is no way out", value=choice
            )
        elif _dearer(written, choice, route.models.first):
            yield written.locator.problem(
                at,
                f"the model costs more than {route.models.first}, which it stands in for",
                value=choice,
                severity="warning",
            )


def _dearer(written: Written, name: str, than: str) -> bool:
    models = written.config.models
    ours, theirs = (models[each].price if each in models else None for each in (name, than))
    if ours is None or theirs is None:
        return False
    return (ours.input_usd_per_mtok, ours.output_usd_per_mtok) > (
        theirs.input_usd_per_mtok,
        theirs.output_usd_per_mtok,
    )


def _risk_words(written: Written, path: Path, route: Route) -> Iterator[Problem]:
    for index, word in enumerate(route.risks):
        at: Path = (*path, "risk", index) if isinstance(route.risk, list) else (*path, "risk")
        hint = None if word in _RISKS else suggest(word, _RISKS)
        if hint is not None:
            yield written.locator.problem(
                at,
                "the risk class is a word of yours, and close to a known one",
                value=word,
                suggestion=hint,
                severity="warning",
            )


def shared_work(written: Written) -> Iterator[Problem]:
    """Routes that are for the same task and risk class: nothing would tell which one is meant."""
    found: dict[tuple[str | None, str | None], str] = {}
    for route, index in zip(written.config.routes, written.routes_at, strict=True):
        if not route.tasks and not route.risks:
            continue
        for task, risk in product(route.tasks or (None,), route.risks or (None,)):
            other = found.setdefault((task, risk), route.name)
            if other == route.name:
                continue
            words = _work_words(task, risk)
            key = "task" if route.tasks else "risk"
            yield written.locator.problem(
                ("routes", index, key), f"route {other} is for {words} already"
            )


def _work_words(task: str | None, risk: str | None) -> str:
    words = [] if task is None else [f"task {task}"]
    return " and ".join([*words, *([] if risk is None else [f"risk {risk}"])])


def local_problems(written: Written, name: str) -> Iterator[Problem]:
    """A model of tier local that is reached at a vendor's address."""
    model: Model = written.config.models[name]
    if model.tier != LOCAL:
        return
    away = [
        each
        for each in written.config.answering(model.provider)
        if _is_vendors(written.config.providers[each].kind, written.config.providers[each].base_url)
    ]
    if away:
        yield written.locator.problem(
            ("models", name, "tier"),
            f"data of a local model stays with you, and {listed(away)} is asked at the vendor's "
            "own address",
            expected="a provider with a base_url of yours, or of kind local",
        )


def _is_vendors(kind: str, base_url: str | None) -> bool:
    address = HTTP_KINDS.get(kind)
    return address is not None and (base_url is None or base_url.rstrip("/") == address)
