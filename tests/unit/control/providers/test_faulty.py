"""A provider that is broken on purpose: what its calls end with, and what they cost."""

import asyncio
import random
from typing import Any, Literal

import pytest

from evalkit.config.routes import Model, Route
from evalkit.control.factory import ControlPlane
from evalkit.control.ledger.book import Ledger
from evalkit.control.providers.faulty import FAULT_WORDS, FAULTS, Fault, FaultyProvider
from evalkit.control.routing import FALLBACK_CODES
from evalkit.errors import ProviderError
from evalkit.records.call import Message, Request
from tests.unit.control.fakes import FakeClock

ASKED = Request(model="m", messages=(Message(role="user", content="On?"),), key="k")


def faulty(
    fault: Fault, *, origin: Literal["live", "recording", "scripted"] = "live"
) -> FaultyProvider:
    return FaultyProvider(fault, name="hosted", identity="openai", origin=origin)


@pytest.mark.parametrize(
    ("fault", "code"), [("down", "connection"), ("slow", "timeout"), ("429", "rate_limited")]
)
def test_a_fault_ends_as_the_real_one_does_and_is_billed_nothing(fault: Fault, code: str) -> None:
    provider = faulty(fault)
    assert provider.missing(ASKED) is None
    with pytest.raises(ProviderError, match=r"provider hosted: .* \(a drill") as raised:
        asyncio.run(provider.complete(ASKED, timeout_s=5.0))
    assert raised.value.code == code
    assert raised.value.retryable
    assert not raised.value.may_be_billed
    assert code in FALLBACK_CODES


def test_every_fault_has_words() -> None:
    assert set(FAULT_WORDS) == set(FAULTS)


@pytest.mark.parametrize(("origin", "tries"), [("live", 3), ("recording", 1), ("scripted", 1)])
def test_a_live_one_is_tried_again_without_a_charge_and_a_replay_is_not(
    origin: Any, tries: int
) -> None:
    ledger = Ledger([])
    clock = FakeClock()
    plane = ControlPlane(
        Route.model_validate({"name": "r", "models": {"primary": "m"}}),
        models={"m": Model(provider="hosted")},
        providers={"m": faulty("slow", origin=origin)},
        ledger=ledger,
        cache=None,
        clock=clock,
        timeout_s=60.0,
        retries=2,
        jitter=random.Random(0),
    )
    session = plane.open_for({})
    with pytest.raises(ProviderError, match="no whole reply within 60 s"):
        asyncio.run(session.complete([Message(role="user", content="On?")]))
    assert session.tries == tries
    assert (ledger.spent_tokens, ledger.held_tokens) == (0, 0)
