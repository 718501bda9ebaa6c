"""JSON Schemas of evalkit.yaml and the files beside it, for completion and errors in editors."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from evalkit.config.agents import AgentFile
from evalkit.config.assets import CaseFile, PromptFile, SetFile, ToolFile
from evalkit.config.model import Config
from evalkit.config.rubrics import RubricFile
from evalkit.config.waivers import WaiversFile
from evalkit.records.asset import JSON_SCHEMA_DIALECT

# The names are those of the files: `.evalkit/schema/<name>.schema.json`.
MODELS: dict[str, type[BaseModel]] = {
    "evalkit": Config,
    "prompt": PromptFile,
    "agent": AgentFile,
    "goldenset": SetFile,
    "case": CaseFile,
    "rubric": RubricFile,
    "tool": ToolFile,
    "waivers": WaiversFile,
}


class _Plain(GenerateJsonSchema):
    """Schemas without a generated title for each key: editors show it above the description."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


def json_schemas() -> dict[str, dict[str, Any]]:
    """A JSON Schema for each kind of file, by its name."""
    found = {}
    for name, model in MODELS.items():
        schema = model.model_json_schema(by_alias=True, schema_generator=_Plain)
        found[name] = {"$schema": JSON_SCHEMA_DIALECT, **_closed(_without_empty_defaults(schema))}
    return found


def _without_empty_defaults(schema: Any) -> Any:
    """Defaults that say no more than that a key may be left out are noise in an editor."""
    if isinstance(schema, list):
        return [_without_empty_defaults(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_empty_defaults(value)
        for key, value in schema.items()
        if not (key == "default" and (value is None or isinstance(value, dict)))
    }


def _closed(schema: Any) -> Any:
    """Mappings whose keys have a pattern, held to it: a key beside the pattern is a mistake."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if "patternProperties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed
