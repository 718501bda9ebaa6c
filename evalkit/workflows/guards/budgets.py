"""What budgets permit more than they did, in sentences.

A budget of a run caps what testing costs, and is no policy; one of users, teams or routes is what
production keeps to.
"""

from collections.abc import Iterable, Sequence

from evalkit.config.budgets import Budget


def wider_budgets(old: Sequence[Budget], new: Sequence[Budget]) -> Iterable[str]:
    """Caps beyond a run that were raised or are gone."""
    for budget in old:
        if budget.scope == "run":
            continue
        same = [each for each in new if _of(each) == _of(budget)]
        for cap in ("max_usd", "max_tokens"):
            before = getattr(budget, cap)
            now = [value for each in same if (value := getattr(each, cap)) is not None]
            if before is None or any(value <= before for value in now):
                continue
            after = f"{min(now):g}" if now else "none"
            yield f"{cap} of {_words(budget)} went from {before:g} to {after}"


def _of(budget: Budget) -> tuple[str, str | None, str]:
    return budget.scope, budget.only, budget.period


def _words(budget: Budget) -> str:
    whose = f"every {budget.scope}" if budget.only is None else f"{budget.scope} {budget.only}"
    return f"the budget of {whose} in a {budget.period}"
