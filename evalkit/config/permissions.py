"""What a route permits step by step, who approves, and what may be said: parts of `routes`."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.config.base import Part, ProjectPath
from evalkit.config.patterns import compile_pattern, pattern_error

# warn is a policy's shadow mode: it is evaluated, traced and counted, and stops nothing
Mode = Literal["block", "redact", "warn"]
DEFAULT_TTL_S = 900.0
DEFAULT_EXPIRES_S = 3600.0

Text = Annotated[str, Field(min_length=1, max_length=1_000)]


class Step(Part):
    """What one step of a workflow may use. What it does not name it may not use."""

    tools: Annotated[
        list[Text], Field(description="Tools whose calls may be authorized in the step.")
    ] = []
    data: Annotated[list[Text], Field(description="Indexes that may be read in the step.")] = []
    ttl_s: Annotated[
        float,
        Field(
            gt=0,
            le=604_800,
            description="How long the step's token holds, in seconds. After that the step has to "
            "be entered again.",
        ),
    ] = DEFAULT_TTL_S


class ExecuteApproval(Part):
    """Who approves the execution of a tool, and how long that holds."""

    team: Annotated[Text, Field(description="The team that has to approve.")]
    expires_s: Annotated[
        float,
        Field(
            gt=0,
            le=31_622_400,
            description="The longest that an approval may stand before it is used, in seconds.",
        ),
    ] = DEFAULT_EXPIRES_S


class AllowActions(Part):
    """An allow list with a mode of its own."""

    actions: Annotated[list[Text], Field(description="Tools that may be called, and no other.")]
    mode: Annotated[
        Literal["block", "warn"], Field(description="warn: traced and counted, not denied.")
    ] = "block"


class ToolArguments(Part):
    """How calls are held to the JSON Schema of their tool."""

    mode: Annotated[
        Literal["block", "warn"],
        Field(description="warn: arguments that do not meet it are traced and counted."),
    ] = "block"


class BlockedPhrase(Part):
    """A phrase that may not be said."""

    text: Annotated[
        Text | None,
        Field(
            description="A literal text: whatever its case, and however its words are spaced. As "
            "part of a longer word it does not count."
        ),
    ] = None
    pattern: Annotated[
        Text | None, Field(description="A pattern in RE2 syntax instead, as it stands.")
    ] = None
    where: Annotated[
        Literal["request", "reply", "both"],
        Field(description="Where it is looked for; request: in what the model is sent."),
    ] = "reply"
    mode: Annotated[
        Mode,
        Field(
            description="block: the act is denied. redact: `[BLOCKED]` stands in its place. warn: "
            "traced and counted."
        ),
    ] = "block"

    @model_validator(mode="after")
    def _one_kind(self) -> "BlockedPhrase":
        if (self.text is None) == (self.pattern is None):
            raise ValueError("a blocked phrase has either `text` or `pattern`")
        if self.text is not None and not self.text.strip():
            raise ValueError("the text is white space only, which every reply holds")
        if self.pattern is not None:
            if why := pattern_error(self.pattern):
                raise ValueError(why)
            if compile_pattern(self.pattern).search("") is not None:
                raise ValueError("the pattern matches the empty text, so it would match every one")
        return self


def _spelled_phrase(phrase: object) -> object:
    """`- a text` is short for `- {text: a text}`."""
    return {"text": phrase} if isinstance(phrase, str) else phrase


Phrase = Annotated[
    BlockedPhrase, BeforeValidator(_spelled_phrase, json_schema_input_type=Text | BlockedPhrase)
]


class OutputSchema(Part):
    """A JSON Schema that every answer on the route has to meet."""

    json_schema: Annotated[
        ProjectPath, Field(alias="schema", description="The file of the schema.")
    ]
    mode: Annotated[
        Literal["block", "warn"], Field(description="warn: traced and counted, not denied.")
    ] = "block"


class Citations(Part):
    """Citations that are required, with a mode."""

    mode: Annotated[
        Literal["block", "warn"],
        Field(description="warn: a reply without them is traced and counted."),
    ] = "block"
