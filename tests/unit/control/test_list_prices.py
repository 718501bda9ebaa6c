"""Prices of the installed list: dated, and charged as the list itself charges."""

from datetime import UTC, date, datetime

import pytest
from genai_prices import Usage as ListUsage
from genai_prices import calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.config.prices import Price, PriceTier
from evalkit.control.price_list import list_price, may_list, price_source
from evalkit.control.prices import CallPrice, call_cost_usd
from evalkit.records.call import Usage

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com/v1"
GOOGLE = "https://generativelanguage.googleapis.com/v1beta"
NOVEMBER = date(2026, 11, 20)


def listed(address: str, model: str, at: date = NOVEMBER) -> Price:
    price = list_price(address, model, at)
    assert price is not None
    return price


def test_anthropics_cache_is_inside_the_input_and_charged_once() -> None:
    usage = Usage(input_tokens=504 + 123 + 1000, cache_write_tokens=123, cached_tokens=1000)
    assert usage.input_tokens == 1627
    price = listed(ANTHROPIC, "claude-sonnet-4-5")
    assert call_cost_usd(price, usage) == 0.00227325
    answered = Usage(
        input_tokens=1627, cache_write_tokens=123, cached_tokens=1000, output_tokens=112
    )
    assert call_cost_usd(price, answered) == 0.00395325


def test_a_long_request_is_charged_at_its_tier_as_a_whole() -> None:
    price = listed(OPENAI, "gpt-5.5")
    assert call_cost_usd(price, Usage(input_tokens=300_000, output_tokens=1000)) == 3.045
    assert call_cost_usd(price, Usage(input_tokens=272_000, output_tokens=1000)) == 1.39


def test_a_price_is_that_of_its_day() -> None:
    usage = Usage(input_tokens=1_000_000 // 5, output_tokens=0)
    assert call_cost_usd(listed(OPENAI, "gpt-5.6-sol", date(2026, 7, 15)), usage) == 1.0
    assert call_cost_usd(listed(OPENAI, "gpt-5.6-sol"), usage) == 0.8


def test_the_address_tells_whose_price_it_is() -> None:
    assert list_price("https://models.example.org/v1", "gpt-5.5", NOVEMBER) is None
    assert list_price("http://127.0.0.1:8080/v1", "gpt-5.5", NOVEMBER) is None
    assert list_price("https://api.groq.com/openai/v1", "llama-3.3-70b-versatile", NOVEMBER)
    assert list_price("https://acme.openai.azure.com/openai/v1", "gpt-4.1", NOVEMBER)
    assert list_price("https://acme.openai.azure.com/openai/v1", "my-deployment", NOVEMBER) is None
    assert (
        list_price("https://bedrock-runtime.eu-west-1.amazonaws.com", "nobody.v1", NOVEMBER) is None
    )
    assert not may_list("http://localhost:1/v1")


def test_a_model_that_is_charged_by_the_request_has_no_price() -> None:
    assert list_price("https://api.perplexity.ai", "sonar", NOVEMBER) is None


def test_the_list_has_a_version() -> None:
    assert price_source().startswith("genai-prices ")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        [
            (OPENAI, "openai", "gpt-4.1-mini-2025-04-14"),
            (OPENAI, "openai", "gpt-5.5"),
            (OPENAI, "openai", "gpt-5.6-sol"),
            (ANTHROPIC, "anthropic", "claude-3-7-sonnet-20250219"),
            (ANTHROPIC, "anthropic", "claude-sonnet-4-5"),
            (GOOGLE, "google", "gemini-2.5-pro"),
        ]
    ),
    st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    st.integers(0, 600_000),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 50_000),
)
def test_a_call_costs_what_the_list_says_and_never_more_than_its_bound(
    model: tuple[str, str, str], at: date, tokens: int, cached: float, written: float, output: int
) -> None:
    address, provider, name = model
    price = list_price(address, name, at)
    if price is None:
        return
    read = int(tokens * cached)
    usage = Usage(
        input_tokens=tokens,
        cached_tokens=read,
        cache_write_tokens=int((tokens - read) * written),
        output_tokens=output,
    )
    expected = calc_price(
        ListUsage(
            input_tokens=tokens,
            cache_read_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_tokens=output,
        ),
        model_ref=name,
        provider_id=provider,
        genai_request_timestamp=datetime(at.year, at.month, at.day, 12, tzinfo=UTC),
    )
    counted = CallPrice(price)
    cost = counted.cost_usd(usage)
    assert cost == pytest.approx(float(expected.total_price), abs=1e-9)
    bound_in = counted.input_bound_usd(tokens)
    bound_out = counted.output_bound_usd(output, input_tokens=tokens)
    assert cost <= bound_in + bound_out + 1e-12


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 100))
def test_a_bound_holds_for_every_shorter_request_and_every_tier(
    bound: int, used: int, output: int
) -> None:
    cheap_when_long = PriceTier(above_input_tokens=100, input_usd_per_mtok=1, output_usd_per_mtok=1)
    dear_when_longer = PriceTier(
        above_input_tokens=300,
        input_usd_per_mtok=9,
        output_usd_per_mtok=9,
        cache_write_usd_per_mtok=11,
    )
    price = Price(
        input_usd_per_mtok=5, output_usd_per_mtok=7, tiers=[cheap_when_long, dear_when_longer]
    )
    usage = Usage(input_tokens=min(used, bound), cache_write_tokens=used // 2, output_tokens=output)
    counted = CallPrice(price)
    most = counted.input_bound_usd(bound) + counted.output_bound_usd(output, input_tokens=bound)
    assert counted.cost_usd(usage) <= most + 1e-12
