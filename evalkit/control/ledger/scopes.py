"""Which budgets a call is under, and on which accounts they count it."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from evalkit.config.budgets import Budget, Scope, Window
from evalkit.control.prices import to_nano
from evalkit.records.ledger import Account, Amount, KeyCaps, Limit, Scopes

# An account is kept for as long after its window as somebody may go on with a run or look at it.
KEPT = timedelta(days=62)
_NOBODY = "nobody"
_PERIODS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}
_DIGITS = 16
# what stored attempts and traces show of a pseudonym
_SHOWN = 12


class Applied(msgspec.Struct, frozen=True):
    """A budget as it meets one call, the account that it counts on, and when its window ends.

    `whole` is what the call may take the account to, `share` what one may that leaves a share to
    others, since it could be degraded; `who` is whose account it is.
    """

    budget: Budget
    account: Account
    whole: Limit
    share: Limit
    ends: datetime | None
    who: str

    def limit(self, *, degradable: bool) -> Limit:
        """What the call may take the account to."""
        return self.share if degradable else self.whole

    def of_run(self, run: str, now: datetime) -> "Applied":
        """The same budget as it meets a call of another run."""
        if self.budget.period != "run":
            return self
        return _applied(self.budget, run if self.budget.scope == "run" else self.who, run, now)


def scope_pseudonym(scope: Scope, name: str) -> str:
    """A stable name for a user, org or team that does not tell who it is.

    Its first digits are those of `control.factory.pseudonym` for an identity of that name alone.
    """
    canonical = msgspec.json.encode({str(scope): name}, order="sorted")
    return f"{scope[0]}-{hashlib.sha256(canonical).hexdigest()[:_DIGITS]}"


def applied_budgets(
    budgets: Sequence[Budget], scopes: Scopes, *, run: str, now: datetime
) -> tuple[Applied, ...]:
    """The budgets that a call is under, with their accounts at that moment.

    A call of nobody is under no budget of a user, org, team or workflow, unless it is a service's
    (`Scopes.shared`). The caps of the key that it came with are a budget like the others.
    """
    found = []
    own = () if scopes.caps is None else (_budget_of(scopes.caps),)
    for budget in (*budgets, *own):
        name = run if budget.scope == "run" else getattr(scopes, budget.scope)
        if not name and (not scopes.shared or budget.only is not None):
            continue
        if budget.only is not None and not _is_meant(budget, name):
            continue
        # runs and routes are no secret, but a workflow or a route may be named after a customer
        who = run if budget.scope == "run" else _NOBODY
        if name and budget.scope != "run":
            who = scope_pseudonym(budget.scope, name)
        found.append(_applied(budget, who, run, now))
    return tuple(found)


def _applied(budget: Budget, who: str, run: str, now: datetime) -> Applied:
    account = _account(budget.period, budget.scope, who, run, now)
    return Applied(
        budget,
        account,
        whole=_limit(budget, account, 1.0),
        share=_limit(budget, account, budget.full_share),
        ends=window_ends(budget.period, now),
        who=who,
    )


def _limit(budget: Budget, account: Account, share: float) -> Limit:
    usd, tokens = budget.max_usd, budget.max_tokens
    return Limit(
        account,
        None if usd is None else int(to_nano(usd) * share),
        None if tokens is None else int(tokens * share),
    )


def _budget_of(caps: KeyCaps) -> Budget:
    return Budget(scope="key", max_usd=caps.max_usd, max_tokens=caps.max_tokens, window=caps.window)


def run_account(run: str, now: datetime) -> Account:
    """The account of a run as a whole."""
    return _account("run", "run", run, run, now)


def is_of_run(account: Account) -> bool:
    """Whether an account ends with a run, and not with a window of the calendar."""
    return account.key.startswith("run ")


def run_of(account: Account) -> str:
    """The run of an account that ends with one."""
    return account.key.rpartition(" ")[2]


def window_ends(window: Window, now: datetime) -> datetime | None:
    """When the window that holds `now` ends; None for a run's."""
    now = now.astimezone(UTC)
    start = now.replace(minute=0, second=0, microsecond=0)
    if window == "hour":
        return start + timedelta(hours=1)
    if window == "day":
        return start.replace(hour=0) + timedelta(days=1)
    if window == "month":
        return (start.replace(day=1, hour=0) + timedelta(days=32)).replace(day=1)
    return None


def ends_of_keys(budget: Budget, now: datetime) -> tuple[str, str]:
    """How the keys of the accounts that a budget counts on now begin and end; its window is one of
    the calendar. Between the two stands whose each of them is."""
    period = now.astimezone(UTC).strftime(_PERIODS[budget.period])
    return f"{budget.period} {budget.scope} ", f" {period}"


def is_over(budget: Budget, who: str) -> bool:
    """Whether a budget is over those of a pseudonym."""
    if budget.only is None:
        return True
    return scope_pseudonym(budget.scope, budget.only) == who or (
        len(budget.only) >= _SHOWN and who.startswith(budget.only)
    )


def tightest(limits: Sequence[Limit]) -> tuple[Limit, ...]:
    """One limit an account: that of several budgets on it that leaves the least."""
    by_key: dict[str, Limit] = {}
    for limit in limits:
        known = by_key.get(limit.account.key)
        by_key[limit.account.key] = (
            limit
            if known is None
            else Limit(
                limit.account,
                _least(known.max_nano, limit.max_nano),
                _least(known.max_tokens, limit.max_tokens),
            )
        )
    return tuple(by_key.values())


def lacks(limit: Limit, amount: Amount, taken: Amount) -> str | None:
    """The cap that an amount does not fit under beside what is taken, None where it fits."""
    after = taken + amount
    if limit.max_nano is not None and after.nano > limit.max_nano:
        return "max_usd"
    if limit.max_tokens is not None and after.tokens > limit.max_tokens:
        return "max_tokens"
    return None


def _is_meant(budget: Budget, name: str) -> bool:
    if budget.only == name:
        return True
    if budget.scope in ("route", "workflow", "key") or budget.only is None:
        return False
    pseudonym = scope_pseudonym(budget.scope, name)
    return len(budget.only) >= _SHOWN and pseudonym.startswith(budget.only)


def _account(window: Window, scope: str, who: str, run: str, now: datetime) -> Account:
    now = now.astimezone(UTC)
    ends = window_ends(window, now)
    period = run if ends is None else now.strftime(_PERIODS[window])
    # a run's account lives as long as the run is gone on with: each use renews it, day by day
    kept = (ends or now.replace(hour=0, minute=0, second=0, microsecond=0)) + KEPT
    return Account(f"{window} {scope} {who} {period}", int(kept.timestamp()))


def _least(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
