"""What calls cost, exact to the nano-dollar.

Prices are USD per million tokens. Amounts are integers of nano-USD inside, because a thousand sums
of floats drift and a cap is either kept or not.
"""

from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

import msgspec

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


class _Tier(msgspec.Struct, frozen=True):
    """Rates of calls whose request has more tokens than `above`, exact.

    `most_input` and `most_output` are the dearest of these and of all shorter requests.
    """

    above: int
    input: int
    cached: int
    written: int
    output: int
    most_input: int
    most_output: int


class CallPrice:
    """A price as calls are counted with it; what depends on the price alone is worked out once."""

    __slots__ = ("_tiers",)

    def __init__(self, price: Price) -> None:
        """`price` is a model's."""
        tiers: list[_Tier] = []
        most_input = most_output = 0
        for above, rates in (
            (-1, price),
            *((each.above_input_tokens, each) for each in price.tiers),
        ):
            plain, output = _exact(rates.input_usd_per_mtok), _exact(rates.output_usd_per_mtok)
            cached, written = rates.cached_input_usd_per_mtok, rates.cache_write_usd_per_mtok
            most_input = max(most_input, _exact(rates.dearest_input))
            most_output = max(most_output, output)
            tiers.append(
                _Tier(
                    above,
                    input=plain,
                    cached=plain if cached is None else _exact(cached),
                    written=plain if written is None else _exact(written),
                    output=output,
                    most_input=most_input,
                    most_output=most_output,
                )
            )
        self._tiers = tuple(tiers)

    def cost_usd(self, usage: Usage) -> float:
        """The list price in USD of what was used.

        Tokens that were cached, and those that were put into the cache, are inside the input tokens
        and are charged once, at their own price. The length of the whole request decides on the
        tier.
        """
        tier = self._tier(usage.input_tokens)
        plain, output = usage.input_tokens, usage.output_tokens
        if not (usage.cached_tokens or usage.cache_write_tokens):
            return _rounded_usd(tier.input * plain + tier.output * output)
        cached = min(usage.cached_tokens, plain)
        written = min(usage.cache_write_tokens, plain - cached)
        plain -= cached + written
        return _rounded_usd(
            tier.input * plain
            + tier.cached * cached
            + tier.written * written
            + tier.output * output
        )

    def input_bound_usd(self, input_tokens: int) -> float:
        """The most that up to so many input tokens can cost in USD, cached or not."""
        return _rounded_usd(self._tier(input_tokens).most_input * input_tokens)

    def output_bound_usd(self, output_tokens: int, *, input_tokens: int = 0) -> float:
        """The most that so many output tokens can cost in USD after up to so many input tokens."""
        return _rounded_usd(self._tier(input_tokens).most_output * output_tokens)

    def _tier(self, input_tokens: int) -> _Tier:
        found = self._tiers[0]
        for tier in self._tiers:
            if input_tokens > tier.above:
                found = tier
        return found


def call_cost_usd(price: Price | None, usage: Usage) -> float | None:
    """As `CallPrice.cost_usd`, None without a price."""
    return None if price is None else CallPrice(price).cost_usd(usage)


def _rounded_usd(exact: int) -> float:
    """An exact amount, rounded up to a whole nano-USD."""
    return to_usd(-(-exact // _EXACT_PER_NANO))


@lru_cache(maxsize=256)
def _exact(usd_per_mtok: float) -> int:
    """The price as it was written down: 0.1 is a tenth, not the float next to it. An integer, of
    USD a million tokens in parts of 10 to the 24th."""
    scaled = Decimal(repr(usd_per_mtok)).scaleb(_EXACT_DIGITS)
    return int(scaled.to_integral_value(ROUND_CEILING))
