"""The JSON Schema that every answer on a route has to meet, whatever the prompt asks for."""

from collections.abc import Mapping
from typing import Any

import msgspec

from evalkit.config.permissions import OutputSchema
from evalkit.control.ruling import POLICY_ERROR, Ruling
from evalkit.control.schema_rules import CannotCheck, schema_fault
from evalkit.records.json_text import decode_json

RULE = "policies.output_schema"


def rule_output(
    policy: OutputSchema, schema: Any, content: str, placeholders: Mapping[str, str]
) -> Ruling:
    """Whether an answer meets the schema in `policy.json_schema`, whose content is `schema`.

    None for the content, or a schema that cannot be applied, denies: nobody could look.
    """
    path, shadow = policy.json_schema, policy.mode == "warn"
    if schema is None:
        return Ruling(False, POLICY_ERROR, f"{path} was not loaded, so no answer can be held to it")
    try:
        parsed = decode_json(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Ruling(False, RULE, f"the answer is not JSON, which {path} asks for", shadow)
    try:
        fault = schema_fault(schema, parsed, placeholders)
    except CannotCheck as error:
        return Ruling(False, POLICY_ERROR, f"{path} cannot be applied: {error}")
    if fault is None:
        return Ruling(True, RULE, f"the answer meets {path}")
    return Ruling(False, RULE, f"{fault}, as {path} asks for", shadow)
