"""`routes`, `providers`, `models`, `budgets`: what the control session enforces."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    model_validator,
)

from evalkit.config.base import URL, VARIABLE, Name, Part, ProjectPath
from evalkit.config.permissions import (
    AllowActions,
    BlockedPhrase,
    Citations,
    ExecuteApproval,
    OutputSchema,
    Phrase,
    Step,
    Text,
    ToolArguments,
)
from evalkit.config.policy_code import RegoPolicy, rego_spelled_out
from evalkit.config.prices import Price
from evalkit.config.route_models import Degrade, RouteModels, Tier, listed_choices
from evalkit.config.traffic import Limits

PII = "pii"


class Retrieval(Part):
    """The retrieval contract of a route."""

    max_chunks: Annotated[
        int | None, Field(ge=0, description="At most this many documents; the rest is dropped.")
    ] = None
    max_tokens: Annotated[
        int | None,
        Field(
            ge=0,
            description="At most this many tokens in all documents of one retrieval together "
            "(estimated: 3 bytes each); the rest is dropped.",
        ),
    ] = None
    allow_indexes: Annotated[
        list[str] | None,
        Field(description="Indexes that may be read. Without it every index may."),
    ] = None

    def plain(
        self, *, without_none: bool = False, without_defaults: bool = False
    ) -> dict[str, Any]:
        """Without what is younger than the digests of routes and was not given."""
        settings = super().plain(without_none=without_none, without_defaults=without_defaults)
        if self.max_tokens is None:
            settings.pop("max_tokens", None)
        return settings


ScreenMode = Literal["redact", "block", "warn"]
PiiKind = Literal["email", "phone", "card", "iban", "national_id", "ip"]
_MODES = (
    "redact: placeholders stand for it. block: a call that holds it does not leave, a reply that "
    "holds it is not handed on. warn: it passes, and the trace says so."
)


class PiiPolicy(Part):
    """What happens to personal data on its way to a model and back."""

    mode: Annotated[ScreenMode, Field(description=_MODES)] = "redact"
    kinds: Annotated[
        list[PiiKind] | None,
        Field(min_length=1, description="Which kinds it is about; default: all of them."),
    ] = None


class SecretsPolicy(Part):
    """What happens to keys, tokens and passwords on their way to a model and back."""

    mode: Annotated[ScreenMode, Field(description=_MODES)] = "redact"


class Policies(Part):
    """What may pass in and out of a model, and what it may ask for."""

    pii_redaction: Annotated[
        bool,
        Field(
            description="Replace personal data with placeholders before a model sees it, and in "
            "what comes back; secrets too, unless `secrets` says otherwise. What is stored is "
            "redacted either way."
        ),
    ] = False
    pii: Annotated[
        PiiPolicy | None,
        Field(description="Personal data by mode and kind, instead of `pii_redaction`."),
    ] = None
    secrets: Annotated[
        SecretsPolicy | None,
        Field(description="Keys, tokens and passwords. Default: as `pii_redaction`."),
    ] = None
    disallow_actions: Annotated[list[str], Field(description="Tools that are always denied.")] = []
    allow_actions: Annotated[
        list[str] | AllowActions | None,
        Field(
            description="Tools that may be called, and no other. Without it every tool that was "
            "offered to the model may. What is disallowed stays so."
        ),
    ] = None
    tool_arguments: Annotated[
        ToolArguments,
        Field(description="Arguments are held to the tool's JSON Schema; here with which mode."),
    ] = ToolArguments.model_construct()
    blocked_phrases: Annotated[
        list[Phrase],
        Field(description="What may not be said: literal texts, or entries with a mode."),
    ] = []
    rego: Annotated[
        RegoPolicy | None,
        BeforeValidator(
            rego_spelled_out, json_schema_input_type=RegoPolicy | list[ProjectPath] | None
        ),
        Field(
            description="Policies in Rego, asked at every act beside the ones configured here: "
            "files of the project, or a mapping (an OPA server, a mode)."
        ),
    ] = None
    output_schema: Annotated[
        ProjectPath | OutputSchema | None,
        Field(
            description="A JSON Schema that every answer has to meet, whatever the prompt asks "
            "for. A turn that only calls tools is no answer yet."
        ),
    ] = None

    @property
    def allowed_actions(self) -> AllowActions | None:
        """The allow list, however it was written; None for no list."""
        if isinstance(self.allow_actions, list):
            return AllowActions(actions=self.allow_actions)
        return self.allow_actions

    @property
    def phrases(self) -> tuple[BlockedPhrase, ...]:
        """The blocked phrases, in the order of the file."""
        return tuple(self.blocked_phrases)

    @property
    def answer_schema(self) -> OutputSchema | None:
        """The output schema, however it was written."""
        if isinstance(self.output_schema, str):
            return OutputSchema.model_validate({"schema": self.output_schema})
        return self.output_schema

    @model_validator(mode="after")
    def _one_word_on_personal_data(self) -> "Policies":
        if self.pii_redaction and self.pii is not None:
            raise ValueError(
                "give pii_redaction or pii, not both: `pii_redaction: true` is "
                "`pii: {mode: redact}` with `secrets: {mode: redact}`"
            )
        return self


class Approvals(Part):
    """Who has to agree before something happens."""

    on_execute: Annotated[
        Text | ExecuteApproval | None,
        Field(
            description="The team that has to approve a call of a tool whose effect is `execute` "
            "(also the effect of a tool that names none). Reading and drafting need nobody."
        ),
    ] = None

    @property
    def execute(self) -> ExecuteApproval | None:
        """Who approves an execution, however it was written; None for nobody."""
        if isinstance(self.on_execute, str):
            return ExecuteApproval(team=self.on_execute)
        return self.on_execute


class Route(Part):
    """How one kind of work is done: models, caps and policies."""

    name: Annotated[Name, Field(description="What suites and programs call the route.")]
    models: Annotated[RouteModels, Field(description="Who answers.")]
    task: Annotated[
        Name | list[Name] | None,
        Field(
            description="The kinds of work that the route is for, so that programs find it by "
            "task and risk class."
        ),
    ] = None
    risk: Annotated[
        Name | list[Name] | None,
        Field(
            description="The risk classes that it is for: low, medium, high, pii, or words of "
            "yours. A risk class is only ever served by a route that names it."
        ),
    ] = None
    regions: Annotated[
        list[Name] | None,
        Field(
            min_length=1,
            description="Only models in one of these regions are asked, fallbacks included. A "
            "model without a known region is refused.",
        ),
    ] = None
    local_only: Annotated[
        bool | None,
        Field(
            description="Only models of tier local are asked, fallbacks included. Default: true "
            "for a route of risk pii, else false."
        ),
    ] = None
    degrade: Annotated[
        Degrade | None,
        Field(description="Who is asked under load or where a budget is used up; never unsaid."),
    ] = None
    max_tokens: Annotated[
        int | None, Field(ge=1, description="Caps the output of one call, in tokens.")
    ] = None
    max_tool_calls: Annotated[
        int | None, Field(ge=0, description="Tool calls that may be authorized in one session.")
    ] = None
    max_tool_retries: Annotated[
        int | None,
        Field(
            ge=0, description="How often one call may be made again in a session once it failed."
        ),
    ] = None
    max_repeats: Annotated[
        int | None,
        Field(
            ge=0,
            description="How often a call that succeeded may be made again in a session: the same "
            "tool with the same arguments.",
        ),
    ] = None
    max_steps: Annotated[
        int | None, Field(ge=1, description="Turns of a model in one session.")
    ] = None
    max_total_tokens: Annotated[
        int | None,
        Field(
            ge=1,
            description="Tokens of all calls of one session together. A call whose upper bound "
            "does not fit is not made.",
        ),
    ] = None
    steps: Annotated[
        dict[Name, Step],
        Field(
            description="The steps of the workflow, and what each may use. Where there are any, "
            "tools and indexes are used within a step only."
        ),
    ] = {}
    retrieval: Annotated[
        Retrieval, Field(description="What may be looked up, and how much of it.")
    ] = Retrieval.model_construct()
    policies: Annotated[
        Policies, Field(description="What may pass in and out, and which tools are denied.")
    ] = Policies.model_construct()
    require_citations: Annotated[
        bool | Citations,
        Field(description="A reply has to cite documents that this session retrieved."),
    ] = False
    approvals: Annotated[
        Approvals, Field(description="Who has to agree before something happens.")
    ] = Approvals.model_construct()
    use: Annotated[
        Literal["evaluation", "training", "none"],
        Field(
            description="What traces of its sessions may become, unless a session says otherwise: "
            "cases of a golden set, training data, or nothing."
        ),
    ] = "none"
    owner: Annotated[str | None, Field(description="Shown wherever the route fails.")] = None

    @property
    def citations(self) -> Citations | None:
        """How citations are required, however it was written; None where they are not."""
        if isinstance(self.require_citations, bool):
            return Citations() if self.require_citations else None
        return self.require_citations

    @property
    def tasks(self) -> tuple[str, ...]:
        """The kinds of work that it names."""
        return _names(self.task)

    @property
    def risks(self) -> tuple[str, ...]:
        """The risk classes that it names."""
        return _names(self.risk)

    @property
    def keeps_local(self) -> bool:
        """Whether only models of tier local may be asked."""
        return PII in self.risks if self.local_only is None else self.local_only

    @property
    def names_models(self) -> bool:
        """Whether all its models are named, none by its tier."""
        degraded = [] if self.degrade is None else listed_choices(self.degrade.to)
        return all(isinstance(each, str) for each in (*self.models.choices, *degraded))

    @property
    def every_model(self) -> tuple[str, ...]:
        """All models that it may ask: first, fallbacks, and those that it degrades to."""
        degraded = () if self.degrade is None else self.degrade.order
        return tuple(dict.fromkeys((*self.models.order, *degraded)))


def _names(written: str | list[str] | None) -> tuple[str, ...]:
    if written is None:
        return ()
    return (written,) if isinstance(written, str) else tuple(written)


# Kinds that are reached over HTTP, with the vendor's own address; None where every customer has
# another one.
HTTP_KINDS: Mapping[str, str | None] = {
    "openai": "https://api.openai.com/v1",
    "openai_responses": "https://api.openai.com/v1",
    "azure_openai": None,
    "anthropic": "https://api.anthropic.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta",
    "bedrock": None,
}


class Provider(Part):
    """Where models are reached."""

    kind: Annotated[
        Literal[
            "openai",
            "openai_responses",
            "azure_openai",
            "anthropic",
            "gemini",
            "bedrock",
            "local",
            "scripted",
        ],
        Field(
            description="openai: any OpenAI-compatible chat-completions endpoint; "
            "openai_responses: OpenAI's Responses format; azure_openai: chat completions of Azure; "
            "anthropic: the Messages format; gemini: Google's generateContent, of Vertex AI as "
            "well; bedrock: Amazon's Converse. local: the embedded model, in process. scripted: "
            "replies written down in a file. More in providers.md."
        ),
    ]
    base_url: Annotated[
        str | None,
        Field(
            pattern=URL,
            description="Of a provider that is reached over HTTP: up to and with its version, "
            "/v1. Default: the vendor's own address, if all its customers have one.",
        ),
    ] = None
    api_key_env: Annotated[
        str | None,
        Field(
            pattern=VARIABLE,
            description="The environment variable that holds the key. Keys never stand here.",
        ),
    ] = None
    without_key: Annotated[
        Name | None,
        Field(description="The provider that stands in where that variable is not set."),
    ] = None
    recordings: Annotated[
        ProjectPath | None,
        Field(
            description="A folder of recorded replies, used instead of the model unless --live is "
            "given. `evalkit record` fills it."
        ),
    ] = None
    path: Annotated[
        ProjectPath | None,
        Field(description="Of a scripted provider: its file; {suite} stands for the suite."),
    ] = None
    region: Annotated[
        Name | None,
        Field(
            description="Where it processes what it is sent, such as eu: a name that `regions` of "
            "routes may require. local and scripted ones need none: nothing leaves the process."
        ),
    ] = None
    limits: Annotated[Limits | None, Field(description="How fast it is asked, whoever asks.")] = (
        None
    )

    @property
    def address(self) -> str | None:
        """Where it is reached over HTTP; None for what has no address."""
        return self.base_url or HTTP_KINDS.get(self.kind)

    @model_validator(mode="after")
    def _keys_of_the_kind(self) -> "Provider":
        if (self.kind == "scripted") != (self.path is not None):
            raise ValueError("a scripted provider has a `path`, and only a scripted one has")
        is_http = self.kind in HTTP_KINDS
        if not is_http and (self.base_url or self.api_key_env or self.without_key):
            raise ValueError(
                "base_url, api_key_env and without_key belong to a kind that is reached over HTTP "
                f"({', '.join(HTTP_KINDS)}), not to {self.kind}"
            )
        if is_http and self.address is None:
            raise ValueError(
                f"a provider of kind {self.kind} needs a base_url: every customer has another"
            )
        if self.without_key and not self.api_key_env:
            raise ValueError("without_key needs an api_key_env to look at")
        if self.kind == "scripted" and self.recordings:
            raise ValueError("a scripted provider cannot be recorded")
        return self


class Model(Part):
    """A name that routes use, and what is really called."""

    provider: Annotated[Name, Field(description="The entry of `providers` that is asked.")]
    id: Annotated[
        str | None, Field(description="What the provider calls it; default: the name.")
    ] = None
    price: Annotated[
        Price | None,
        Field(
            description="What it costs. Default: its provider's list price, where that is known. "
            "Without any the model is refused where a USD cap applies."
        ),
    ] = None
    tier: Annotated[
        Tier | None,
        Field(
            description="How large it is, so that routes can name a tier; local: its data stays "
            "with you."
        ),
    ] = None
    region: Annotated[
        Name | None,
        Field(description="Where it answers, if that is another region than its provider's."),
    ] = None
