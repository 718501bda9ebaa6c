"""Which budgets a call is under, and how long what it spends counts."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from evalkit.config.budgets import Budget, Scope
from evalkit.control.factory import pseudonym
from evalkit.control.ledger.book import Ledger
from evalkit.control.ledger.scopes import applied_budgets, scope_pseudonym, window_ends
from evalkit.errors import BudgetExhausted
from evalkit.records.ledger import Scopes

NOON = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)
ANN = Scopes(user="ann@example.org", org="acme", team="support", route="triage", workflow="desk")
BEN = Scopes(user="ben@example.org", org="acme", team="support", route="triage", workflow="desk")


class SetClock:
    """Tells the time that it is set to."""

    def __init__(self, now: datetime = NOON) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def budget(scope: Scope, **keys: object) -> Budget:
    return Budget.model_validate({"scope": scope, "max_tokens": 100} | keys)


def keys(*budgets: Budget, scopes: Scopes = ANN, now: datetime = NOON) -> list[str]:
    return [each.account.key for each in applied_budgets(budgets, scopes, run="r-1", now=now)]


def refused(ledger: Ledger, tokens: int, scopes: Scopes = ANN) -> str:
    with pytest.raises(BudgetExhausted) as caught:
        ledger.reserve(0.0, tokens, scopes=scopes)
    return caught.value.rule


def test_accounts_hold_pseudonyms_and_no_names() -> None:
    scopes: tuple[Scope, ...] = ("run", "user", "org", "team", "route", "workflow")
    found = keys(*(budget(scope) for scope in scopes))
    assert found[0] == "run run r-1 r-1"
    assert found[1] == f"day user {scope_pseudonym('user', 'ann@example.org')} 2026-11-29"
    assert not any(
        name in key for key in found for name in ("ann", "acme", "support", "triage", "desk")
    )


def test_budgets_of_another_run_are_those_that_are_worked_out_for_it() -> None:
    budgets = [budget("run"), budget("user", window="run"), budget("team"), budget("route")]
    one, other = (applied_budgets(budgets, ANN, run=run, now=NOON) for run in ("r-1", "r-2"))
    assert one != other
    assert tuple(each.of_run("r-2", NOON) for each in one) == other


def test_a_user_has_the_pseudonym_that_attempts_show() -> None:
    shown = pseudonym({"user": "ann@example.org"})
    assert scope_pseudonym("user", "ann@example.org").startswith(shown)


def test_each_user_has_a_cap_of_their_own_and_shares_that_of_the_team() -> None:
    ledger = Ledger([budget("user", max_tokens=60), budget("team", max_tokens=100)])
    ledger.reserve(0.0, 60, scopes=ANN)
    assert refused(ledger, 1, ANN) == "budgets.user.max_tokens"
    assert refused(ledger, 41, BEN) == "budgets.team.max_tokens"
    ledger.reserve(0.0, 40, scopes=BEN)


def test_a_call_that_one_scope_refuses_is_held_on_none() -> None:
    ledger = Ledger([budget("user", max_tokens=100), budget("team", max_tokens=10)])
    assert refused(ledger, 11) == "budgets.team.max_tokens"
    assert all(balance.held.tokens == 0 for _, balance in ledger.standing(ANN))


def test_a_budget_for_one_team_leaves_the_others_alone() -> None:
    ledger = Ledger([budget("team", **{"for": "support"})])
    assert refused(ledger, 101) == "budgets.team.max_tokens"
    ledger.reserve(0.0, 1000, scopes=Scopes(team="legal"))


def test_a_budget_for_one_user_may_name_the_pseudonym() -> None:
    shown = pseudonym({"user": ANN.user})
    assert keys(budget("user", **{"for": shown}))
    assert keys(budget("user", **{"for": scope_pseudonym("user", ANN.user)}))
    assert not keys(budget("user", **{"for": shown}), scopes=BEN)
    assert not keys(budget("user", **{"for": "u-"}))


def test_nobody_is_under_no_users_budget_in_a_run_and_under_a_shared_one_in_a_service() -> None:
    nobody = Scopes(route="triage", workflow="desk")
    service = Scopes(route="triage", shared=True)
    assert keys(budget("user"), scopes=nobody) == []
    assert keys(budget("user"), scopes=service) == ["day user nobody 2026-11-29"]
    assert keys(budget("user", **{"for": "ann"}), scopes=service) == []


def test_a_name_of_nobody_is_a_name() -> None:
    assert keys(budget("user"), scopes=Scopes(user="nobody")) != ["day user nobody 2026-11-29"]


def test_windows_are_those_of_the_calendar_in_utc() -> None:
    late = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    found = [
        keys(budget("route", window=window), now=late)[0].split()[-1]
        for window in ("hour", "day", "month", "run")
    ]
    assert found == ["2026-12-31T23", "2026-12-31", "2026-12", "r-1"]
    east = late.astimezone(timezone(timedelta(hours=9)))
    assert keys(budget("route"), now=east)[0].endswith("2026-12-31")
    assert window_ends("hour", late) == datetime(2027, 1, 1, tzinfo=UTC)
    assert window_ends("month", late) == datetime(2027, 1, 1, tzinfo=UTC)
    assert window_ends("month", datetime(2028, 2, 29, tzinfo=UTC)) == datetime(
        2028, 3, 1, tzinfo=UTC
    )
    assert window_ends("run", late) is None


def test_a_new_day_has_its_whole_cap_and_yesterdays_calls_settle_there() -> None:
    clock = SetClock()
    ledger = Ledger([budget("user")], clock=clock)
    hold = ledger.reserve(0.0, 90, scopes=ANN)
    assert refused(ledger, 20) == "budgets.user.max_tokens"
    with pytest.raises(BudgetExhausted, match="in its day, until 2026-11-30 00:00 UTC"):
        ledger.check(0.0, 20, scopes=ANN)
    clock.time += timedelta(hours=12)
    ledger.reserve(0.0, 100, scopes=ANN)
    hold.settle(0.0, 80)
    ((_, today),) = ledger.standing(ANN)
    assert (today.spent.tokens, today.held.tokens) == (0, 100)
    clock.time -= timedelta(hours=12)
    ((_, yesterday),) = ledger.standing(ANN)
    assert (yesterday.spent.tokens, yesterday.held.tokens) == (80, 0)


def test_a_budget_that_degrades_keeps_a_share_for_the_cheaper_model() -> None:
    ledger = Ledger([budget("user", on_exceed="degrade")])
    ledger.reserve(0.0, 80, scopes=ANN, degradable=True)
    with pytest.raises(BudgetExhausted, match="for a cheaper model") as caught:
        ledger.reserve(0.0, 1, scopes=ANN, degradable=True)
    assert caught.value.degrade
    ledger.reserve(0.0, 20, scopes=ANN)
    with pytest.raises(BudgetExhausted) as caught:
        ledger.reserve(0.0, 1, scopes=ANN)
    assert caught.value.degrade


def test_where_one_budget_stops_a_cheaper_model_is_no_way_out() -> None:
    ledger = Ledger([budget("user", on_exceed="degrade"), budget("team")])
    ledger.reserve(0.0, 80, scopes=ANN)
    with pytest.raises(BudgetExhausted) as caught:
        ledger.reserve(0.0, 30, scopes=ANN, degradable=True)
    assert (caught.value.rule, caught.value.degrade) == ("budgets.team.max_tokens", False)


def test_a_look_at_what_would_be_refused_holds_nothing() -> None:
    ledger = Ledger([budget("user")])
    ledger.check(0.0, 100, scopes=ANN)
    ledger.check(0.0, 100, scopes=ANN)
    ledger.reserve(0.0, 1, scopes=ANN)
    with pytest.raises(BudgetExhausted):
        ledger.check(0.0, 100, scopes=ANN)
