"""What budgets permit more than they did, in sentences.

A budget of a run counts as well: it caps what a pull request may spend on its own test, and every
session of a service is a run to it. Caps in USD are as wide as prices are low.
"""

from collections.abc import Iterable, Sequence

from evalkit.config.budgets import Budget
from evalkit.config.model import Config
from evalkit.config.prices import Price
from evalkit.control.price_list import may_list

_INPUT = "input_usd_per_mtok"
# of a rate that is not given the one of all input holds
_RATES = (_INPUT, "output_usd_per_mtok", "cached_input_usd_per_mtok", "cache_write_usd_per_mtok")


def wider_budgets(old: Sequence[Budget], new: Sequence[Budget]) -> Iterable[str]:
    """Caps that were raised or are gone."""
    for budget in old:
        same = [each for each in new if _of(each) == _of(budget)]
        for cap in ("max_usd", "max_tokens"):
            before = getattr(budget, cap)
            now = [value for each in same if (value := getattr(each, cap)) is not None]
            if before is None or any(value <= before for value in now):
                continue
            after = f"{min(now):g}" if now else "none"
            yield f"{cap} of {_words(budget)} went from {before:g} to {after}"


def lower_prices(old: Config, new: Config) -> Iterable[str]:
    """Models that are the same and cost less than they did, or no longer what the list says.

    A model that became another one has a price of its own.
    """
    for name, was in old.models.items():
        now = new.models.get(name)
        if now is None or (was.id, was.provider) != (now.id, now.provider) or now.price is None:
            continue
        provider = new.providers.get(now.provider)
        if was.price is not None:
            for key, before, after in _lowered(was.price, now.price):
                yield f"{key} of model {name} went from {before:g} to {after:g}"
        elif provider is not None and provider.address and may_list(provider.address):
            yield f"model {name} has a price of its own in the place of the list's"


def _lowered(old: Price, new: Price) -> Iterable[tuple[str, float, float]]:
    """The rates that fell, each where it first does: what it was, and is."""
    starts = {0, *(tier.above_input_tokens + 1 for tier in (*old.tiers, *new.tiers))}
    for key in _RATES:
        for start in sorted(starts):
            was, now = (
                rate if (rate := getattr(rates, key)) is not None else getattr(rates, _INPUT)
                for rates in (old.rates(start), new.rates(start))
            )
            if now < was:
                yield key, was, now
                break


def _of(budget: Budget) -> tuple[str, str | None, str]:
    return budget.scope, budget.only, budget.period


def _words(budget: Budget) -> str:
    whose = f"every {budget.scope}" if budget.only is None else f"{budget.scope} {budget.only}"
    if budget.scope == "run":
        return "the budget of a run"
    return f"the budget of {whose} in a {budget.period}"
