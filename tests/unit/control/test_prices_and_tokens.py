"""Bounds and costs: exact, never too low."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.config.prices import Price
from evalkit.control.prices import CallPrice, call_cost_usd, to_nano
from evalkit.control.tokens import bound_tokens
from evalkit.records.asset import Tool
from evalkit.records.call import Message, Usage
from tests.unit.control.fakes import World, tool

PRICE = Price(input_usd_per_mtok=0.40, output_usd_per_mtok=1.60, cached_input_usd_per_mtok=0.10)


def test_cached_tokens_are_charged_once_at_their_own_price() -> None:
    used = Usage(input_tokens=1_000_000, cached_tokens=400_000, output_tokens=100_000)
    assert call_cost_usd(PRICE, used) == 0.44  # 0.24 + 0.04 + 0.16


def test_cached_tokens_cost_what_input_costs_without_a_price_of_their_own() -> None:
    plain = Price(input_usd_per_mtok=0.40, output_usd_per_mtok=1.60)
    used = Usage(input_tokens=1000, cached_tokens=400, output_tokens=0)
    assert call_cost_usd(plain, used) == 0.0004


def test_more_cached_tokens_than_input_are_not_charged_twice() -> None:
    used = Usage(input_tokens=10, cached_tokens=50, output_tokens=0)
    assert call_cost_usd(PRICE, used) == 0.000001


def test_without_a_price_there_is_no_cost_and_no_bound() -> None:
    assert call_cost_usd(None, Usage(input_tokens=1)) is None
    prepared = World(price=None).open().prepare([Message(role="user", content="hello")])
    assert prepared.max_cost_usd is None
    assert prepared.max_output_cost_usd is None


def test_a_fraction_of_a_nano_dollar_is_rounded_up() -> None:
    tiny = Price(input_usd_per_mtok=0.0001, output_usd_per_mtok=0)
    assert call_cost_usd(tiny, Usage(input_tokens=1)) == 1e-9


def test_free_tokens_cost_nothing() -> None:
    free = Price(input_usd_per_mtok=0, output_usd_per_mtok=0)
    assert call_cost_usd(free, Usage(input_tokens=9, output_tokens=9)) == 0.0


@given(
    st.integers(0, 200_000),
    st.integers(0, 200_000),
    st.integers(0, 20_000),
    st.floats(0, 100).map(lambda price: round(price, 4)),
)
def test_the_bound_is_never_below_the_cost(
    input_tokens: int, cached_tokens: int, output_tokens: int, cached_price: float
) -> None:
    price = PRICE.model_copy(update={"cached_input_usd_per_mtok": cached_price})
    used = Usage(
        input_tokens=input_tokens,
        cached_tokens=min(cached_tokens, input_tokens),
        output_tokens=output_tokens,
    )
    counted = CallPrice(price)
    inputs, output = counted.input_bound_usd(input_tokens), counted.output_bound_usd(output_tokens)
    assert to_nano(counted.cost_usd(used)) <= to_nano(inputs) + to_nano(output)


@given(st.lists(st.text(max_size=50), max_size=5))
def test_a_text_is_bounded_by_its_bytes(texts: list[str]) -> None:
    messages = [Message(role="user", content=text) for text in texts]
    bound = sum(bound_tokens(messages).values())
    assert bound >= sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) + len(texts)


def test_tokens_are_counted_by_part() -> None:
    messages = [
        Message(role="system", content="s" * 100, part="system"),
        Message(role="user", content="e" * 50, part="examples"),
        Message(role="user", content="e" * 50, part="examples"),
        Message(role="user", content="ä" * 10, part="input"),
    ]
    parts = bound_tokens(messages)
    assert set(parts) == {"system", "examples", "input"}
    assert parts["system"] > 100
    assert parts["examples"] > 100
    assert parts["input"] > 20


def test_tools_and_the_schema_count_as_tools() -> None:
    big = Tool(name="look", description="d" * 500, parameters={"type": "object"})
    one = bound_tokens([], tools=[big])["tools"]
    two = bound_tokens([], tools=[big, big])["tools"]
    with_schema = bound_tokens([], tools=[big], schema={"type": "object", "title": "t" * 300})
    assert one > 500
    assert two - one > 500
    assert with_schema["tools"] - one > 300


def test_a_prepared_call_is_priced_from_both_bounds() -> None:
    session = World().open()
    prepared = session.prepare(
        [Message(role="user", content="hello")], tools=[tool("look")], params={"max_tokens": 100}
    )
    tokens = sum(prepared.input_tokens.values())
    assert prepared.output_tokens == 100
    assert prepared.max_output_cost_usd == 0.0004
    assert prepared.max_cost_usd == pytest.approx(tokens / 1e6 + 0.0004)
    assert (prepared.model, prepared.provider, prepared.missing) == ("one", "first", None)


def test_preparing_leaves_no_trace_and_calls_nobody() -> None:
    world = World()
    session = world.open()
    session.prepare([Message(role="user", content="hello")])
    assert not session.decisions
    assert not world.one.requests
    assert session.tries == 0
