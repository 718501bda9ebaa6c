"""Providers that stand in for others."""

import pytest

from evalkit.config.model import Config

WITH_KEY = {"kind": "openai", "api_key_env": "KEY"}
CONFIG = Config.model_validate(
    {
        "providers": {
            "hosted": {**WITH_KEY, "without_key": "spare"},
            "spare": {**WITH_KEY, "without_key": "embedded"},
            "embedded": {"kind": "local"},
            "round": {**WITH_KEY, "without_key": "about"},
            "about": {**WITH_KEY, "without_key": "round"},
            "dangling": {**WITH_KEY, "without_key": "nobody"},
        }
    }
)


@pytest.mark.parametrize(
    ("provider", "answering"),
    [
        ("hosted", ("hosted", "spare", "embedded")),
        ("embedded", ("embedded",)),
        ("round", ("round", "about")),
        ("dangling", ("dangling",)),
        ("nobody", ()),
    ],
)
def test_stand_ins_follow_each_other_to_the_last_known_one(
    provider: str, answering: tuple[str, ...]
) -> None:
    assert CONFIG.answering(provider) == answering
