"""How the gateway of a project stands now: circuits, calls in the air, what is left of budgets."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from evalkit.config.budgets import Budget
from evalkit.config.model import Config
from evalkit.control.ledger.book import Ledger
from evalkit.control.ledger.scopes import ends_of_keys, is_over, scope_pseudonym
from evalkit.control.prices import to_nano, to_usd
from evalkit.control.traffic import Traffic
from evalkit.gateway.standing import BudgetLeft, Circuit, ProviderLoad
from evalkit.records.gateway_key import GatewayKey
from evalkit.records.ledger import Balance, Scopes
from evalkit.store.ledger import SqliteAccounts
from evalkit.workflows.wiring import SystemClock

# accounts of one budget that are told of: a budget of each user may have very many
_MOST = 500
_PATIENCE_S = 0.5


def circuits_of(traffic: Traffic) -> list[Circuit]:
    """Every model that was asked, the worst state where it was asked under several rules."""
    worst: dict[tuple[str, str], str] = {}
    order = ("closed", "half open", "open")
    for provider, model, breaker in traffic.breakers():
        known = worst.get((provider, model), "closed")
        worst[provider, model] = max(known, breaker.state, key=order.index)
    return [Circuit(provider=at[0], model=at[1], state=state) for at, state in worst.items()]


def loads_of(traffic: Traffic) -> list[ProviderLoad]:
    """Every provider that was asked; what it has at several addresses together."""
    found: dict[str, ProviderLoad] = {}
    for provider, limiter in traffic.limiters():
        known = found.get(provider)
        found[provider] = ProviderLoad(
            provider=provider,
            in_flight=limiter.in_flight + (known.in_flight if known else 0),
            allowed=limiter.allowed + (known.allowed if known else 0),
        )
    return list(found.values())


def budgets_left(
    root: Path, config: Config, keys: Sequence[GatewayKey], *, now: datetime
) -> list[BudgetLeft]:
    """What is left of every cap in the window that it is in, for all that have spent in it.

    Raises StoreError.
    """
    clock = SystemClock()
    accounts = SqliteAccounts(root, clock=clock, run="standing", patience_s=_PATIENCE_S)
    names = {scope_pseudonym("route", each.name): each.name for each in config.routes}
    names |= {scope_pseudonym("key", each.id): each.id for each in keys}
    ledger = Ledger((), accounts=accounts, clock=clock)
    try:
        found = [
            _left(budget, names.get(who, who), balance)
            for budget in config.budgets
            if budget.period != "run"
            for who, balance in _spenders(accounts, budget, now)
        ]
        for key in keys:
            if key.caps is not None and not key.ended(now.isoformat(timespec="seconds")):
                standing = ledger.standing(Scopes(key=key.id, caps=key.caps))
                found += [_left(budget, key.id, balance) for budget, balance in standing]
    finally:
        ledger.close()
    return _tightest(found)


def check_ledger(root: Path) -> None:
    """Raise StoreError where what calls are held in cannot be read now."""
    clock = SystemClock()
    accounts = SqliteAccounts(root, clock=clock, run="standing", patience_s=_PATIENCE_S)
    try:
        accounts.balances(())
    finally:
        accounts.close()


def _spenders(
    accounts: SqliteAccounts, budget: Budget, now: datetime
) -> Iterable[tuple[str, Balance]]:
    begin, end = ends_of_keys(budget, now)
    for key, balance in accounts.find(begin, end, most=_MOST).items():
        who = key.removeprefix(begin).removesuffix(end)
        if is_over(budget, who):
            yield who, balance


def _left(budget: Budget, who: str, balance: Balance) -> BudgetLeft:
    taken = balance.spent + balance.held
    usd = None
    if budget.max_usd is not None:
        usd = to_usd(max(0, to_nano(budget.max_usd) - taken.nano))
    tokens = None if budget.max_tokens is None else max(0, budget.max_tokens - taken.tokens)
    return BudgetLeft(scope=budget.scope, who=who, window=budget.period, usd=usd, tokens=tokens)


def _tightest(found: Iterable[BudgetLeft]) -> list[BudgetLeft]:
    """One for each scope, whom and window: several budgets may be over the same account."""
    by_place: dict[tuple[str, str, str], BudgetLeft] = {}
    for each in found:
        place = (each.scope, each.who, each.window)
        known = by_place.get(place)
        by_place[place] = (
            each
            if known is None
            else BudgetLeft(
                scope=each.scope,
                who=each.who,
                window=each.window,
                usd=_least(known.usd, each.usd),
                tokens=_least_tokens(known.tokens, each.tokens),
            )
        )
    return list(by_place.values())


def _least(one: float | None, other: float | None) -> float | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _least_tokens(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)
