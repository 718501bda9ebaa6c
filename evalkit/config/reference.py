"""The configuration reference, written from the models, so that it cannot say what is not so."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from evalkit.config import base
from evalkit.config.schema import MODELS
from evalkit.config.shape import alternatives, fields_by_key

_TITLES = {
    "evalkit": "evalkit.yaml",
    "prompt": "prompts/NAME/vN.yaml",
    "agent": "agents/NAME/vN.yaml",
    "tool": "tools/NAME.json",
    "goldenset": "goldensets/NAME/vN/set.yaml",
    "case": "goldensets/NAME/vN/cases.jsonl",
    "rubric": "rubrics/NAME/vN.yaml",
    "waivers": "waivers.yaml",
}
_WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Any: "anything",
    type(None): "nothing",
}
_KNOWN = {
    repr(base.Name): "name",
    repr(base.Reference): "reference",
    repr(base.ProjectPath): "path in the project",
    repr(base.Money): "number from 0",
}
_BOUNDS = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))


def render_reference() -> str:
    """The whole reference as Markdown: a section for each file, a table for each mapping in it."""
    lines = [
        "# Configuration reference",
        "",
        "Generated from the models by `make generated`; edit those instead.",
        "Unknown keys are errors everywhere. Paths are relative to the project and use `/`.",
    ]
    for name, title in _TITLES.items():
        lines += ["", f"## `{title}`", ""]
        lines += _section(MODELS[name])
    return "\n".join(lines) + "\n"


def _section(model: type[BaseModel]) -> Iterator[str]:
    """The model's own table, then one for each model inside it, once."""
    done = {model}
    yield from _described(model)
    yield from _table(model)
    waiting = list(_inner(model, ""))
    while waiting:
        path, inner = waiting.pop(0)
        if inner in done:
            continue
        done.add(inner)
        yield from ("", f"### `{path}`", "")
        yield from _described(inner)
        if inner.model_fields:
            yield from _table(inner)
        else:
            yield "It has no settings: `{}`."
        waiting = [*_inner(inner, path), *waiting]


def _described(model: type[BaseModel]) -> Iterator[str]:
    if model.__doc__:
        yield " ".join(model.__doc__.split())
        yield ""


def _table(model: type[BaseModel]) -> Iterator[str]:
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for key, field in fields_by_key(model).items():
        cells = (f"`{key}`", _field_type(field), _default(field), field.description or "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _inner(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Models inside a model, with the path that leads to each: `routes[].models`, `suites.NAME`."""
    for key, field in fields_by_key(model).items():
        where = f"{path}.{key}" if path else key
        yield from _models_in(field.annotation, where)


def _models_in(annotation: Any, path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for each in alternatives(annotation):
        origin, arguments = get_origin(each), get_args(each)
        if origin is list:
            yield from _models_in(arguments[0], f"{path}[]")
        elif origin is dict:
            yield from _models_in(arguments[1], f"{path}.NAME")
        elif isinstance(each, type) and issubclass(each, BaseModel):
            yield path, each


def _field_type(field: FieldInfo) -> str:
    words = _words(field.annotation)
    for constraint in field.metadata:
        found = [
            f"{bound} {value:g}"
            for name, bound in _BOUNDS
            if (value := getattr(constraint, name, None)) is not None
        ]
        if getattr(constraint, "pattern", None) is not None:
            words = base.PATTERN_WORDS.get(constraint.pattern, words)
        words += "".join(f", {each}" for each in found)
    return words


def _words(annotation: Any) -> str:
    """A type in plain words; that a key may be left out is told by its default."""
    if (known := _KNOWN.get(repr(annotation))) is not None:
        return known
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(arguments[0])
    if origin is Literal:
        *most, last = (f"`{value}`" for value in arguments)
        return f"{', '.join(most)} or {last}" if most else last
    if origin is list:
        return f"list of {_words(arguments[0])}"
    if origin is dict:
        return f"mapping of {_words(arguments[0])} to {_words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    if len(arguments) > 1:
        return ", or ".join(_words(each) for each in arguments if each is not type(None))
    return _WORDS.get(annotation, str(annotation))


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return "none"
    if isinstance(default, BaseModel):
        return "`{}`"
    return f"`{json.dumps(default)}`"


if __name__ == "__main__":
    print(render_reference(), end="")
