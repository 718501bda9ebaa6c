"""Functions and schemas, which chat completions and Responses write alike."""

from evalkit.gateway.doors.reading import Fields
from evalkit.gateway.refusals import unreadable
from evalkit.records.asset import Output, Tool


def read_function(fields: Fields) -> tuple[Tool, bool]:
    """A function that a model may call, and whether its calls have to meet the schema."""
    parameters = fields.take("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        path = fields.at("parameters")
        raise unreadable(f"{path} has to be a JSON Schema", path)
    tool = Tool(
        name=fields.text("name"),
        description=fields.text_or("description", ""),
        parameters=parameters or {},
    )
    strict = fields.flag("strict")
    fields.done()
    return tool, strict


def schema_of(fields: Fields) -> Output:
    """An answer in JSON that meets a schema. Raises Declined."""
    schema = fields.take("schema")
    if not isinstance(schema, dict):
        path = fields.at("schema")
        raise unreadable(f"{path} has to be a JSON Schema", path)
    fields.text_or("name", "")  # what the schema is called makes no difference to an answer
    fields.text_or("description", "")
    fields.flag("strict")  # every answer is held to its schema, strict or not
    fields.done()
    return Output(kind="json", schema=schema)
