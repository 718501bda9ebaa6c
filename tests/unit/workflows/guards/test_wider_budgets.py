"""A pull request cannot lift what production may spend without a word."""

from typing import Any

import pytest

from evalkit.config.budgets import Budget
from evalkit.workflows.guards.budgets import wider_budgets


def budgets(*given: dict[str, Any]) -> list[Budget]:
    return [Budget.model_validate(each) for each in given]


USER = {"scope": "user", "max_tokens": 200000, "on_exceed": "degrade"}
LEGAL = {"scope": "team", "for": "legal", "max_usd": 5, "window": "month"}
RUN = {"scope": "run", "max_usd": 5}


@pytest.mark.parametrize(
    "now",
    [
        [USER, LEGAL, RUN],
        [USER | {"max_tokens": 100000}, LEGAL | {"max_usd": 4.5}],
        [LEGAL, USER, LEGAL | {"max_usd": 9}],
        [USER | {"on_exceed": "stop"}, LEGAL, RUN | {"max_usd": 100}],
    ],
)
def test_caps_that_stay_or_fall_are_no_news(now: list[dict[str, Any]]) -> None:
    assert list(wider_budgets(budgets(USER, LEGAL, RUN), budgets(*now))) == []


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (
            [USER | {"max_tokens": 300000}, LEGAL],
            "max_tokens of the budget of every user in a day went from 200000 to 300000",
        ),
        ([USER], "max_usd of the budget of team legal in a month went from 5 to none"),
        (
            [USER, LEGAL | {"window": "hour"}],
            "max_usd of the budget of team legal in a month went from 5 to none",
        ),
        (
            [USER, LEGAL | {"max_usd": None, "max_tokens": 5}],
            "max_usd of the budget of team legal in a month went from 5 to none",
        ),
    ],
)
def test_caps_that_rise_or_are_gone_are_named(now: list[dict[str, Any]], words: str) -> None:
    assert list(wider_budgets(budgets(USER, LEGAL, RUN), budgets(*now))) == [words]
