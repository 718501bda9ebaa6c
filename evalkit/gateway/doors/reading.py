"""Reading JSON bodies field by field, so that what nobody understood is refused by its name."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from evalkit.control.schema_rules import CannotCheck, check_schema
from evalkit.gateway.doors.params import check_param
from evalkit.gateway.refusals import unreadable
from evalkit.records.call import ToolCall
from evalkit.records.json_text import decode_json


class Fields:
    """The fields of one object of a body. Each is taken once; `done` refuses what is left."""

    def __init__(self, value: Any, path: str = "") -> None:
        """`path` is where the object stands in the body. Raises Declined for what is no object."""
        if not isinstance(value, dict):
            raise unreadable(f"{path or 'the body'} has to be a JSON object", path or None)
        self._left: dict[str, Any] = dict(value)
        self.path = path

    def at(self, name: str) -> str:
        """The path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str) -> Any:
        """A field's value; None where it is absent or null."""
        return self._left.pop(name, None)

    def lacks(self, name: str) -> bool:
        """Whether a field is absent or null."""
        return self._left.get(name) is None

    def text(self, name: str) -> str:
        """A text that has to be there. Raises Declined."""
        value = self.take(name)
        if not isinstance(value, str):
            raise unreadable(f"{self.at(name)} has to be a text", self.at(name))
        return value

    def text_or(self, name: str, default: str) -> str:
        """A text, or the default where it is absent. Raises Declined for anything else."""
        return default if self.lacks(name) else self.text(name)

    def flag(self, name: str) -> bool:
        """A boolean, False where it is absent. Raises Declined for anything else."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise unreadable(f"{self.at(name)} has to be true or false", self.at(name))
        return bool(value)

    def items(self, name: str) -> Iterator[tuple[str, Any]]:
        """The items of a list with their paths; none where it is absent. Raises Declined."""
        value = self.take(name)
        if value is None:
            return
        if not isinstance(value, list):
            raise unreadable(f"{self.at(name)} has to be a list", self.at(name))
        for number, item in enumerate(value):
            yield f"{self.at(name)}[{number}]", item

    def move(self, names: Mapping[str, str], into: dict[str, Any]) -> None:
        """Hand parameters on to the model under the core's names. Raises Declined for a value of
        another kind."""
        for name, there in names.items():
            if (value := self.take(name)) is not None:
                check_param(there, value, self.at(name))
                into[there] = value

    def only(self, name: str, *allowed: Any) -> None:
        """A field that means something only where it has another value. Raises Declined."""
        value = self.take(name)
        if value is None or any(type(value) is type(each) and value == each for each in allowed):
            return
        raise unreadable(f"{self.at(name)}: {value!r} cannot be translated", self.at(name))

    def done(self) -> None:
        """Raise Declined for the first field that nobody took."""
        for name, value in self._left.items():
            if value is not None:
                raise unreadable(
                    f"{self.at(name)} cannot be translated: the gateway has no place for it",
                    self.at(name),
                )


def schema_of(fields: Fields, name: str, *, applied: bool) -> dict[str, Any]:
    """A JSON Schema that has to be there. Raises Declined.

    One that is `applied` to the answer has to be sound: else every answer, paid for, would fail.
    """
    schema, path = fields.take(name), fields.at(name)
    if not isinstance(schema, dict):
        raise unreadable(f"{path} has to be a JSON Schema", path)
    if applied:
        try:
            check_schema(schema)
        except CannotCheck as error:
            raise unreadable(f"{path} cannot be applied: {error}", path) from None
    return schema


def read_body(body: bytes) -> Fields:
    """The fields of a body. Raises Declined for what is no JSON object."""
    try:
        return Fields(decode_json(body.decode()))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise unreadable(f"the body is no JSON: {error}") from None


def text_of_parts(value: Any, path: str, kinds: tuple[str, ...] = ("text",)) -> str:
    """A content that is a text, or a list of text parts. Raises Declined for other parts."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise unreadable(f"{path} has to be a text or a list of parts", path)
    texts = []
    for number, item in enumerate(value):
        part = Fields(item, f"{path}[{number}]")
        kind = part.text("type")
        if kind not in kinds:
            raise unreadable(
                f"{part.path}: a part of type {kind!r} cannot be translated; texts can", part.path
            )
        texts.append(part.text("text"))
        part.done()
    return "".join(texts)


def call_of(call_id: str, name: str, arguments: str) -> ToolCall:
    """A call that a conversation tells of, with its arguments as JSON text."""
    parsed = parsed_or_none(arguments)
    if not isinstance(parsed, dict):
        return ToolCall(id=call_id, name=name, arguments=None, raw=arguments)
    return ToolCall(id=call_id, name=name, arguments=parsed)


def parsed_or_none(text: str) -> Any:
    """The value of a JSON text; None for another."""
    try:
        return decode_json(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
