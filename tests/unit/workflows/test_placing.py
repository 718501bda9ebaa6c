"""What counts as a wider place for data, or a looser limit."""

from typing import Any

import pytest

from evalkit.config.load import load_config
from evalkit.config.model import Config
from evalkit.workflows.guards.placing import (
    looser_breaker,
    looser_limits,
    moved_models,
    wider_places,
)

WRITTEN = """\
providers:
  eu: {kind: openai, base_url: "http://127.0.0.1:1/v1", region: eu, limits: {LIMITS}}
models:
  m: {provider: eu, tier: local}
routes:
- {name: r, models: {primary: m}, REST}
"""
LIMITS = "requests_per_minute: 60, max_concurrency: 4"
REST = "regions: [eu], local_only: true, risk: high"


def config(rest: str = REST, limits: str = LIMITS, **replaced: str) -> Config:
    text = WRITTEN.replace("LIMITS", limits).replace("REST", rest)
    for old, new in replaced.items():
        text = text.replace(old, new)
    return load_config(text.encode()).config


def sentences(old: Config, new: Config) -> list[str]:
    return [
        *wider_places(old.routes[0], new.routes[0]),
        *moved_models(old, new, new.routes[0]),
        *looser_limits(old, new, ["m"]),
        *looser_breaker(old, new),
    ]


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ("local_only: true, risk: high", "route r may ask models of every region"),
        ("regions: [eu, us], local_only: true, risk: high", "route r may also ask models in us"),
        ("regions: [eu], risk: high", "route r may ask models that are not local"),
        ("regions: [eu], local_only: true, risk: [high, pii]", "route r is now for risk pii"),
    ],
)
def test_a_wider_route_is_told(rest: str, says: str) -> None:
    assert sentences(config(), config(rest)) == [says]


def test_personal_data_that_may_leave_is_told() -> None:
    old = config("risk: pii")
    assert sentences(old, config("risk: pii, local_only: false")) == [
        "route r may ask models that are not local"
    ]


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (
            "requests_per_minute: 61, max_concurrency: 4",
            "requests_per_minute of provider eu went from 60 to 61",
        ),
        ("requests_per_minute: 60", "max_concurrency of provider eu went from 4 to none"),
    ],
)
def test_a_looser_limit_is_told(limits: str, says: str) -> None:
    assert sentences(config(), config(limits=limits)) == [says]


def test_a_model_that_is_said_to_be_elsewhere_is_told() -> None:
    old = config("risk: high")
    moved: dict[str, Any] = {"eu, limits": "us, limits", "risk: high": "risk: high, regions: [us]"}
    assert sentences(old, config("risk: high", **moved)) == [
        "model m is said to be in region us now, it was eu"
    ]
    tier = config("risk: high", **{"tier: local": "tier: mid"})
    assert sentences(tier, config("risk: high, local_only: true")) == [
        "model m is said to be local now"
    ]


def test_a_restricted_route_whose_model_is_reached_elsewhere_is_told() -> None:
    away = {"http://127.0.0.1:1/v1": "https://elsewhere.example/v1", "tier: local": "tier: mid"}
    address = {"http://127.0.0.1:1/v1": "http://10.0.0.8:1/v1"}
    assert sentences(config(), config(**address)) == [
        "model m of the restricted route r is reached at 10.0.0.8 now, it was at 127.0.0.1"
    ]
    free = config("risk: high")
    assert sentences(free, config("risk: high", **away)) == []
    assert sentences(config(), config(**{"127.0.0.1:1/": "127.0.0.1:2/"})) == []


@pytest.mark.parametrize(
    ("breaker", "says"),
    [
        ("null", "circuits are switched off (breaker)"),
        ("{failure_rate: 1}", "breaker.failure_rate went from 0.8 to 1"),
        ("{min_calls: 90000}", "breaker.min_calls went from 20 to 90000"),
        ("{cool_down_s: 0.1}", "breaker.cool_down_s went from 5 to 0.1"),
        ("{window_s: 0.1}", "breaker.window_s went from 60 to 0.1"),
    ],
)
def test_a_circuit_that_opens_later_is_told(breaker: str, says: str) -> None:
    looser = config(**{"providers:": f"breaker: {breaker}\nproviders:"})
    assert sentences(config(), looser) == [says]
    assert sentences(looser, config()) == []


def test_what_is_stricter_or_the_same_says_nothing() -> None:
    loose = config("risk: [high, low]", limits="max_concurrency: 9")
    assert sentences(loose, config()) == []
    assert sentences(config(), config()) == []
