"""Versioned assets: prompts, tools, golden sets, rubrics, with the digest of their content."""

from typing import Any, Literal

import msgspec

from evalkit.records.case import Case

Role = Literal["system", "user", "assistant", "tool"]
PromptPart = Literal["system", "examples", "documents", "input"]
Effect = Literal["read", "draft", "execute"]
# Of every JSON Schema that evalkit reads or writes.
JSON_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class PromptMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One message template. `part` says what its tokens are counted as in a plan."""

    role: Role
    content: str
    part: PromptPart


class Tool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool the model may call. `effect` execute is what `approvals.on_execute` guards."""

    name: str
    description: str = ""
    effect: Effect = "execute"
    parameters: dict[str, Any] = {}


class Retrieve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The one retrieval of a prompt: an index and a query template."""

    index: str
    query: str


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the reply has to be. `schema` is a JSON Schema, loaded from the file it names."""

    kind: Literal["text", "json"] = "text"
    schema: dict[str, Any] | None = None


class Prompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A prompt version. `digest` covers its file, its tools and its schema."""

    name: str
    version: int
    messages: tuple[PromptMessage, ...]
    digest: str
    path: str
    description: str = ""
    params: dict[str, Any] = {}
    tools: tuple[Tool, ...] = ()
    retrieve: Retrieve | None = None
    output: Output = Output()

    @property
    def reference(self) -> str:
        """`name@vN`."""
        return f"{self.name}@v{self.version}"


class GoldenSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A golden set version. `lines` maps a case id to its line in `path`.

    `digest` is the content's; `frozen` tells whether set.yaml pins it. `count` and `groups` (cases
    of one group count once) hold even where the cases themselves were checked and not kept.
    """

    name: str
    version: int
    cases: tuple[Case, ...]
    digest: str
    path: str
    frozen: bool = False
    description: str = ""
    owner: str | None = None
    licence: str | None = None
    lines: dict[str, int] = {}
    count: int = 0
    groups: int = 0

    @property
    def reference(self) -> str:
        """`name@vN`."""
        return f"{self.name}@v{self.version}"


class Rubric(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rubric version; only `check` reads rubrics until a judge does."""

    name: str
    version: int
    digest: str
    path: str
    owner: str | None = None
