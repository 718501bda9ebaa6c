"""A service's ledger: each session is a run of its own, which leaves nothing behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.config.budgets import Budget
from evalkit.control.ledger.book import Ledger
from evalkit.control.ledger.parted import PartedAccounts
from evalkit.errors import BudgetExhausted
from evalkit.records.ledger import Scopes
from evalkit.store.ledger import SqliteAccounts
from tests.unit.control.fakes import FakeClock

BUDGETS = (
    Budget(scope="run", max_tokens=100),
    Budget(scope="user", max_tokens=150, window="month"),
)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SqliteAccounts]:
    accounts = SqliteAccounts(tmp_path, clock=FakeClock(), run="service")
    yield accounts
    accounts.close()


@pytest.fixture
def ledger(file: SqliteAccounts) -> Ledger:
    return Ledger(BUDGETS, accounts=PartedAccounts(file), clock=FakeClock())


def session(name: str) -> Scopes:
    return Scopes(user="ann", run=name, shared=True)


def refused(ledger: Ledger, tokens: int, scopes: Scopes) -> str:
    with pytest.raises(BudgetExhausted) as caught:
        ledger.reserve(None, tokens, scopes=scopes)
    return caught.value.rule


def test_each_session_has_the_budget_of_a_run_and_all_share_that_of_their_user(
    ledger: Ledger,
) -> None:
    ledger.reserve(None, 80, scopes=session("s1")).settle(0, 80)
    assert refused(ledger, 30, session("s1")) == "budgets.run.max_tokens"
    ledger.reserve(None, 70, scopes=session("s2"))
    assert refused(ledger, 1, session("s3")) == "budgets.user.max_tokens"


def test_what_its_user_may_not_spend_is_not_held_for_a_session_either(ledger: Ledger) -> None:
    hold = ledger.reserve(None, 90, scopes=session("s1"))
    assert refused(ledger, 100, session("s2")) == "budgets.user.max_tokens"
    hold.release()
    ledger.reserve(None, 100, scopes=session("s2"))


def test_nothing_of_a_session_is_left_in_the_file_or_after_its_end(
    ledger: Ledger, file: SqliteAccounts
) -> None:
    hold = ledger.reserve(None, 80, scopes=session("s1"))
    (kept,) = file.find("", "", most=10)
    assert kept.startswith("month user ")
    ledger.forget_run("s1")
    hold.settle(0, 80)  # a call that was cut off may end after its session
    assert refused(ledger, 71, session("s1")) == "budgets.user.max_tokens"
    ledger.reserve(None, 70, scopes=session("s1"))


def test_a_run_that_is_gone_on_with_charges_its_user_what_it_held_when_it_was_killed(
    tmp_path: Path,
) -> None:
    of_run = Scopes(user="ann")

    def opened(spent_tokens: int) -> Ledger:
        file = SqliteAccounts(tmp_path, clock=FakeClock(), run="r1")
        accounts = PartedAccounts(file)
        clock = FakeClock()
        return Ledger(BUDGETS, accounts=accounts, clock=clock, run="r1", spent_tokens=spent_tokens)

    killed = opened(0)
    killed.reserve(None, 60, scopes=of_run)
    again = opened(60)  # as its journal and its calls tell
    again.go_on()
    assert refused(again, 41, of_run) == "budgets.run.max_tokens"
    (of_its_user,) = (each for budget, each in again.standing(of_run) if budget.scope == "user")
    assert (of_its_user.spent.tokens, of_its_user.held.tokens) == (60, 0)
    again.reserve(None, 40, scopes=of_run).settle(0, 40)
    assert refused(again, 1, of_run) == "budgets.run.max_tokens"
    again.close()
    killed.close()
    file = SqliteAccounts(tmp_path, clock=FakeClock(), run="r2")
    assert all(key.startswith("month user ") for key in file.find("", "", most=10))
    file.close()
