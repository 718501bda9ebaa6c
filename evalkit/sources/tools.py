"""Tool files: what a model may ask for, and what its arguments have to be."""

from evalkit.config.assets import ToolFile
from evalkit.config.document import Document
from evalkit.config.json_document import parse_json
from evalkit.config.problems import Locator
from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.records.asset import Tool
from evalkit.sources.reading import Explain, Reader
from evalkit.sources.schemas import schema_problems

FOLDER = "tools"


def load_tool(reader: Reader, path: str, missing: Explain) -> Tool | None:
    """The tool in a file, or None once its problems are noted."""

    def make(document: Document) -> Tool | None:
        file = reader.model(ToolFile, document)
        if file is None:
            return None
        problems = _parameter_problems(Locator(document), file)
        reader.problems += problems
        if problems:
            return None
        return Tool(
            name=file.name,
            description=file.description,
            effect=file.effect,
            parameters=file.parameters,
        )

    return reader.once(path, missing, make)


def _parameter_problems(locator: Locator, file: ToolFile) -> list[Problem]:
    problems = list(schema_problems(locator, file.parameters, ("parameters",), checks=False))
    kind = file.parameters.get("type", "object")
    if not problems and kind != "object":
        at = ("parameters", "type")
        problems.append(
            locator.problem(at, "arguments are always an object", value=kind, expected="object")
        )
    return problems


def read_tools(tree: FileTree) -> dict[str, Tool]:
    """Every tool in tools/, by name. Raises ConfigError, with every problem of their files."""
    reader = Reader(tree)
    tools: dict[str, Tool] = {}
    for entry in reader.list(FOLDER):
        if entry.endswith(".json"):
            path = f"{FOLDER}/{entry}"
            gone = Problem(message="is listed and cannot be read", file=path)
            if (tool := load_tool(reader, path, lambda *_, gone=gone: gone)) is not None:
                tools[tool.name] = tool
    if reader.problems:
        raise ConfigError(reader.problems)
    return tools


def tool_names(reader: Reader) -> tuple[str, ...]:
    """Names of the tools in tools/; what is wrong with their files is said where they are used."""
    names = []
    for entry in reader.list(FOLDER):
        if entry.endswith(".json"):
            try:
                data = parse_json(reader.tree.read(f"{FOLDER}/{entry}"), entry).data
            except (FileNotFoundError, ConfigError):
                continue
            if isinstance(data, dict) and isinstance(data.get("name"), str):
                names.append(data["name"])
    return tuple(names)
