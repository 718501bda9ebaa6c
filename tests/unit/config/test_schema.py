"""Schemas for editors: valid, closed against typos, and agreeing with what the loader accepts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from evalkit.config.schema import MODELS, json_schemas
from evalkit.config.shape import keys_at

ROOT = Path(__file__).parents[3]
SCHEMAS = json_schemas()


def _accepts(name: str, data: Any) -> bool:
    return bool(Draft202012Validator(SCHEMAS[name]).is_valid(data))


def _models(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    if model not in seen:
        seen.add(model)
        yield model
        for field in model.model_fields.values():
            for inner in _nested(field.annotation):
                yield from _models(inner, seen)


def _nested(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in getattr(annotation, "__args__", ()):
        yield from _nested(each)


def test_there_is_a_schema_for_every_kind_of_file() -> None:
    assert set(SCHEMAS) == {
        "evalkit",
        "prompt",
        "agent",
        "goldenset",
        "case",
        "rubric",
        "tool",
        "waivers",
    }


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_and_refuses_unknown_keys(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["additionalProperties"] is False


@pytest.mark.parametrize("name", MODELS)
def test_every_key_is_described(name: str) -> None:
    for model in _models(MODELS[name], set()):
        for key, field in model.model_fields.items():
            assert field.description and field.description.endswith((".", "}")), (model, key)


def test_the_configuration_in_order_is_accepted(good: str) -> None:
    assert _accepts("evalkit", yaml.safe_load(good))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("max_drop_pp: 3", "max_drop: 3"),
        ("max_drop_pp: 3", "max_drop_pp: 0"),
        ("max_drop_pp: 3", "rule: lax"),
        ("kind: scripted", "kind: magic"),
        ("golden: triage@v1", "golden: triage"),
        ("  triage:\n", "  tri age:\n"),
        ("{citations: {}}", "{citations: {}, policy: {}}"),
        ("{citations: {}}", "{gate: false}"),
        ("    route: triage\n", ""),
    ],
)
def test_what_the_loader_refuses_an_editor_underlines(good: str, old: str, new: str) -> None:
    assert old in good
    assert not _accepts("evalkit", yaml.safe_load(good.replace(old, new, 1)))


def test_this_projects_own_files_are_accepted() -> None:
    files = {
        "prompt": ROOT.glob("prompts/*/*.yaml"),
        "goldenset": ROOT.glob("goldensets/*/*/set.yaml"),
        "rubric": ROOT.glob("rubrics/*/v*.yaml"),
        "tool": ROOT.glob("tools/*.json"),
    }
    for name, paths in files.items():
        found = list(paths)
        assert found, name
        for path in found:
            assert _accepts(name, yaml.safe_load(path.read_text(encoding="utf-8"))), path


def test_keys_are_known_by_the_names_they_are_written_as() -> None:
    assert keys_at(MODELS["prompt"], ("output",)) == ("kind", "schema")
    assert keys_at(MODELS["evalkit"], ("suites", "any", "baseline")) == ("set",)
    assert keys_at(MODELS["evalkit"], ("routes", 3, "models")) == (
        "primary",
        "tier",
        "fallback",
    )
    assert keys_at(MODELS["evalkit"], ("routes", 3, "nothing", "here")) == ()
