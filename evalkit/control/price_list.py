"""List prices of known models at a moment, from the price list that is installed.

genai-prices holds dated prices of some two thousand models, offline. It takes 0.4 s to import, so
it is imported only for a model that nothing else knows the price of.
"""

from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import urlsplit

from evalkit.config.prices import Price, PriceTier

_PACKAGE = "genai-prices"
# What is counted of a call, by its name in the list. A model that is charged for something else as
# well (a request, a thought of another price than an answer) has no price that would be whole.
_RATES = {
    "input_mtok": "input_usd_per_mtok",
    "output_mtok": "output_usd_per_mtok",
    "cache_read_mtok": "cached_input_usd_per_mtok",
    "cache_write_mtok": "cache_write_usd_per_mtok",
}
_PART_OF_EVERY_CALL = frozenset(
    {"requests_kcount", "output_reasoning_mtok", "output_citation_mtok", "input_mchars"}
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def price_source() -> str:
    """The price list and its version: `genai-prices 0.2.3`."""
    from importlib import metadata

    return f"{_PACKAGE} {metadata.version(_PACKAGE)}"


def may_list(address: str) -> bool:
    """Whether a provider at that address could be in the list; what runs here is not."""
    return urlsplit(address).hostname not in _LOOPBACK


def list_price(address: str, model_id: str, at: date) -> Price | None:
    """What the provider at that address asked for a model at noon (UTC) of a day.

    None for an address or a model that is not listed. Thresholds count the tokens of the request,
    and a call above one is charged at its rates as a whole.
    """
    if not may_list(address):
        return None
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    try:
        provider = snapshot.find_provider(None, None, address)
        _, model = snapshot.find_provider_model(model_id, provider, None, None)
    except LookupError:
        return None
    listed = model.get_prices(datetime.combine(at, time(12), tzinfo=UTC))
    given = {key: value for key, value in vars(listed).items() if value is not None}
    if _PART_OF_EVERY_CALL & given.keys() or not {"input_mtok", "output_mtok"} <= given.keys():
        return None
    starts = sorted({tier.start for key in _RATES for tier in getattr(given.get(key), "tiers", ())})
    return Price(
        **_rates(given, 0),
        tiers=[PriceTier(above_input_tokens=start, **_rates(given, start + 1)) for start in starts],
    )


def _rates(given: dict[str, Any], input_tokens: int) -> dict[str, float]:
    """The rates of a call with so many tokens in its request."""
    rates = {}
    for key, name in _RATES.items():
        if key in given:
            rate = given[key]
            for tier in getattr(rate, "tiers", ()):
                if input_tokens > tier.start:
                    rate = tier.price
            rates[name] = float(getattr(rate, "base", rate))
    return rates
