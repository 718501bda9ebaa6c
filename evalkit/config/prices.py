"""What models cost: `models.NAME.price`, and the day of the price list for all others."""

from typing import Annotated

from pydantic import Field, model_validator

from evalkit.config.base import DATE, Money, Part


class Rates(Part):
    """USD per million tokens."""

    input_usd_per_mtok: Annotated[Money, Field(description="Tokens of the request.")]
    output_usd_per_mtok: Annotated[Money, Field(description="Tokens of the reply.")]
    cached_input_usd_per_mtok: Annotated[
        Money | None,
        Field(description="Request tokens that the provider had cached; default: as input."),
    ] = None
    cache_write_usd_per_mtok: Annotated[
        Money | None,
        Field(description="Request tokens that it put into its cache; default: as input."),
    ] = None

    @property
    def dearest_input(self) -> float:
        """The most that a token of the request can cost."""
        cached, write = self.cached_input_usd_per_mtok, self.cache_write_usd_per_mtok
        return max(self.input_usd_per_mtok, cached or 0.0, write or 0.0)


class PriceTier(Rates):
    """Rates of a call whose request is long, for all of its tokens."""

    above_input_tokens: Annotated[
        int, Field(gt=0, description="Of requests that have more tokens than this.")
    ]


class Price(Rates):
    """List prices in USD per million tokens."""

    tiers: Annotated[
        list[PriceTier],
        Field(description="Rates of calls with long requests, where they have others."),
    ] = []

    def rates(self, input_tokens: int) -> Rates:
        """The rates of a call whose request has so many tokens, cached ones among them."""
        found: Rates = self
        for tier in self.tiers:
            if input_tokens > tier.above_input_tokens:
                found = tier
        return found

    @model_validator(mode="after")
    def _tiers_rise(self) -> "Price":
        starts = [tier.above_input_tokens for tier in self.tiers]
        if starts != sorted(set(starts)):
            raise ValueError("each tier starts above the one before: sort above_input_tokens")
        return self


class PriceList(Part):
    """Where prices come from that no model names."""

    at: Annotated[
        str | None,
        Field(
            pattern=DATE,
            description="The day (UTC) whose list prices hold. Default: the day on which a run was "
            "started. A day of your own keeps a gate on cost from moving with the calendar.",
        ),
    ] = None
