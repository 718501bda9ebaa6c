"""Models that name no price: one day for all of a run, looked up once, and told in its record."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evalkit.config.model import Config
from evalkit.config.prices import Price
from evalkit.workflows.setup.list_prices import ListPrices

SOL = {"provider": "openai", "id": "gpt-5.6-sol"}


class SetClock:
    """One moment."""

    def now(self) -> datetime:
        return datetime(2026, 11, 29, 23, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


def config(*, at: str | None = None, **models: Any) -> Config:
    return Config.model_validate(
        {
            "providers": {
                "openai": {"kind": "openai", "api_key_env": "KEY"},
                "here": {"kind": "openai", "base_url": "http://127.0.0.1:1/v1"},
            },
            "models": models,
            "prices": {"at": at},
        }
    )


def prices(root: Path) -> ListPrices:
    return ListPrices(root, SetClock())


def input_price(priced: Config, name: str = "sol") -> float | None:
    price = priced.models[name].price
    return None if price is None else price.input_usd_per_mtok


def test_a_known_model_has_todays_list_price_or_that_of_the_configured_day(tmp_path: Path) -> None:
    assert input_price(prices(tmp_path).priced(config(sol=SOL))) == 4.0
    assert input_price(prices(tmp_path).priced(config(sol=SOL, at="2026-07-15"))) == 5.0


def test_an_own_price_wins(tmp_path: Path) -> None:
    own = Price(input_usd_per_mtok=1, output_usd_per_mtok=2)
    listed = prices(tmp_path)
    priced = listed.priced(config(sol=SOL | {"price": own.model_dump()}))
    assert (priced.models["sol"].price, listed.used) == (own, None)


def test_a_model_that_is_not_listed_stays_without(tmp_path: Path) -> None:
    given = config(other={"provider": "openai", "id": "ours-1"}, near={"provider": "here"})
    assert prices(tmp_path).priced(given) is given


def test_all_configurations_of_a_run_are_priced_by_the_day_of_the_first(tmp_path: Path) -> None:
    listed = prices(tmp_path)
    assert input_price(listed.priced(config(sol=SOL, at="2026-07-15"))) == 5.0
    assert input_price(listed.priced(config(sol=SOL))) == 5.0
    assert listed.used is not None
    assert (listed.used.at, list(listed.used.models)) == ("2026-07-15", ["sol"])
    assert listed.used.source.startswith("genai-prices ")


def test_a_run_that_goes_on_keeps_its_day(tmp_path: Path) -> None:
    listed = prices(tmp_path)
    listed.pin("2026-07-15")
    assert input_price(listed.priced(config(sol=SOL, at="2026-11-01"))) == 5.0


def test_what_was_looked_up_is_not_looked_up_again(tmp_path: Path) -> None:
    first = config(sol=SOL, other={"provider": "openai", "id": "ours-1"})
    prices(tmp_path).priced(first)
    path = tmp_path / ".evalkit/prices.json"
    stored = json.loads(path.read_bytes())
    assert sorted(stored.values(), key=str)[0] is None
    for each in stored.values():
        if each is not None:
            each["input_usd_per_mtok"] = 77.0
    path.write_text(json.dumps(stored))
    assert input_price(prices(tmp_path).priced(first)) == 77.0


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"a": 1'])
def test_a_damaged_file_is_made_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".evalkit").mkdir()
    path = tmp_path / ".evalkit/prices.json"
    path.write_bytes(content)
    assert input_price(prices(tmp_path).priced(config(sol=SOL))) == 4.0
    assert len(json.loads(path.read_bytes())) == 1


def test_an_answer_of_another_evalkit_is_asked_for_again(tmp_path: Path) -> None:
    prices(tmp_path).priced(config(sol=SOL))
    path = tmp_path / ".evalkit/prices.json"
    path.write_text(json.dumps({key: {"per_word": 3} for key in json.loads(path.read_bytes())}))
    assert input_price(prices(tmp_path).priced(config(sol=SOL))) == 4.0
