"""Agent files: versions of a prompt in a loop, with its tools and its retrieval."""

from collections.abc import Iterator

from pydantic import ValidationError

from evalkit.config.agents import AgentFile
from evalkit.config.document import Document
from evalkit.config.problems import Locator, Path, listed, suggest
from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import ConfigError, Problem
from evalkit.records.asset import Agent, AgentStep, Search
from evalkit.sources.prompts import build_prompt
from evalkit.sources.reading import Explain, Reader
from evalkit.sources.references import AGENTS, Version


def load_agent(reader: Reader, version: Version, missing: Explain) -> Agent | None:
    """An agent version with everything it names, or None once its problems are noted."""
    return reader.once(version.path, missing, lambda document: _make(reader, version, document))


def search_names(reader: Reader) -> tuple[str, ...]:
    """What agents call their search; what is wrong with their files is said where they are used."""
    names = []
    for version in AGENTS.all(reader):
        try:
            data = parse_yaml(reader.tree.read(version.path), version.path).data
            search = AgentFile.model_validate(data).search
        except (FileNotFoundError, ConfigError, ValidationError):
            continue
        if search is not None:
            names.append(search.name)
    return tuple(dict.fromkeys(names))


def _make(reader: Reader, version: Version, document: Document) -> Agent | None:
    file = reader.model(AgentFile, document)
    if file is None:
        return None
    prompt = build_prompt(reader, version, document, file)
    if prompt is None:
        return None
    problems = list(_clashes(Locator(document), file, [tool.name for tool in prompt.tools]))
    reader.problems += problems
    if problems:
        return None
    return Agent(
        prompt=prompt,
        max_steps=file.max_steps,
        on_denied=file.on_denied,
        search=None
        if file.search is None
        else Search(
            indexes=tuple(file.search.indexes),
            name=file.search.name,
            description=file.search.description,
        ),
        steps=tuple(
            AgentStep(
                name=step.name,
                tools=None if step.tools is None else tuple(step.tools),
                says=step.says,
                until=step.until,
            )
            for step in file.steps
        ),
    )


def _clashes(locator: Locator, file: AgentFile, tools: list[str]) -> Iterator[Problem]:
    """A search that is called like a tool of the agent, and steps with tools it does not have."""
    if file.search is not None and file.search.name in tools:
        yield locator.problem(
            ("search", "name"), "a tool of the agent has this name already", value=file.search.name
        )
    offered = [*tools, *([] if file.search is None else [file.search.name])]
    for index, step in enumerate(file.steps):
        mine = offered if step.tools is None else step.tools
        named = [("tools", position, name) for position, name in enumerate(step.tools or ())]
        for key, position, name in named:
            if name not in offered:
                yield _no_tool(locator, ("steps", index, key, position), name, offered)
        if step.until is not None and step.until not in mine:
            yield _no_tool(locator, ("steps", index, "until"), step.until, mine)


def _no_tool(locator: Locator, at: Path, name: str, known: list[str]) -> Problem:
    return locator.problem(
        at,
        "the agent has no such tool in this step",
        value=name,
        expected=f"one of {listed(known)}" if known else None,
        suggestion=suggest(name, known),
    )
