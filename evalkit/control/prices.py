"""What calls cost, exact to the nano-dollar.

Prices are USD per million tokens. Amounts are integers of nano-USD inside, because a thousand sums
of floats drift and a cap is either kept or not.
"""

from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from evalkit.config.prices import Price
from evalkit.records.call import Usage

NANO_PER_USD = 1_000_000_000
_TOKENS_PER_PRICE = 1_000_000
_EXACT_DIGITS = 24
_EXACT_PER_NANO = 10**_EXACT_DIGITS * _TOKENS_PER_PRICE // NANO_PER_USD


def to_nano(usd: float) -> int:
    """An amount in USD as integer nano-USD, to the nearest."""
    return round(usd * NANO_PER_USD)


def to_usd(nano: int) -> float:
    """An amount in nano-USD as USD."""
    return nano / NANO_PER_USD


def call_cost_usd(price: Price | None, usage: Usage) -> float | None:
    """The list price in USD of what was used, None without a price.

    Tokens that were cached, and those that were put into the cache, are inside the input tokens and
    are charged once, at their own price. The length of the whole request decides on the tier.
    """
    if price is None:
        return None
    rates = price.rates(usage.input_tokens)
    if not (usage.cached_tokens or usage.cache_write_tokens):
        return _cost_usd(
            (rates.input_usd_per_mtok, usage.input_tokens),
            (rates.output_usd_per_mtok, usage.output_tokens),
        )
    cached = min(usage.cached_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    plain = rates.input_usd_per_mtok
    cached_rate, write_rate = rates.cached_input_usd_per_mtok, rates.cache_write_usd_per_mtok
    return _cost_usd(
        (plain, usage.input_tokens - cached - written),
        (plain if cached_rate is None else cached_rate, cached),
        (plain if write_rate is None else write_rate, written),
        (rates.output_usd_per_mtok, usage.output_tokens),
    )


def input_bound_usd(price: Price | None, input_tokens: int) -> float | None:
    """The most that up to so many input tokens can cost in USD, cached or not; None without a
    price."""
    if price is None:
        return None
    dearest = max([rates.dearest_input for rates in price.reachable(input_tokens)])
    return _cost_usd((dearest, input_tokens))


def output_bound_usd(
    price: Price | None, output_tokens: int, *, input_tokens: int = 0
) -> float | None:
    """The most that so many output tokens can cost in USD after up to so many input tokens; None
    without a price."""
    if price is None:
        return None
    dearest = max([rates.output_usd_per_mtok for rates in price.reachable(input_tokens)])
    return _cost_usd((dearest, output_tokens))


def _cost_usd(*parts: tuple[float, int]) -> float:
    """The sum of price times tokens, rounded up to a whole nano-USD."""
    total = 0
    for usd_per_mtok, tokens in parts:
        if tokens:
            total += _exact(usd_per_mtok) * tokens
    return to_usd(-(-total // _EXACT_PER_NANO))


@lru_cache(maxsize=256)
def _exact(usd_per_mtok: float) -> int:
    """The price as it was written down: 0.1 is a tenth, not the float next to it. An integer, of
    USD a million tokens in parts of 10 to the 24th."""
    scaled = Decimal(repr(usd_per_mtok)).scaleb(_EXACT_DIGITS)
    return int(scaled.to_integral_value(ROUND_CEILING))
