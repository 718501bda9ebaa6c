"""Functions, the choice of one, and schemas, which chat completions and Responses write alike."""

from typing import Any

from evalkit.gateway.doors.reading import Fields, schema_of
from evalkit.gateway.refusals import unreadable
from evalkit.records.asset import Output, Tool

_CHOICES = ("auto", "none", "required")


def read_function(fields: Fields) -> tuple[Tool, bool]:
    """A function that a model may call, and whether its calls have to meet the schema."""
    strict = fields.flag("strict")
    parameters = (
        {} if fields.lacks("parameters") else schema_of(fields, "parameters", applied=strict)
    )
    tool = Tool(
        name=fields.text("name"),
        description=fields.text_or("description", ""),
        parameters=parameters,
    )
    fields.done()
    return tool, strict


def read_choice(value: Any, *, wrapped: bool) -> Any:
    """Which tool has to be called, as the core writes it; None where that is not said.

    The one tool is an object, in which chat completions have it `wrapped`. Raises Declined.
    """
    if value is None or (isinstance(value, str) and value in _CHOICES):
        return value
    if not isinstance(value, dict):
        known = ", ".join(_CHOICES)
        raise unreadable(f"tool_choice has to be one of {known}, or a function", "tool_choice")
    fields = Fields(value, "tool_choice")
    if (kind := fields.text("type")) != "function":
        path = fields.at("type")
        raise unreadable(f"{path}: {kind!r} cannot be translated; function can", path)
    of = Fields(fields.take("function"), fields.at("function")) if wrapped else fields
    name = of.text("name")
    of.done()
    fields.done()
    return {"type": "function", "function": {"name": name}}


def read_output(fields: Fields) -> Output:
    """An answer in JSON that meets a schema. Raises Declined."""
    schema = schema_of(fields, "schema", applied=True)
    fields.text_or("name", "")  # what the schema is called makes no difference to an answer
    fields.text_or("description", "")
    fields.flag("strict")  # every answer is held to its schema, strict or not
    fields.done()
    return Output(kind="json", schema=schema)
