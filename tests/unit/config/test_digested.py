"""Digests of what somebody wrote, whatever evalkit learns to read later."""

from typing import Any

import pytest

from evalkit.config.base import Part
from evalkit.config.digested import digested
from evalkit.config.routes import Model, Provider, Route
from evalkit.records.digest import digest_of

MODELS = {"primary": "one", "fallback": None}
# as the first digests were taken: every key of then, and no other
FIRST: dict[str, Any] = {
    "name": "work",
    "models": MODELS,
    "max_tokens": None,
    "max_tool_calls": None,
    "retrieval": {"max_chunks": None, "allow_indexes": None},
    "policies": {"pii_redaction": False, "disallow_actions": []},
    "require_citations": False,
    "approvals": {"on_execute": None},
    "owner": None,
}


def test_a_route_without_later_keys_has_the_digest_it_always_had() -> None:
    route = Route.model_validate({"name": "work", "models": {"primary": "one"}})
    assert digested(route) == FIRST
    assert digest_of(digested(route)) == digest_of(FIRST)


@pytest.mark.parametrize(
    ("part", "plain"),
    [
        (
            Model(provider="p"),
            {"provider": "p", "id": None, "price": None, "tier": None},
        ),
        (
            Provider(kind="openai"),
            {
                "kind": "openai",
                "base_url": None,
                "api_key_env": None,
                "without_key": None,
                "recordings": None,
                "path": None,
            },
        ),
    ],
)
def test_so_have_models_and_providers(part: Part, plain: dict[str, Any]) -> None:
    assert digested(part) == plain


def test_what_is_excluded_is_not_in_it() -> None:
    route = Route.model_validate({"name": "work", "models": {"primary": "one"}, "owner": "kim"})
    assert "owner" not in digested(route, exclude=("owner",))


class Learned(Part):
    """A part that the first digests did not know."""

    old: int = 1
    inner: Part = Part()


def test_a_later_key_counts_once_it_is_not_at_its_default() -> None:
    assert digested(Learned()) == {}
    assert digested(Learned(old=2)) == {"old": 2}
