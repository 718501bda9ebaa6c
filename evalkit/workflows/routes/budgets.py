"""The budgets that a call on a route would be under, and what is left of them. Nothing is held."""

from evalkit.config.budgets import Budget
from evalkit.errors import BudgetExhausted
from evalkit.records.call import PreparedCall
from evalkit.records.ledger import Balance, Scopes
from evalkit.records.route import BudgetExplained
from evalkit.workflows.routes.asked import Asked
from evalkit.workflows.wiring import Wiring

_NANO = 1e9


def explained_budgets(asked: Asked, wiring: Wiring) -> tuple[BudgetExplained, ...]:
    """Every budget of the project that the call is under, or that a call on the route could be.

    What is spent is known of those whose scope is: without a case, of the route's own.
    Raises StoreError.
    """
    ledger = wiring.ledger(asked.config)
    standing = {id(budget): balance for budget, balance in ledger.standing(_scopes(asked))}
    return tuple(
        _explained(budget, standing.get(id(budget)))
        for budget in asked.config.budgets
        if id(budget) in standing or not _is_anothers(budget, asked)
    )


def over_budget(
    asked: Asked, name: str, call: PreparedCall | None, wiring: Wiring
) -> tuple[str | None, str | None]:
    """Why the budgets would not hold the call now, at the start of a run, and which cheaper model
    is asked then, if any. Without a prompt only the price tells. Raises StoreError."""
    model = asked.config.models[name]
    tokens = 0
    usd = None if model.price is None else 0.0
    if call is not None:
        tokens = sum(call.input_tokens.values()) + call.output_tokens
        usd = call.max_cost_usd
    degrade = asked.route.degrade
    cheaper = degrade.order if degrade is not None and "budget" in degrade.on else ()
    left = cheaper[cheaper.index(name) + 1 :] if name in cheaper else cheaper
    # a cheaper model may use the whole of a budget, as `ask_in_order` has it
    degradable = bool(left) and name not in cheaper
    try:
        wiring.ledger(asked.config).check(usd, tokens, scopes=_scopes(asked), degradable=degradable)
    except BudgetExhausted as error:
        return f"{error.rule}: {error}", left[0] if left and error.degrade else None
    return None, None


def _scopes(asked: Asked) -> Scopes:
    identity = {} if asked.case is None else asked.case.identity
    return Scopes(
        user=identity.get("user", ""),
        org=identity.get("org", ""),
        team=identity.get("team", ""),
        route=asked.route.name,
        workflow="" if asked.suite is None else asked.suite.name,
    )


def _is_anothers(budget: Budget, asked: Asked) -> bool:
    """Whether it names another one than the call is of."""
    name = str(getattr(_scopes(asked), budget.scope, ""))
    return budget.only is not None and name != "" and budget.only != name


def _explained(budget: Budget, balance: Balance | None) -> BudgetExplained:
    taken = None if balance is None else balance.spent + balance.held
    return BudgetExplained(
        scope=budget.scope,
        only=budget.only,
        max_usd=budget.max_usd,
        max_tokens=budget.max_tokens,
        window=budget.period,
        on_exceed=budget.on_exceed,
        taken_usd=None if taken is None or budget.period == "run" else taken.nano / _NANO,
        taken_tokens=None if taken is None or budget.period == "run" else taken.tokens,
    )
