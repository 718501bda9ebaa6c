"""The arguments of a tool call: held to the tool's JSON Schema, and known again by their digest."""

from collections.abc import Mapping
from typing import Any

import msgspec

from evalkit.control.ruling import POLICY_ERROR, Ruling
from evalkit.control.schema_rules import CannotCheck, schema_fault
from evalkit.records.asset import Tool
from evalkit.records.digest import digest_of

RULE = "tools.arguments"


def rule_arguments(
    tool: Tool, arguments: Mapping[str, Any], placeholders: Mapping[str, str], *, shadow: bool
) -> Ruling:
    """Whether the arguments of a call meet `tool.parameters`.

    The message names the place and what was expected there, never the value. `placeholders` are
    those that stand for personal data in this session: a text that holds one is excused from what
    only the data itself could meet.
    """
    if not tool.parameters:
        return Ruling(True, RULE, f"{tool.name} says nothing of its arguments")
    try:
        fault = schema_fault(tool.parameters, dict(arguments), placeholders)
    except CannotCheck as error:
        # of a tool that a program declares; those of a project are checked where they are loaded
        message = f"{tool.name}: the schema of its arguments cannot be applied: {error}"
        return Ruling(False, POLICY_ERROR, message)
    if fault is None:
        return Ruling(True, RULE, f"{tool.name}: the arguments meet its schema")
    return Ruling(False, RULE, f"{tool.name}: {fault}", shadow=shadow)


def digest_arguments(arguments: Mapping[str, Any], placeholders: Mapping[str, str]) -> str:
    """What tells one call's arguments from another's: `sha256:…`, whatever the order of their keys.

    Placeholders count as the values that they stand for. Two sessions number their data each for
    itself, so that `[EMAIL_1]` of one is somebody else than `[EMAIL_1]` of the other.
    """
    plain = _restored(dict(arguments), placeholders) if placeholders else dict(arguments)
    try:
        return digest_of(plain)
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):
        # what no digest can be taken of equals nothing but itself
        return digest_of(repr(plain))


def _restored(value: Any, placeholders: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for name, meant in placeholders.items():
            if name in value:
                value = value.replace(name, f"\0{meant}\0")
        return value
    if isinstance(value, dict):
        return {
            str(_restored(key, placeholders)): _restored(each, placeholders)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_restored(each, placeholders) for each in value]
    return value
