"""`target` of a suite: what is tested, exactly one of five kinds."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from evalkit.config.base import URL, VARIABLE, Name, Part, ProjectPath, Reference

TargetKind = Literal["prompt", "agent", "http", "python", "command"]
KINDS: tuple[TargetKind, ...] = ("prompt", "agent", "http", "python", "command")

# `module:function`, with dots on either side
_CALLABLE = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"
_Glob = ProjectPath
_Timeout = Annotated[
    float | None,
    Field(gt=0, le=3600, description="Seconds for one attempt. Default: `run.timeout_s`."),
]


_Gateway = Annotated[
    bool,
    Field(
        description="Its own model calls are this run's: evalkit starts a gateway on loopback and "
        "tells the program where it is, in the variables or headers that docs/targets.md lists. "
        "The suite's route answers, whatever model is named."
    ),
]


class HttpFields(Part):
    """Where a reply of your own form holds what evalkit reads: dotted paths, such as `data.text`.

    A number in a path is an index of a list.
    """

    output: Annotated[str, Field(min_length=1, description="The answer.")] = "output"
    tool_calls: Annotated[str, Field(min_length=1, description="Calls it made.")] = "tool_calls"
    documents: Annotated[str, Field(min_length=1, description="Ids of documents it retrieved.")] = (
        "documents"
    )
    usage: Annotated[str, Field(min_length=1, description="Tokens it used.")] = "usage"
    cost_usd: Annotated[str, Field(min_length=1, description="What it cost.")] = "cost_usd"


class HttpTarget(Part):
    """Your running application: every case's `input` is POSTed to it as JSON."""

    url: Annotated[str, Field(pattern=URL, description="The address; it is asked as it stands.")]
    headers: Annotated[
        dict[str, str], Field(description="Headers that are no secret, by name.")
    ] = {}
    headers_env: Annotated[
        dict[str, Annotated[str, Field(pattern=VARIABLE)]],
        Field(description="Headers whose value is in an environment variable, by name."),
    ] = {}
    timeout_s: _Timeout = None
    fields: Annotated[
        HttpFields, Field(description="Where a reply of another form holds its parts.")
    ] = HttpFields.model_construct()
    gateway: _Gateway = False


class PythonTarget(Part):
    """A function of your project, called with the case's `input`, and a session if it takes one."""

    call: Annotated[
        str,
        Field(
            pattern=_CALLABLE,
            description="`module:function`, imported from the folder of evalkit.yaml. Sync or "
            "async; called with (input), or (input, session) if it has two parameters.",
        ),
    ]
    files: Annotated[
        list[_Glob],
        Field(
            description="Files that its behaviour depends on, as globs. A change to one is a "
            "candidate. Always among them: the module and the project's modules that it imports."
        ),
    ] = []
    timeout_s: _Timeout = None
    processes: Annotated[
        int,
        Field(ge=1, le=64, description="At most so many processes, each with one attempt at once."),
    ] = 4
    gateway: _Gateway = False


class CommandTarget(Part):
    """A program, started for every attempt: JSON in a line on stdin, JSON on stdout."""

    argv: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        Field(min_length=1, description="The program and its arguments; no shell reads them."),
    ]
    files: Annotated[
        list[_Glob],
        Field(
            description="Files that its behaviour depends on, as globs. A change to one is a "
            "candidate. Always among them: files of the project that `argv` names."
        ),
    ] = []
    timeout_s: _Timeout = None
    gateway: _Gateway = False


def _spelled_call(target: object) -> object:
    """`python: module:function` is short for `python: {call: module:function}`."""
    return {"call": target} if isinstance(target, str) else target


def _spelled_argv(target: object) -> object:
    """`command: [program, argument]` is short for `command: {argv: [program, argument]}`."""
    return {"argv": target} if isinstance(target, list) else target


class Target(Part):
    """What is tested: a prompt, an agent, or a program of yours."""

    prompt: Annotated[
        Reference | None, Field(description="A prompt: `name@vN`, or `name@latest`.")
    ] = None
    agent: Annotated[
        Reference | None,
        Field(description="An agent of agents/: `name@vN`, or `name@latest`."),
    ] = None
    http: Annotated[HttpTarget | None, Field(description="Your running application.")] = None
    python: Annotated[
        PythonTarget | None,
        BeforeValidator(_spelled_call),
        Field(description="A function: `module:function`, or a mapping with `call`."),
    ] = None
    command: Annotated[
        CommandTarget | None,
        BeforeValidator(_spelled_argv),
        Field(description="A program: a list of its words, or a mapping with `argv`."),
    ] = None

    step: Annotated[
        Name | None,
        Field(
            description="The step of the route's `steps` that a prompt or an agent is played in. A "
            "program enters steps by itself."
        ),
    ] = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Target":
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"give exactly one of {', '.join(KINDS)} (found {found})")
        if self.step is not None and self.program is not None:
            raise ValueError("a step belongs to a prompt or an agent: a program enters its own")
        return self

    @property
    def kind(self) -> TargetKind:
        """Which of the five it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def program(self) -> HttpTarget | PythonTarget | CommandTarget | None:
        """The application that is tested as it is; None for a prompt or an agent."""
        return self.http or self.python or self.command

    @property
    def words(self) -> str:
        """What it is, as records and reports name it."""
        if self.http is not None:
            return f"http {self.http.url}"
        if self.python is not None:
            return f"python {self.python.call}"
        if self.command is not None:
            return f"command {' '.join(self.command.argv)}"
        return self.prompt or self.agent or ""
