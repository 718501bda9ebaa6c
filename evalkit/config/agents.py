"""agents/<name>/v<N>.yaml: a prompt in a loop with tools. Loaded where a project has agents."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from evalkit.config.assets import PromptFile, Words
from evalkit.config.base import TOOL_NAME, Name, Part


class SearchFile(Part):
    """Retrieval as a tool: the model asks, the session looks it up under the route's policies."""

    indexes: Annotated[
        list[Words],
        Field(min_length=1, description="What may be searched; the route has to allow it."),
    ]
    name: Annotated[str, Field(pattern=TOOL_NAME, description="What the model calls the tool.")] = (
        "search"
    )
    description: Annotated[str, Field(description="Tells the model what it can find.")] = (
        "Search the documents. Returns those that match best, each with its id and text."
    )


class AgentStepFile(Part):
    """One step of an agent's workflow; the session enters the route's step of that name."""

    name: Annotated[Name, Field(description="A step of the route's `steps`, where it has any.")]
    tools: Annotated[
        list[Words] | None,
        Field(description="Names of the tools offered in it, the search among them. Default: all."),
    ] = None
    says: Annotated[
        Words | None,
        Field(description="What the model is told when it begins, word for word, as the user."),
    ] = None
    until: Annotated[
        Words | None,
        Field(
            description="The step ends when a call of this tool has succeeded. It ends in any case "
            "with an answer that calls no tool."
        ),
    ] = None


class AgentFile(PromptFile):
    """agents/<name>/v<N>.yaml: a version of an agent, which is a prompt in a loop with tools."""

    search: Annotated[
        SearchFile | None, Field(description="Lets the model retrieve documents when it wants to.")
    ] = None
    max_steps: Annotated[
        int,
        Field(
            ge=1, le=100, description="Questions to the model in one attempt, all turns counted."
        ),
    ] = 10
    on_denied: Annotated[
        Literal["tell", "stop"],
        Field(
            description="When a policy denies a tool call. tell: the model gets the denial as the "
            "tool's error and goes on. stop: the attempt ends there. A cap always ends it."
        ),
    ] = "tell"
    steps: Annotated[
        list[AgentStepFile],
        Field(description="The workflow, step by step. Without it the agent has one step."),
    ] = []

    @model_validator(mode="after")
    def _steps_follow(self) -> "AgentFile":
        if self.steps and self.steps[-1].until is not None:
            raise ValueError("the last step ends with the answer, so it has no `until`")
        silent = [step.name for step in self.steps[1:] if step.says is None]
        if silent:
            raise ValueError(
                f"the step {silent[0]} needs `says`: the model has to be told what comes now"
            )
        return self
