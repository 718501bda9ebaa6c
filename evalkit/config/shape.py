"""Which keys a place of a configuration may have, read from its models."""

import types
from collections.abc import Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from evalkit.config.document import PathPart


def keys_at(model: type[BaseModel], path: Sequence[PathPart]) -> tuple[str, ...]:
    """The keys that the model at `path` knows, in their order; empty where any key may stand."""
    found: dict[str, None] = {}
    for each in types_at(model, path):
        if isinstance(each, type) and issubclass(each, BaseModel):
            found |= dict.fromkeys(fields_by_key(each))
    return tuple(found)


def is_open(model: type[BaseModel], path: Sequence[PathPart]) -> bool:
    """Whether the place is a mapping with names of the user's choice."""
    return any(get_origin(each) is dict for each in types_at(model, path))


def types_at(model: type[BaseModel], path: Sequence[PathPart]) -> list[Any]:
    """Every type that the value at `path` may have; unions are taken apart."""
    found: list[Any] = [model]
    for part in path:
        found = [inner for each in found for inner in _inside(each, part)]
    return found


def alternatives(annotation: Any) -> list[Any]:
    """The types behind `Annotated` and unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return alternatives(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [inner for each in get_args(annotation) for inner in alternatives(each)]
    return [annotation]


def fields_by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The model's fields by the keys they are written as."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _inside(annotation: Any, part: PathPart) -> list[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is list and isinstance(part, int):
        return alternatives(arguments[0])
    if origin is dict:
        return alternatives(arguments[1])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = fields_by_key(annotation).get(str(part))
        return [] if field is None else alternatives(field.annotation)
    return []
