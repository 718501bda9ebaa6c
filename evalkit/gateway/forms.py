"""The form that a client asked an answer to have. The core holds answers to what routes ask for."""

from evalkit.control.schema_rules import CannotCheck, schema_fault
from evalkit.errors import InvalidReply
from evalkit.gateway.asked import Asked
from evalkit.gateway.doors.reading import parsed_or_none
from evalkit.records.call import Completion


def check_form(asked: Asked, completion: Completion) -> None:
    """Raise InvalidReply for an answer that does not meet the schema that came with the request,
    and for a call of a strict tool that does not meet the tool's."""
    reply = completion.reply
    parameters = {tool.name: tool.parameters for tool in asked.tools if tool.name in asked.strict}
    for call in reply.tool_calls:
        if call.name in parameters:
            where = f"the arguments of {call.name}"
            _hold(parameters[call.name], call.arguments, where, completion)
    if asked.output.schema is None or reply.refusal is not None or reply.tool_calls:
        return
    _hold(asked.output.schema, parsed_or_none(reply.content), "the answer", completion)


def _hold(schema: object, value: object, where: str, completion: Completion) -> None:
    try:
        fault = schema_fault(schema, value, {})
    except CannotCheck as error:
        fault = f"its schema cannot be applied: {error}"
    if fault is not None:
        message = f"{where} does not meet the schema that was asked for: {fault}"
        raise InvalidReply(message, completion=completion)
