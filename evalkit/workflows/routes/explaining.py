"""A route told without a call: each model in order, who answers for it, and within which limits.

Bounds come from the control session that would make the call, so what is told here is what would
be held. A model that cannot be reached is put in by a provider that is never asked: its bounds are
known all the same.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from evalkit.config.residence import region_of
from evalkit.config.route_models import RouteModels
from evalkit.config.routes import Provider
from evalkit.control.ledger.book import Ledger
from evalkit.control.providers.bedrock_signing import keys_of
from evalkit.control.providers.protocol import Unsigned
from evalkit.control.requests import DEFAULT_MAX_TOKENS
from evalkit.control.routing import FALLBACK_CODES
from evalkit.control.screening import screen_rules
from evalkit.errors import PolicyBlocked, Refused
from evalkit.ports import Cache
from evalkit.records.attempt import FailureMode
from evalkit.records.call import PreparedCall
from evalkit.records.route import ModelExplained, RouteExplained
from evalkit.sources.tree import WorkingTree
from evalkit.workflows.routes.asked import Asked
from evalkit.workflows.routes.budgets import explained_budgets, over_budget
from evalkit.workflows.routes.permissions import explain_permissions
from evalkit.workflows.routes.pressures import (
    explained_breaker,
    explained_degrade,
    explained_limits,
    part_of,
    place_words,
)
from evalkit.workflows.runs.caching import open_cache
from evalkit.workflows.setup.aging import aged_cache
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.setup.targets import build_target
from evalkit.workflows.setup.variants import SuiteSetup, Variant
from evalkit.workflows.wiring import Wiring

# how a session's call can end without the next model being asked
_NEVER = (
    FailureMode.POLICY,
    FailureMode.REFUSAL,
    FailureMode.CONTENT_FILTER,
    FailureMode.INVALID_OUTPUT,
    FailureMode.TRUNCATED,
    FailureMode.AUTHENTICATION,
    FailureMode.QUOTA,
    FailureMode.BAD_REQUEST,
    FailureMode.CONTEXT_LENGTH,
    FailureMode.NOT_RECORDED,
    FailureMode.BUDGET,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answering:
    """The provider that would answer for a model, and what keeps it from that."""

    name: str
    provider: Provider
    configured: str
    missing: tuple[str, ...] = ()


def explain_route(asked: Asked, *, wiring: Wiring) -> RouteExplained:
    """What a call on the route would meet. Nothing is called; the wiring is closed behind it.

    Raises ConfigError for a template that cannot be rendered for the case, Refused for a model
    without an entry in `models:`, StoreError.
    """
    return asyncio.run(_explain(asked, wiring))


async def _explain(asked: Asked, wiring: Wiring) -> RouteExplained:
    asked = replace(asked, config=wiring.prices.priced(asked.config))
    route, config = asked.route, asked.config
    try:
        answering = {name: _answering(asked, name, wiring) for name in route.every_model}
        wiring.drill({each.configured: "down" for each in answering.values() if each.missing})
        calls: dict[str, PreparedCall] = {}
        blocked = None
        if asked.case is not None:
            with open_cache(wiring.root, RunRequest()) as cache:
                try:
                    for name in route.every_model:
                        call = await _prepared(asked, name, wiring, cache)
                        if call is not None:
                            calls[name] = call
                except PolicyBlocked as error:
                    blocked = f"{error.rule}: {error}"
        models = tuple(
            _model(asked, name, answering[name], calls.get(name), wiring)
            for name in route.every_model
        )
    finally:
        await wiring.close()
    cap = route.max_tokens
    return RouteExplained(
        route=route.name,
        models=models,
        falls_on=_ordered(FALLBACK_CODES),
        never=_ordered(_NEVER),
        timeout_s=config.run.timeout_s,
        retries=config.run.retries,
        max_tokens=DEFAULT_MAX_TOKENS if cap is None else cap,
        max_tokens_by="default" if cap is None else "route",
        max_tool_calls=route.max_tool_calls,
        max_chunks=route.retrieval.max_chunks,
        max_retrieved_tokens=route.retrieval.max_tokens,
        allow_indexes=_tuple(route.retrieval.allow_indexes),
        pii_redaction=route.policies.pii_redaction,
        screens={kind: rule.mode for rule in screen_rules(route.policies) for kind in rule.kinds},
        disallow_actions=tuple(route.policies.disallow_actions),
        require_citations=route.citations is not None,
        approval_by=None if route.approvals.execute is None else route.approvals.execute.team,
        owner=route.owner,
        budgets=explained_budgets(asked, wiring),
        suite=None if asked.suite is None else asked.suite.name,
        case=None if asked.case is None else asked.case.id,
        prompt=None if asked.suite is None else asked.suite.reference,
        bounds_note=asked.note,
        blocked=blocked,
        tasks=route.tasks,
        risks=route.risks,
        found_by=asked.found_by,
        regions=_tuple(route.regions),
        local_only=route.keeps_local,
        left_out=dict(config.left_out(route)),
        degrade=explained_degrade(route),
        breaker=explained_breaker(config),
        permissions=explain_permissions(route),
    )


def _answering(asked: Asked, name: str, wiring: Wiring) -> _Answering:
    """Who answers for a model: built, since only that tells whether all is there."""
    config = asked.config
    known = config.models.get(name)
    if known is None:
        wiring.provider(config, name, suite="")  # raises Refused, and says what there is to do
        raise AssertionError("unreachable: a model without an entry is refused")
    chain = config.answering(known.provider)
    by = chain[-1]
    try:
        by, provider = wiring.chosen(config, name, known)
        wiring.provider(config, name, suite=_suite_name(asked))
    except Refused as error:
        return _Answering(
            name=by,
            provider=config.providers[by],
            configured=known.provider,
            missing=(str(error),),
        )
    gone = _lacking(asked, name, provider, wiring)
    return _Answering(
        name=by,
        provider=provider,
        configured=known.provider,
        missing=() if gone is None else (gone,),
    )


def _lacking(asked: Asked, model: str, provider: Provider, wiring: Wiring) -> str | None:
    """What a provider that can be built lacks all the same: a folder, a script, keys to sign by."""
    if _replies(provider, wiring) == "live":
        signs = provider.kind == "bedrock" and provider.api_key_env is None
        return _unsigned(wiring.environ) if signs else None
    source = _source(asked, model, provider, wiring)
    if "{suite}" in source or (wiring.root / source).exists():
        return None
    return f"{source} is not there, so no reply can be replayed"


def _unsigned(environ: Mapping[str, str]) -> str | None:
    try:
        keys_of(environ)
    except Unsigned as error:
        return f"requests are signed: {error}"
    return None


async def _prepared(
    asked: Asked, model: str, wiring: Wiring, cache: Cache | None
) -> PreparedCall | None:
    """The call to one model of the route, as the session would make it. Raises PolicyBlocked."""
    suite, case = asked.suite, asked.case
    assert suite is not None and case is not None, "bounds are asked for with a prompt and a case"
    route = asked.route.model_copy(update={"models": RouteModels(primary=model), "degrade": None})
    setup = SuiteSetup(
        assets=suite,
        candidate=Variant(
            name="candidate",
            source="working tree",
            config=asked.config,
            assets=suite,
            tree=WorkingTree(wiring.root),
        ),
    )
    plane = wiring.control_plane(
        asked.config,
        route,
        suite=suite.name,
        ledger=Ledger(asked.config.budgets),
        cache=aged_cache(cache, setup, now=wiring.clock.now()),
        indexes=suite.indexes,
        output_schema=suite.output_schema,
    )
    target = build_target(suite)
    opening = plane.opening(
        case,
        suite=suite.name,
        variant="candidate",
        prompt=target.reference,
        step=suite.suite.target.step,
    )
    return await target.prepare(opening, case, 1)


def _model(
    asked: Asked, name: str, by: _Answering, call: PreparedCall | None, wiring: Wiring
) -> ModelExplained:
    known = asked.config.models[name]
    replies = _replies(by.provider, wiring) if call is None else call.origin
    missing = by.missing
    if call is not None and call.missing is not None and not missing:
        missing = (call.missing,)
    over, degrades_to = None, None
    if replies == "live":
        over, degrades_to = over_budget(asked, name, call, wiring)
    return ModelExplained(
        name=name,
        id=known.id or name,
        provider=by.name,
        configured=by.configured,
        kind=by.provider.kind,
        replies=replies,
        why=_why(asked, name, by, wiring, cached=replies == "cache"),
        source=_source(asked, name, by.provider, wiring),
        missing=missing,
        priced=known.price is not None,
        input_tokens=None if call is None else call.input_tokens,
        output_tokens=None if call is None else call.output_tokens,
        max_cost_usd=None if call is None else call.max_cost_usd,
        over_budget=over,
        degrades_to=degrades_to,
        asked=part_of(asked.route, name),
        tier=known.tier,
        region=region_of(known, by.name, asked.config.providers) or None,
        limits=explained_limits(by.provider),
    )


def _why(asked: Asked, name: str, by: _Answering, wiring: Wiring, *, cached: bool) -> str:
    """Its place on the route, and why that provider answers."""
    words = place_words(asked.route, name)
    key = asked.config.providers[by.configured].api_key_env
    if by.name != by.configured:
        words += f"; ${key} is not set, so {by.name} stands in for {by.configured}"
    elif cached:
        words += "; the same request was answered before"
    elif by.provider.recordings and not wiring.live:
        words += "; its recorded replies are replayed, --live would ask it"
    elif key and wiring.environ.get(key):
        words += f"; ${key} is set"
    return words


def _replies(provider: Provider, wiring: Wiring) -> Literal["live", "recording", "scripted"]:
    if provider.recordings and not wiring.live:
        return "recording"
    return "scripted" if provider.kind == "scripted" else "live"


def _source(asked: Asked, model: str, provider: Provider, wiring: Wiring) -> str:
    """Where replies come from: a folder, a file, an address; the embedded model has none."""
    if provider.recordings and not wiring.live:
        return f"{provider.recordings}/{model}"
    path = provider.path or provider.address or ""
    return path.replace("{suite}", asked.suite.name) if asked.suite else path


def _suite_name(asked: Asked) -> str:
    return "" if asked.suite is None else asked.suite.name


def _ordered(modes: Iterable[FailureMode]) -> tuple[str, ...]:
    """In the order of the published list."""
    wanted = frozenset(modes)
    return tuple(str(mode) for mode in FailureMode if mode in wanted)


def _tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
