"""Prompt files: versions of what is sent to a model, with their tools and output schema."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from evalkit.config.assets import PromptFile
from evalkit.config.document import Document
from evalkit.config.problems import Locator
from evalkit.errors import Problem
from evalkit.records.asset import Output, Prompt, PromptMessage, PromptPart, Retrieve, Tool
from evalkit.records.digest import digest_of
from evalkit.sources.reading import Explain, Reader
from evalkit.sources.references import Version
from evalkit.sources.schemas import load_schema
from evalkit.sources.templates import fields_read, template_problems
from evalkit.sources.tools import load_tool

VARIABLES = ("input", "documents")
_PARTS: dict[str, PromptPart] = {"system": "system", "user": "input", "assistant": "examples"}


def load_prompt(reader: Reader, version: Version, missing: Explain) -> Prompt | None:
    """A prompt version with everything it names, or None once its problems are noted."""
    return reader.once(version.path, missing, lambda document: _make(reader, version, document))


def _make(reader: Reader, version: Version, document: Document) -> Prompt | None:
    file = reader.model(PromptFile, document)
    return None if file is None else build_prompt(reader, version, document, file)


def build_prompt(
    reader: Reader, version: Version, document: Document, file: PromptFile
) -> Prompt | None:
    """The prompt that a file holds, alone or as a part of it; None once its problems are noted."""
    locator = Locator(document)
    problems = [
        *name_problems(locator, version, file.name, file.version),
        *_template_problems(locator, file),
    ]
    reader.problems += problems
    tools = _tools(reader, locator, file)
    schema = _schema(reader, locator, file)
    if problems or tools is None or (file.output.json_schema and schema is None):
        return None
    params: dict[str, Any] = file.params.plain(without_none=True)
    return Prompt(
        name=file.name,
        version=file.version,
        description=file.description,
        messages=tuple(
            PromptMessage(role=each.role, content=each.content, part=each.part or _PARTS[each.role])
            for each in file.messages
        ),
        params=params,
        tools=tools,
        retrieve=None
        if file.retrieve is None
        else Retrieve(index=file.retrieve.index, query=file.retrieve.query),
        output=Output(kind=file.output.kind, schema=schema),
        digest=digest_of([document.data, tools, schema]),
        path=version.path,
    )


def inputs_of(prompt: Prompt) -> list[str]:
    """The keys of a case's `input` that a prompt cannot do without, sorted."""
    sources = [message.content for message in prompt.messages]
    sources += [prompt.retrieve.query] if prompt.retrieve is not None else []
    return sorted({key for source in sources for key in fields_read(source, "input")})


def files_of(data: Any) -> list[str]:
    """The tool and schema files that a prompt's plain data names."""
    schema = (data.get("output") or {}).get("schema")
    return [*(data.get("tools") or ()), *([schema] if schema else ())]


def name_problems(locator: Locator, version: Version, name: str, number: int) -> list[Problem]:
    """What a file says of itself against where it stands."""
    problems = []
    for key, said, stands in (("name", name, version.name), ("version", number, version.number)):
        if said != stands:
            problems.append(
                locator.problem(
                    (key,),
                    f"is not the {key} that the file stands under",
                    value=said,
                    expected=str(stands),
                )
            )
    return problems


def _template_problems(locator: Locator, file: PromptFile) -> Iterator[Problem]:
    for index, message in enumerate(file.messages):
        path = ("messages", index, "content")
        yield from template_problems(locator, path, message.content, VARIABLES)
    if file.retrieve is not None:
        query = file.retrieve.query
        yield from template_problems(locator, ("retrieve", "query"), query, ("input",))


def _tools(reader: Reader, locator: Locator, file: PromptFile) -> tuple[Tool, ...] | None:
    tools: list[Tool] = []
    whole = True
    for index, path in enumerate(file.tools):
        tool = load_tool(reader, path, partial(locator.problem, ("tools", index)))
        if tool is None:
            whole = False
        elif any(each.name == tool.name for each in tools):
            whole = False
            message = f"a tool called {tool.name} stands in the list already"
            reader.problems.append(locator.problem(("tools", index), message))
        else:
            tools.append(tool)
    return tuple(tools) if whole else None


def _schema(reader: Reader, locator: Locator, file: PromptFile) -> dict[str, Any] | None:
    path = file.output.json_schema
    if path is None:
        return None
    return load_schema(reader, path, partial(locator.problem, ("output", "schema")))
