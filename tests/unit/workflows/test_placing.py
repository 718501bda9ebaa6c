"""What counts as a wider place for data, or a looser limit."""

from typing import Any

import pytest

from evalkit.config.load import load_config
from evalkit.config.model import Config
from evalkit.workflows.guards.placing import looser_limits, moved_models, wider_places

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


def test_what_is_stricter_or_the_same_says_nothing() -> None:
    loose = config("risk: [high, low]", limits="max_concurrency: 9")
    assert sentences(loose, config()) == []
    assert sentences(config(), config()) == []
