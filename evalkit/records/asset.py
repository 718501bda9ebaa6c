"""Versioned assets: prompts, tools, golden sets, rubrics, with the digest of their content."""

from typing import Any, Literal

import msgspec

from evalkit.records.cases import Cases

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


class Search(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Retrieval as a tool called `name`, over these indexes."""

    indexes: tuple[str, ...]
    name: str = "search"
    description: str = ""


class AgentStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step of an agent: the tools offered in it (None for all), what the model is told when it
    begins, and the tool whose success ends it."""

    name: str
    tools: tuple[str, ...] | None = None
    says: str | None = None
    until: str | None = None


class Agent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent version: what it is asked (`prompt`, which has the agent's name, version, file and
    digest), and the loop around it.

    `max_steps` caps the questions to the model of one attempt. `on_denied` tells what a denied tool
    call does: the model is told, or the attempt stops.
    """

    prompt: Prompt
    max_steps: int = 10
    on_denied: Literal["tell", "stop"] = "tell"
    search: Search | None = None
    steps: tuple[AgentStep, ...] = ()


class GoldenSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A golden set version; `cases` know their lines in `path`.

    `digest` is the content's; `frozen` tells whether set.yaml pins it. `count` and `groups` (cases
    of one group count once) hold even where the cases themselves were checked and not kept.
    """

    name: str
    version: int
    cases: Cases
    digest: str
    path: str
    frozen: bool = False
    description: str = ""
    owner: str | None = None
    licence: str | None = None
    count: int = 0
    groups: int = 0

    @property
    def reference(self) -> str:
        """`name@vN`."""
        return f"{self.name}@v{self.version}"


class RubricAnchor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An assessed example. `verdict` is pass or fail, `score` one of a graded scale."""

    text: str
    verdict: Literal["pass", "fail"] | None = None
    score: float | None = None
    why: str = ""


class RubricScale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a judge's verdicts mean.

    binary: `passes` and `fails` say when. graded: a score from `lowest` to `highest`, of which
    `levels` describes some; it passes from `pass_from` on unless calibration chose a threshold.
    checklist: yes/no questions in `items`, which pass together by `rule` (all, any, or at least
    `at_least` of them).
    """

    kind: Literal["binary", "graded", "checklist"]
    passes: str = ""
    fails: str = ""
    lowest: float = 0.0
    highest: float = 1.0
    levels: dict[str, str] = {}
    pass_from: float | None = None
    items: dict[str, str] = {}
    rule: Literal["all", "any", "at_least"] = "all"
    at_least: int | None = None


class CalibrationFloor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a judge has to show against labels before it may gate; bounds are lower 95 % ones."""

    min_passes: int = 50
    min_fails: int = 50
    min_tpr: float = 0.8
    min_tnr: float = 0.7
    min_j: float = 0.5
    max_abstained: float = 0.1
    labelled_by: Literal["people", "anyone"] = "people"


class Rubric(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rubric version. `digest` is of all that shapes a judgment: everything but owner,
    description and the calibration floor; `frozen` tells whether the file pins it.

    `compare` output: one output is assessed; pair: two are compared, in both orders. `reference`
    says whether cases have to bring one. Who judges: `routes` (several are a panel, which decides
    by majority), or `recorded`, a file of verdicts of a judge called `recorded_by`.
    """

    name: str
    version: int
    digest: str
    path: str
    scale: RubricScale
    criteria: tuple[str, ...]
    prompt: str = ""
    routes: tuple[str, ...] = ()
    recorded: str | None = None
    recorded_by: str = ""
    params: dict[str, Any] = {}
    anchors: tuple[RubricAnchor, ...] = ()
    compare: Literal["output", "pair"] = "output"
    reference: Literal["none", "optional", "required"] = "optional"
    floor: CalibrationFloor = CalibrationFloor()
    description: str = ""
    owner: str | None = None
    frozen: bool = False

    @property
    def ref(self) -> str:
        """`name@vN`."""
        return f"{self.name}@v{self.version}"
