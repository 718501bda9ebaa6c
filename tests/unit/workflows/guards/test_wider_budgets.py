"""A pull request cannot lift what production may spend without a word."""

from typing import Any

import pytest

from evalkit.config.budgets import Budget
from evalkit.config.load import load_config
from evalkit.config.model import Config
from evalkit.workflows.guards.budgets import lower_prices, wider_budgets


def budgets(*given: dict[str, Any]) -> list[Budget]:
    return [Budget.model_validate(each) for each in given]


USER = {"scope": "user", "max_tokens": 200000, "on_exceed": "degrade"}
LEGAL = {"scope": "team", "for": "legal", "max_usd": 5, "window": "month"}
RUN = {"scope": "run", "max_usd": 5}


@pytest.mark.parametrize(
    "now",
    [
        [USER, LEGAL, RUN],
        [USER | {"max_tokens": 100000}, LEGAL | {"max_usd": 4.5}, RUN],
        [LEGAL, USER, LEGAL | {"max_usd": 9}, RUN],
        [USER | {"on_exceed": "stop"}, LEGAL, RUN | {"max_usd": 1}],
    ],
)
def test_caps_that_stay_or_fall_are_no_news(now: list[dict[str, Any]]) -> None:
    assert list(wider_budgets(budgets(USER, LEGAL, RUN), budgets(*now))) == []


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (
            [USER | {"max_tokens": 300000}, LEGAL, RUN],
            "max_tokens of the budget of every user in a day went from 200000 to 300000",
        ),
        ([USER, RUN], "max_usd of the budget of team legal in a month went from 5 to none"),
        (
            [USER, LEGAL | {"window": "hour"}, RUN],
            "max_usd of the budget of team legal in a month went from 5 to none",
        ),
        (
            [USER, LEGAL | {"max_usd": None, "max_tokens": 5}, RUN],
            "max_usd of the budget of team legal in a month went from 5 to none",
        ),
        ([USER, LEGAL], "max_usd of the budget of a run went from 5 to none"),
        (
            [USER, LEGAL, RUN | {"max_usd": 100}],
            "max_usd of the budget of a run went from 5 to 100",
        ),
    ],
)
def test_caps_that_rise_or_are_gone_are_named(now: list[dict[str, Any]], words: str) -> None:
    assert list(wider_budgets(budgets(USER, LEGAL, RUN), budgets(*now))) == [words]


LISTED = """\
providers:
  vendor: {kind: anthropic}
  box: {kind: openai, base_url: "http://127.0.0.1:1/v1"}
models:
  m: {provider: vendor, id: one, PRICE}
  own: {provider: box}
routes: []
"""
PRICE = "price: {input_usd_per_mtok: 2, output_usd_per_mtok: 8, cached_input_usd_per_mtok: 1}"
TIERS = "tiers: [{above_input_tokens: 1000, input_usd_per_mtok: 4, output_usd_per_mtok: 16}]"


def config(price: str, **replaced: str) -> Config:
    text = LISTED.replace("PRICE", price)
    for old, new in replaced.items():
        text = text.replace(old, new)
    return load_config(text.encode()).config


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (PRICE, PRICE.replace("8", "0"), "output_usd_per_mtok of model m went from 8 to 0"),
        (PRICE, PRICE.replace(": 1", ": 0"), "cached_input_usd_per_mtok of model m went from 1 to"),
        (
            "price: {input_usd_per_mtok: 2, output_usd_per_mtok: 8}",
            PRICE,
            "cached_input_usd_per_mtok of model m went from 2 to 1",
        ),
        (
            "price: {input_usd_per_mtok: 2, output_usd_per_mtok: 8, " + TIERS + "}",
            "price: {input_usd_per_mtok: 4, output_usd_per_mtok: 8}",
            "output_usd_per_mtok of model m went from 16 to 8",
        ),
        ("tier: mid", PRICE, "model m has a price of its own in the place of the list's"),
    ],
)
def test_a_price_that_fell_is_named(old: str, new: str, says: str) -> None:
    (sentence,) = lower_prices(config(old), config(new))
    assert sentence.startswith(says)


def test_prices_that_rise_or_that_no_list_has_or_of_other_models_are_no_news() -> None:
    old = config(PRICE)
    assert list(lower_prices(old, config(PRICE.replace("8", "9")))) == []
    assert list(lower_prices(old, config(PRICE.replace("8", "0"), **{"id: one": "id: two"}))) == []
    priced = {"{provider: box}": "{provider: box, " + PRICE + "}"}
    assert list(lower_prices(old, config(PRICE, **priced))) == []
