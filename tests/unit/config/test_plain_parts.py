"""A part of a configuration as plain JSON, which digests and bundles hold."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.config.base import Part
from evalkit.config.load import load_config
from evalkit.config.model import Config
from evalkit.config.routes import Retrieval

ROOT = Path(__file__).parents[3]
FILES = (
    "evalkit.yaml",
    "evalkit/workflows/template/evalkit.yaml",
    "tests/data/fuzz/project/evalkit.yaml",
)


def parts_of(value: Any) -> Iterator[Part]:
    """A part and every part inside of it."""
    if isinstance(value, Part):
        yield value
        for name in type(value).model_fields:
            yield from parts_of(getattr(value, name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from parts_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from parts_of(each)


@pytest.fixture(params=FILES)
def config(request: pytest.FixtureRequest) -> Config:
    return load_config((ROOT / request.param).read_bytes()).config


def without_young(dumped: Any, part: Part) -> Any:
    """What pydantic makes of a part, without the one key that is left out when it is not given."""
    if isinstance(part, Retrieval) and part.max_tokens is None:
        dumped.pop("max_tokens", None)
    for name in type(part).model_fields:
        if isinstance(inner := getattr(part, name), Part) and name in dumped:
            without_young(dumped[name], inner)
    return dumped


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"without_none": True}, {"exclude_none": True}),
        ({"without_defaults": True}, {"exclude_defaults": True}),
    ],
)
def test_every_part_is_what_pydantic_makes_of_it(
    config: Config, ours: dict[str, bool], theirs: dict[str, bool]
) -> None:
    for part in parts_of(config):
        if not isinstance(part, Config):
            expected = without_young(part.model_dump(mode="json", **theirs), part)
            found = part.plain(**ours)
            # the order of keys, and 1 beside 1.0, are in texts and digests too
            assert json.dumps(found) == json.dumps(expected), type(part).__name__
