"""Why a call does not fit: the budget that refuses, in words."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from evalkit.config.budgets import Budget
from evalkit.control.ledger.scopes import Applied, lacks
from evalkit.control.prices import to_usd
from evalkit.errors import BudgetExhausted
from evalkit.records.ledger import Amount, Refusal


def refuse_for_good(
    applied: Sequence[Applied], amount: Amount, refusal: Refusal, *, degradable: bool
) -> None:
    """Raise for what would not fit either if all calls in flight gave their holds back."""
    keys = dict.fromkeys(each.account.key for each in applied)
    spent = {key: each.spent for key, each in zip(keys, refusal.balances, strict=True)}
    if any(
        lacks(each.limit(degradable=degradable), amount, spent[each.account.key])
        for each in applied
    ):
        refuse(applied, amount, spent, degradable=degradable)


def refuse(
    applied: Sequence[Applied], amount: Amount, taken: Mapping[str, Amount], *, degradable: bool
) -> NoReturn:
    """Raise BudgetExhausted for the budget that refuses: one that stops before one that degrades,
    as a cheaper model would not help with it."""
    refusing = [
        (each, lacking)
        for each in applied
        if (lacking := lacks(each.limit(degradable=degradable), amount, taken[each.account.key]))
    ]
    each, lacking = next(
        (one for one in refusing if one[0].budget.on_exceed == "stop"), refusing[0]
    )
    budget, held = each.budget, taken[each.account.key]
    limit = each.limit(degradable=degradable)
    if lacking == "max_usd":
        needs = f"cost up to {to_usd(amount.nano):.6f} USD"
        of = f"{to_usd(held.nano):.6f} of {to_usd(limit.max_nano or 0):.6f} USD"
    else:
        needs = f"take up to {amount.tokens} tokens"
        of = f"{held.tokens} of {limit.max_tokens}"
    words = f"the call may {needs}, and {of} are spent or held"
    if budget.scope != "run":
        words += f" by this {budget.scope} in its {budget.period}"
    if each.ends is not None:
        words += f", until {each.ends:%Y-%m-%d %H:%M} UTC"
    if degradable and budget.on_exceed == "degrade":
        words += "; the rest of the budget is for a cheaper model"
    raise BudgetExhausted(rule_of(budget, lacking), words, degrade=budget.on_exceed == "degrade")


def rule_of(budget: Budget, cap: str) -> str:
    """The key that refuses: `budgets.user.max_tokens`."""
    return f"budgets.{budget.scope}.{cap}"
