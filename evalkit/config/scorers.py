"""`suites.X.scorers`: one key names the scorer; `gate` and `name` may stand beside it."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from evalkit.config.base import Money, Name, Part, ProjectPath, Reference

SCORER_KEYS = (
    "exact",
    "contains",
    "regex",
    "numeric",
    "json_schema",
    "tool_calls",
    "trajectory",
    "retrieval",
    "citations",
    "approvals",
    "policy",
    "caps",
    "similarity",
    "token_f1",
    "embedding",
    "judge",
)

# Scorers that read the key of `expected` that is called like them.
_OF_THEIR_OWN_KEY = ("tool_calls", "trajectory", "citations", "approvals")

# How a text writes a number: what "1,200", "1.200" or "1e3" means depends on who wrote it.
PLAIN_DECIMAL = re.compile(r"[+-]?[0-9]{1,100}(\.[0-9]{1,100})?")

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
    normalise: Annotated[
        list[Normalisation],
        Field(description="Applied to both sides before they are compared. Default none."),
    ] = []


class RegexScorer(Part):
    """A pattern in RE2 syntax, which cannot run away; without one, `expected.regex`."""

    pattern: Annotated[
        str | None, Field(description="In RE2 syntax; default: the case's `expected.regex`.")
    ] = None
    full: Annotated[bool, Field(description="Match the whole output, not a part of it.")] = False


class NumericScorer(Part):
    """A number within a tolerance of `expected`."""

    field: Annotated[
        str | None,
        Field(description="Key of the JSON reply and of `expected`; default: the whole output."),
    ] = None
    absolute: Annotated[
        Money, Field(description="How far off it may be; the larger tolerance counts.")
    ] = 0.0
    relative: Annotated[
        Money, Field(description="The same as a share of the expected number: 0.01 is 1 %.")
    ] = 0.0


Share = Annotated[float, Field(ge=0, le=1)]


class ToolCallsScorer(Part):
    """The tool calls that came back against `expected.tool_calls`, names and arguments."""

    order: Annotated[
        Literal["any", "exact"], Field(description="Whether the order of the calls counts.")
    ] = "exact"
    match: Annotated[
        Literal["exact", "superset", "subset"],
        Field(
            description="exact: the expected calls and no other. superset: others may come beside "
            "them. subset: none but expected ones, and not all of them have to come."
        ),
    ] = "exact"
    arguments: Annotated[
        Literal["match", "ignore"], Field(description="ignore: the names alone are compared.")
    ] = "match"
    calls: Annotated[
        Literal["asked", "executed"],
        Field(description="asked: denied calls count as well. executed: those that were made."),
    ] = "asked"
    min_precision: Annotated[
        Share | None,
        Field(description="Pass from this share of the calls being expected ones on."),
    ] = None
    min_recall: Annotated[
        Share | None, Field(description="Pass from this share of the expected calls being made on.")
    ] = None
    min_f1: Annotated[
        Share | None, Field(description="Pass from this harmonic mean of both on.")
    ] = None

    @model_validator(mode="after")
    def _one_measure(self) -> "ToolCallsScorer":
        floors = (self.min_precision, self.min_recall, self.min_f1)
        if self.match != "exact" and any(floor is not None for floor in floors):
            raise ValueError("a floor (min_precision, min_recall, min_f1) takes the place of match")
        return self


class TrajectoryScorer(Part):
    """The way a workflow took, calls and retrievals, against `expected.trajectory`."""

    match: Annotated[
        Literal["ordered", "any", "exact"],
        Field(
            description="ordered: the expected acts come in this order, others may stand between. "
            "any: in whatever order. exact: they and no others, in this order."
        ),
    ] = "ordered"


class RetrievalScorer(Part):
    """The documents retrieved against `expected.documents` and `expected.forbidden_documents`."""

    min_recall: Annotated[
        Share, Field(description="The least share of the expected documents that are found.")
    ] = 1.0
    min_precision: Annotated[
        Share | None,
        Field(description="The least share of the retrieved documents that are expected."),
    ] = None


class ApprovalsScorer(Part):
    """Approval was asked for every tool of `expected.approvals`, and for no other."""


class CapsScorer(Part):
    """What one attempt may take. At least one cap."""

    max_steps: Annotated[int | None, Field(ge=1, description="Turns of a model.")] = None
    max_tool_calls: Annotated[
        int | None, Field(ge=0, description="Calls of tools, denied ones included.")
    ] = None
    max_retries: Annotated[
        int | None, Field(ge=0, description="Calls that repeat one which failed.")
    ] = None
    max_tokens: Annotated[
        int | None, Field(ge=1, description="Tokens of all its calls, in and out.")
    ] = None
    max_cost_usd: Annotated[
        float | None, Field(gt=0, description="At list prices; every model needs one.")
    ] = None
    max_latency_s: Annotated[
        float | None,
        Field(gt=0, description="Seconds of all its calls; replays have none, so live ones alone."),
    ] = None

    @property
    def caps(self) -> dict[str, float]:
        """The caps that are set, by what they are of."""
        values = {
            name.removeprefix("max_"): getattr(self, name) for name in type(self).model_fields
        }
        return {name: value for name, value in values.items() if value is not None}

    @model_validator(mode="after")
    def _caps_something(self) -> "CapsScorer":
        if not self.caps:
            raise ValueError(f"a cap is missing: one of {', '.join(type(self).model_fields)}")
        return self


class CitationsScorer(Part):
    """The documents a reply cites: retrieved ones only, and all of `expected.citations`."""


class PolicyScorer(Part):
    """What must be blocked was (`expected.blocked`), what must not be was not, and no tool of
    `expected.forbidden_tools` was allowed."""


class SimilarityScorer(Part):
    """How alike two texts are, letter by letter: 1 for equal texts, 0 for nothing in common."""

    min: Annotated[float, Field(gt=0, le=1, description="The least similarity that passes.")]
    to: Annotated[
        Literal["reference", "output"],
        Field(description="Which key of `expected` holds the text to compare with."),
    ] = "reference"
    field: Annotated[
        str | None, Field(description="Key of the JSON reply; default: the whole output.")
    ] = None
    normalise: Annotated[
        list[Normalisation], Field(description="Applied to both texts before they are compared.")
    ] = ["nfc", "casefold", "collapse_spaces", "strip"]


class TokenF1Scorer(SimilarityScorer):
    """The words two texts share: the harmonic mean of precision and recall over word counts."""


class EmbeddingScorer(SimilarityScorer):
    """How near two texts are in meaning, as the cosine of their embeddings (extra `embeddings`).

    Contradictions are near as well: it tells the subject of a text, not whether it is right.
    """


class JudgeScorer(Part):
    """A judge with a rubric. Its verdict is a part of its own and never decides a case."""

    rubric: Annotated[Reference, Field(description="The rubric: `name@vN`, or `name@latest`.")]
    max_drop_pp: Annotated[
        float | None,
        Field(
            gt=0,
            lt=100,
            description="How far the corrected pass rate may drop. Default: the suite's margin.",
        ),
    ] = None
    min_pass_rate: Annotated[
        float | None, Field(gt=0, le=1, description="A floor for the corrected pass rate.")
    ] = None
    spot_checks: Annotated[
        int,
        Field(ge=0, le=1000, description="Judged outputs of every run to queue for labelling."),
    ] = 5


def _judge_spelled_out(judge: object) -> object:
    """`judge: reply_tone@v1` is short for `judge: {rubric: reply_tone@v1}`."""
    return {"rubric": judge} if isinstance(judge, str) else judge


class ScorerEntry(Part):
    """One scorer of a suite."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [key]} for key in SCORER_KEYS]}
    )

    exact: Annotated[
        ExactScorer | None, Field(description="Equal to `expected`, whole or field by field.")
    ] = None
    contains: Annotated[
        ContainsScorer | None, Field(description="Texts that are, or are not, in the output.")
    ] = None
    regex: Annotated[
        RegexScorer | None, Field(description="A pattern that the output matches.")
    ] = None
    numeric: Annotated[NumericScorer | None, Field(description="A number within a tolerance.")] = (
        None
    )
    json_schema: Annotated[
        ProjectPath | None, Field(description="A JSON Schema 2020-12 that the reply has to meet.")
    ] = None
    tool_calls: Annotated[
        ToolCallsScorer | None,
        Field(description="The calls of `expected.tool_calls`: exactly, or as much as is asked."),
    ] = None
    trajectory: Annotated[
        TrajectoryScorer | None,
        Field(description="The acts of `expected.trajectory`, in order."),
    ] = None
    retrieval: Annotated[
        RetrievalScorer | None,
        Field(description="Finds `expected.documents`, none of `expected.forbidden_documents`."),
    ] = None
    citations: Annotated[
        CitationsScorer | None,
        Field(description="Cites retrieved documents only, and all of `expected.citations`."),
    ] = None
    approvals: Annotated[
        ApprovalsScorer | None,
        Field(description="Approval was asked for the tools of `expected.approvals`."),
    ] = None
    caps: Annotated[
        CapsScorer | None, Field(description="Steps, calls, tokens, cost and time of an attempt.")
    ] = None
    policy: Annotated[
        PolicyScorer | None,
        Field(description="Blocked where `expected.blocked` says so, and nowhere else."),
    ] = None
    similarity: Annotated[
        SimilarityScorer | None, Field(description="Letters shared with a reference text.")
    ] = None
    token_f1: Annotated[
        TokenF1Scorer | None, Field(description="Words shared with a reference text.")
    ] = None
    embedding: Annotated[
        EmbeddingScorer | None, Field(description="Nearness in meaning to a reference text.")
    ] = None
    judge: Annotated[
        JudgeScorer | None,
        BeforeValidator(_judge_spelled_out, json_schema_input_type=JudgeScorer | Reference | None),
        Field(description="A judge with a rubric: `name@vN`, or a mapping with `rubric`."),
    ] = None
    gate: Annotated[
        bool,
        Field(
            description="Whether a case has to pass it; false: reported only. For a judge: whether "
            "its corrected verdict is required of the suite."
        ),
    ] = True
    name: Annotated[Name | None, Field(description="What reports call it; default: its key.")] = (
        None
    )

    @model_validator(mode="after")
    def _one_scorer(self) -> "ScorerEntry":
        for key in SCORER_KEYS:
            if key in self.model_fields_set and getattr(self, key) is None:
                if key == "judge":
                    raise ValueError("judge is empty; name its rubric: judge: NAME@vN")
                raise ValueError(f"{key} is empty; without settings of its own write {key}: {{}}")
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
        """The name it is reported under; a judge's default is its rubric's."""
        if self.name is None and self.judge is not None:
            return self.judge.rubric.partition("@")[0]
        return self.name or self.kind

    @property
    def reads(self) -> tuple[str, ...]:
        """The keys of `expected` that the scorer looks at; empty where the suite says it all."""
        if self.exact is not None:
            return tuple(self.exact.fields or ("output",))
        if self.numeric is not None:
            return (self.numeric.field or "output",)
        if self.contains is not None:
            texts = self.contains.all or self.contains.any or self.contains.none
            return () if texts else ("contains",)
        if self.regex is not None:
            return () if self.regex.pattern is not None else ("regex",)
        if self.policy is not None:
            return ("blocked", "forbidden_tools")
        if self.retrieval is not None:
            return ("documents", "forbidden_documents")
        for compared in (self.similarity, self.token_f1, self.embedding):
            if compared is not None:
                return (compared.to,)
        return (self.kind,) if self.kind in _OF_THEIR_OWN_KEY else ()

    def decides(self, expected: Mapping[str, Any]) -> bool:
        """Whether a case that expects this may pass by this scorer alone.

        A reply that cites nothing and asks for nothing passes citations, policy and caps: the first
        two decide only a case that asks for a citation, or says what policies have to do, and caps
        none. A judge decides the suite, by a part of its own that looks at every case.
        """
        if self.judge is not None:
            return True
        reads = self.reads
        if self.exact is not None or self.numeric is not None:
            return not expected.keys().isdisjoint(reads)
        found = {key: expected[key] for key in reads if key in expected}
        if self.citations is not None:
            return bool(found.get("citations"))
        if self.policy is not None:
            return found.get("blocked") is not None or bool(found.get("forbidden_tools"))
        if self.caps is not None:
            return False
        return not reads or any(value is not None for value in found.values())
