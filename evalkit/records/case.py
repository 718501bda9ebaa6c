"""A case: one input, what is expected of it, and the world it is played in."""

from typing import Any

import msgspec


class Document(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One text of an index, as retrieval returns it.

    With `scopes` only identities that have one of them may read it.
    """

    id: str
    index: str
    text: str
    scopes: tuple[str, ...] = ()


class Case(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One line of a golden set.

    `input` feeds the prompt. `expected` is read by the suite's scorers: `output` or named fields
    (exact), `contains`, `tool_calls`, `forbidden_tools`, `citations`, `blocked`, `reference`.
    Cases with one `group` are clustered in the statistics. `documents` are what retrieval can find.
    `tools` maps a tool to what it answers: `{"when", "returns" | "returns_each" | "raises",
    "latency_s"}`. `conversation` is what the user goes on to say: `{"says", "when"}`. `approvals`
    maps a tool to the approval that stands for it: `{"granted_by", "team"}`.
    """

    id: str
    input: dict[str, Any]
    expected: dict[str, Any] = {}
    tags: tuple[str, ...] = ()
    group: str | None = None
    documents: tuple[Document, ...] = ()
    tools: dict[str, list[dict[str, Any]]] = {}
    conversation: tuple[dict[str, Any], ...] = ()
    approvals: dict[str, dict[str, str]] = {}
    identity: dict[str, str] = {}
    source: dict[str, Any] | None = None
    added: str | None = None
