"""`suites.X.scorers`: one key names the scorer; `gate` and `name` may stand beside it."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from evalkit.config.base import Money, Name, Part, ProjectPath

Normalisation = Literal["strip", "casefold", "collapse_spaces", "nfc"]


class ExactScorer(Part):
    """Equality with `expected`: of the whole output, or of named fields of a JSON reply."""

    fields: Annotated[
        list[str] | None,
        Field(
            min_length=1,
            description="Keys of the JSON reply and of `expected` that have to be equal. Without "
            "it the text is compared with `expected.output`.",
        ),
    ] = None
    normalise: Annotated[
        list[Normalisation],
        Field(description="Applied to texts on both sides before they are compared. Default none."),
    ] = []


class ContainsScorer(Part):
    """Texts that have to be in the output; without lists, those of `expected.contains`."""

    all: Annotated[list[str], Field(description="Every one of them.")] = []
    any: Annotated[list[str], Field(description="At least one of them.")] = []
    none: Annotated[list[str], Field(description="None of them.")] = []
    normalise: list[Normalisation] = []


class RegexScorer(Part):
    """A pattern in RE2 syntax, which cannot run away; without one, `expected.regex`."""

    pattern: str | None = None
    full: Annotated[bool, Field(description="Match the whole output, not a part of it.")] = False


class NumericScorer(Part):
    """A number within a tolerance of `expected`."""

    field: Annotated[
        str | None,
        Field(description="Key of the JSON reply and of `expected`; default: the whole output."),
    ] = None
    absolute: Money = 0.0
    relative: Money = 0.0


class ToolCallsScorer(Part):
    """The tool calls that came back against `expected.tool_calls`, names and arguments."""

    order: Literal["any", "exact"] = "exact"


class CitationsScorer(Part):
    """The documents a reply cites: retrieved ones only, and all of `expected.citations`."""


class PolicyScorer(Part):
    """What must be blocked was (`expected.blocked`), what must not be was not."""


class ScorerEntry(Part):
    """One scorer of a suite."""

    exact: ExactScorer | None = None
    contains: ContainsScorer | None = None
    regex: RegexScorer | None = None
    numeric: NumericScorer | None = None
    json_schema: Annotated[
        ProjectPath | None, Field(description="A JSON Schema 2020-12 that the reply has to meet.")
    ] = None
    tool_calls: ToolCallsScorer | None = None
    citations: CitationsScorer | None = None
    policy: PolicyScorer | None = None
    judge: Annotated[Any, Field(description="Not yet: refused, see the changelog.")] = None
    gate: Annotated[bool, Field(description="Whether a case needs it to pass.")] = True
    name: Annotated[Name | None, Field(description="Default: the scorer's key.")] = None

    @model_validator(mode="after")
    def _one_scorer(self) -> "ScorerEntry":
        if self.judge is not None:
            raise ValueError(
                "the judge scorer is not part of this version: remove it, an uncalibrated judge "
                "must not gate"
            )
        given = [key for key in SCORER_KEYS if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"a scorer names exactly one of {', '.join(SCORER_KEYS)}")
        return self

    @property
    def kind(self) -> str:
        """The scorer's key."""
        return next(key for key in SCORER_KEYS if getattr(self, key) is not None)

    @property
    def label(self) -> str:
        """The name it is reported under."""
        return self.name or self.kind


SCORER_KEYS = (
    "exact",
    "contains",
    "regex",
    "numeric",
    "json_schema",
    "tool_calls",
    "citations",
    "policy",
)
