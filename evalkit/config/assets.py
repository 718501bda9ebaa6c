"""The files beside evalkit.yaml: prompts, tools, golden sets and cases."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from evalkit.config.base import DATE, DIGEST, MOMENT, TOOL_NAME, Name, Part, ProjectPath
from evalkit.config.patterns import pattern_error

Version = Annotated[int, Field(ge=1)]
Words = Annotated[str, Field(min_length=1)]
# characters of a case's id
LONGEST_ID = 200


class PromptMessageFile(Part):
    """One message of a prompt, as a Jinja template."""

    role: Annotated[
        Literal["system", "user", "assistant"], Field(description="Who speaks in the message.")
    ]
    content: Annotated[
        str, Field(description="The template. It sees `input` and `documents`, nothing else.")
    ]
    part: Annotated[
        Literal["system", "examples", "documents", "input"] | None,
        Field(
            description="What a plan counts its tokens as. Default: system for a system message, "
            "examples for an assistant message, input for a user message."
        ),
    ] = None


class PromptParams(Part):
    """How the model answers; what is not given is the provider's default."""

    temperature: Annotated[
        float | None, Field(ge=0, le=2, description="0 asks for the most likely answer.")
    ] = None
    top_p: Annotated[float | None, Field(gt=0, le=1, description="Nucleus sampling.")] = None
    top_k: Annotated[int | None, Field(ge=1, description="Sample from this many tokens.")] = None
    min_p: Annotated[
        float | None, Field(ge=0, le=1, description="Drop tokens less likely than this share.")
    ] = None
    max_tokens: Annotated[
        int | None, Field(ge=1, description="Caps the output; the route's cap holds as well.")
    ] = None
    seed: Annotated[int | None, Field(description="Asks for repeatable sampling.")] = None
    stop: Annotated[
        Words | list[Words] | None, Field(description="Texts at which the answer ends.")
    ] = None
    logit_bias: Annotated[
        dict[str, float] | None,
        Field(
            description="Added to the logits of these tokens: texts for llama.cpp, token ids for "
            "OpenAI."
        ),
    ] = None
    frequency_penalty: Annotated[
        float | None, Field(ge=-2, le=2, description="Makes frequent tokens less likely.")
    ] = None
    presence_penalty: Annotated[
        float | None, Field(ge=-2, le=2, description="Makes tokens that occurred less likely.")
    ] = None
    repeat_penalty: Annotated[
        float | None, Field(gt=0, description="Of local models: above 1 discourages repeats.")
    ] = None
    reasoning_effort: Annotated[
        Literal["none", "minimal", "low", "medium", "high"] | None,
        Field(description="Of reasoning models: how long they think."),
    ] = None


class RetrieveFile(Part):
    """The one retrieval that a prompt makes before it asks."""

    index: Annotated[Words, Field(description="The index to read; the route has to allow it.")]
    query: Annotated[Words, Field(description="A Jinja template; it sees `input`.")]


class OutputFile(Part):
    """What the reply has to be."""

    kind: Annotated[
        Literal["text", "json"], Field(description="json: the reply is parsed as JSON.")
    ] = "text"
    json_schema: Annotated[
        ProjectPath | None,
        Field(
            alias="schema",
            description="A JSON Schema that is sent to providers which can enforce one.",
        ),
    ] = None

    @model_validator(mode="after")
    def _schema_of_json(self) -> "OutputFile":
        if self.json_schema is not None and self.kind != "json":
            raise ValueError("a schema needs `kind: json`")
        return self


class PromptFile(Part):
    """prompts/<name>/v<N>.yaml: a version of a prompt."""

    name: Annotated[Name, Field(description="The name of its folder.")]
    version: Annotated[Version, Field(description="The number in its file name.")]
    description: Annotated[str, Field(description="What this version does differently.")] = ""
    messages: Annotated[
        list[PromptMessageFile], Field(min_length=1, description="The conversation to send.")
    ]
    params: Annotated[PromptParams, Field(description="Sampling and length.")] = (
        PromptParams.model_construct()
    )
    tools: Annotated[
        list[ProjectPath], Field(description="Files of the tools the model may ask for.")
    ] = []
    retrieve: Annotated[
        RetrieveFile | None, Field(description="What to look up for `documents`.")
    ] = None
    output: Annotated[OutputFile, Field(description="The form of the reply.")] = (
        OutputFile.model_construct()
    )


class ToolFile(Part):
    """tools/<name>.json: a tool that a model may ask for."""

    name: Annotated[
        str, Field(pattern=TOOL_NAME, description="What the model and the policies call it.")
    ]
    description: Annotated[str, Field(description="Tells the model what the tool does.")] = ""
    effect: Annotated[
        Literal["read", "draft", "execute"],
        Field(description="execute is what `approvals.on_execute` guards."),
    ] = "execute"
    parameters: Annotated[
        dict[str, Any], Field(description="A JSON Schema of the arguments object.")
    ] = {}
    editor_schema: Annotated[
        str | None, Field(alias="$schema", description="For editors: the schema of this file.")
    ] = None


class Quota(Part):
    """How fast a golden set is to grow."""

    start: Annotated[int, Field(ge=0, description="Cases to begin with.")] = 200
    per_week: Annotated[int, Field(ge=0, description="Further cases in every week after that.")] = (
        20
    )


class SetFile(Part):
    """goldensets/<name>/v<N>/set.yaml: what a golden set is, and whose."""

    name: Annotated[Name, Field(description="The name of its folder.")]
    version: Annotated[Version, Field(description="The number of its folder.")]
    description: Annotated[str, Field(description="What the cases are, and their origin.")] = ""
    owner: Annotated[str | None, Field(description="Who answers for the set.")] = None
    licence: Annotated[str | None, Field(description="Under which the cases may be used.")] = None
    language: Annotated[
        str | None, Field(description="Of the cases, as a BCP 47 tag; mul for several.")
    ] = None
    digest: Annotated[
        str | None,
        Field(
            pattern=DIGEST,
            description="Of the cases, written by `evalkit golden freeze`. From then on a change "
            "of a case needs a new version.",
        ),
    ] = None
    quota: Annotated[
        Quota, Field(description="What `evalkit golden stats` holds its growth against.")
    ] = Quota.model_construct()


class DocumentFile(Part):
    """A text that retrieval can find for a case."""

    id: Annotated[Words, Field(description="What citations name.")]
    index: Annotated[Words, Field(description="The index it stands in.")]
    text: Annotated[str, Field(description="What the prompt gets to see.")]
    scopes: Annotated[
        list[Words] | None,
        Field(min_length=1, description="Only identities with one of these scopes may read it."),
    ] = None


class ExpectedCall(Part):
    """A tool call that has to come back."""

    name: Annotated[Words, Field(description="The tool.")]
    arguments: Annotated[
        dict[str, Any],
        Field(
            description="Equal to the call's arguments. A mapping such as {$approx: 12.5, "
            "$abs: 0.01}, {$regex: …}, {$schema: …}, {$one_of: […]}, {$subset: {…}} or "
            "{$any: true} stands for what fits it."
        ),
    ] = {}


class ExpectedAct(Part):
    """An act of a workflow: a tool that is called, or an index that is read."""

    tool: Annotated[Words | None, Field(description="The tool.")] = None
    retrieve: Annotated[Words | None, Field(description="The index.")] = None
    arguments: Annotated[
        dict[str, Any] | None,
        Field(description="As in `tool_calls`; without it any will do."),
    ] = None
    outcome: Annotated[
        Literal["done", "denied", "failed"] | None,
        Field(description="How it has to end; without it, not denied."),
    ] = None

    @model_validator(mode="after")
    def _one_act(self) -> "ExpectedAct":
        if (self.tool is None) == (self.retrieve is None):
            raise ValueError("an act names either a `tool` or an index to `retrieve` from")
        return self


class Expected(Part):
    """What scorers compare with. Besides these keys, the fields that `exact` and `numeric` name."""

    model_config = ConfigDict(extra="allow")

    output: Annotated[Any, Field(description="The whole output, for `exact` and `numeric`.")] = None
    contains: Annotated[
        list[Words] | Words | None, Field(description="Texts that have to be in the output.")
    ] = None
    regex: Annotated[Words | None, Field(description="A pattern in RE2 syntax.")] = None
    tool_calls: Annotated[
        list[ExpectedCall] | None, Field(description="Calls that have to come back; [] for none.")
    ] = None
    forbidden_tools: Annotated[
        list[Words] | None,
        Field(description="Tools whose call must not be allowed; an invariant of the gate."),
    ] = None
    trajectory: Annotated[
        list[ExpectedAct] | None, Field(description="The acts of the workflow, in order.")
    ] = None
    documents: Annotated[
        list[Words] | None, Field(description="Ids of documents that retrieval has to find.")
    ] = None
    forbidden_documents: Annotated[
        list[Words] | None, Field(description="Ids of documents that may not be retrieved.")
    ] = None
    approvals: Annotated[
        list[Words] | None,
        Field(description="Tools that approval has to be asked for; [] for none."),
    ] = None
    citations: Annotated[
        list[Words] | None, Field(description="Ids of documents the reply has to cite.")
    ] = None
    blocked: Annotated[
        bool | None, Field(description="Whether a policy has to stop the attempt.")
    ] = None
    blocked_by: Annotated[
        Words | None,
        Field(
            description="With `blocked: true`: the rule that has to stop it, as traces name it, "
            "such as `policies.disallow_actions`. Without it any rule will do."
        ),
    ] = None
    reference: Annotated[
        str | None, Field(description="An answer for a judge to compare with.")
    ] = None


class ToolAnswer(Part):
    """What a tool gives back in a case."""

    when: Annotated[
        dict[str, Any],
        Field(
            description="Arguments this answers, a part of them is enough; {} for all. Entries "
            "with one `when` answer call after call in their order, the last one from then on."
        ),
    ] = {}
    returns: Annotated[Any, Field(description="The tool's result.")] = None
    returns_each: Annotated[
        list[Any] | None,
        Field(min_length=1, description="Results of one call after the other; the last repeats."),
    ] = None
    raises: Annotated[Words | None, Field(description="The tool's error, instead.")] = None
    latency_s: Annotated[
        float | None,
        Field(ge=0, description="What the tool takes, in seconds; it is recorded, not waited for."),
    ] = None

    @model_validator(mode="after")
    def _one_answer(self) -> "ToolAnswer":
        if len({"returns", "returns_each", "raises"} & self.model_fields_set) != 1:
            raise ValueError("a tool's answer has either `returns`, `returns_each` or `raises`")
        return self


class SaidWhen(Part):
    """What the assistant's last answer has to be for the user to say something."""

    contains: Annotated[
        Words | None, Field(description="A text that is in it, whatever its case.")
    ] = None
    matches: Annotated[Words | None, Field(description="A pattern in RE2 syntax, found in it.")] = (
        None
    )

    @model_validator(mode="after")
    def _one_condition(self) -> "SaidWhen":
        if (self.contains is None) == (self.matches is None):
            raise ValueError("a condition is either `contains` or `matches`")
        if self.matches is not None and (why := pattern_error(self.matches)):
            raise ValueError(f"matches: {why}")
        return self


class UserTurn(Part):
    """What the user says after an answer. An entry whose condition does not hold is passed over."""

    says: Annotated[Words, Field(description="The user's text, word for word.")]
    when: Annotated[
        SaidWhen | None, Field(description="Only after such an answer. Default: after any.")
    ] = None


class Approval(Part):
    """An approval that stands before the case begins."""

    granted_by: Annotated[Words, Field(description="Who agreed.")]
    team: Annotated[Words, Field(description="The team they agreed for.")]
    expires: Annotated[
        str | None,
        Field(
            pattern=MOMENT,
            description="When it ends: ISO 8601 with an offset from UTC. A moment in the past "
            "tests that an approval expires; one in the future changes the case on that day.",
        ),
    ] = None


class IdentityFile(Part):
    """For whom the workflow runs."""

    user: Annotated[str, Field(description="The user; stored as a pseudonym.")] = ""
    org: Annotated[str, Field(description="The user's organisation.")] = ""
    team: Annotated[str, Field(description="The user's team.")] = ""


# A mutable default is copied deeply for every case that leaves it out, which costs more than the
# rest of its check. (Editors are shown `[]`; an empty mapping says no more to them than none.)
_NONE: Any = Field(default_factory=list, json_schema_extra={"default": []})


class CaseFile(Part):
    """A line of cases.jsonl, or an entry of cases.yaml: one input and what is expected of it."""

    id: Annotated[
        str, Field(min_length=1, max_length=LONGEST_ID, description="Unique within the golden set.")
    ]
    input: Annotated[
        dict[str, Any], Field(min_length=1, description="What the prompt's templates see.")
    ]
    expected: Annotated[Expected, Field(description="What the suite's scorers read.")] = (
        Expected.model_construct()
    )
    tags: Annotated[list[Words], Field(description="Slices that the case belongs to.")] = _NONE
    group: Annotated[
        Words | None,
        Field(description="Cases of one group are variants of each other and count as one."),
    ] = None
    documents: Annotated[
        list[DocumentFile], Field(description="What retrieval can find, in order of relevance.")
    ] = _NONE
    tools: Annotated[
        dict[str, list[ToolAnswer]], Field(description="What each tool answers in this case.")
    ] = Field(default_factory=dict)
    conversation: Annotated[
        list[UserTurn],
        Field(
            description="What the user goes on to say, a turn after each answer of an agent; the "
            "attempt ends when nothing is left to say."
        ),
    ] = _NONE
    approvals: Annotated[
        dict[str, Approval], Field(description="Approvals that stand already, by tool.")
    ] = Field(default_factory=dict)
    identity: Annotated[IdentityFile, Field(description="For whom the workflow runs.")] = (
        IdentityFile.model_construct()
    )
    source: Annotated[
        dict[str, Any] | None, Field(description="Where the case comes from; free form.")
    ] = None
    added: Annotated[
        str | None, Field(pattern=DATE, description="When the case was added: YYYY-MM-DD.")
    ] = None

    @model_validator(mode="after")
    def _no_repeats(self) -> "CaseFile":
        if self.id.strip() != self.id or not self.id.isprintable():
            raise ValueError(f"the id {self.id!r} has spaces around it or cannot be printed")
        for key, names in (("tags", self.tags), ("documents", [d.id for d in self.documents])):
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise ValueError(f"{key} has {twice!r} twice")
        return self
