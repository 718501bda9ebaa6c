"""What a project holds that no suite names: checked too, and listed where it looks forgotten."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from evalkit.errors import Problem
from evalkit.sources.agents import load_agent
from evalkit.sources.golden import SET_FILE, load_golden_set
from evalkit.sources.prompts import load_prompt
from evalkit.sources.reading import Reader
from evalkit.sources.references import AGENTS, GOLDEN_SETS, PROMPTS, RUBRICS, Version, is_aside
from evalkit.sources.rubrics import load_rubric
from evalkit.sources.schemas import load_schema
from evalkit.sources.suite_files import SuiteFiles
from evalkit.sources.tools import FOLDER as TOOLS
from evalkit.sources.tools import load_tool

SCHEMAS = "schemas"


def take_inventory(
    reader: Reader, files: Mapping[str, SuiteFiles], used: set[Version]
) -> list[Problem]:
    """Load what suites did not, noting its errors in `reader`; the warnings are returned.

    `used` are the prompts and agents that a suite or a baseline names.
    """
    warnings = [
        *_prompts(reader, used),
        *_agents(reader, used),
        *_golden_sets(reader, files),
        *_loose_files(reader, TOOLS, load_tool),
        *_loose_files(reader, SCHEMAS, load_schema),
    ]
    for version in RUBRICS.all(reader):
        load_rubric(reader, version, partial(_missing, version.path))
    for shelf in (PROMPTS, AGENTS, GOLDEN_SETS, RUBRICS):
        pattern = shelf.path("NAME", 1).replace("v1", "v<N>")
        warnings += [
            _warning(path, "is not read", expected=f"{shelf.noun}s are named {pattern}")
            for path in shelf.strangers(reader)
        ]
    return warnings


def _prompts(reader: Reader, used: set[Version]) -> Iterator[Problem]:
    for version in PROMPTS.all(reader):
        load_prompt(reader, version, partial(_missing, version.path))
        if version not in used:
            yield _warning(
                version.path,
                "no suite uses this prompt",
                suggestion=f"try it with --set suites.NAME.target.prompt={version.reference}",
            )


def _agents(reader: Reader, used: set[Version]) -> Iterator[Problem]:
    for version in AGENTS.all(reader):
        load_agent(reader, version, partial(_missing, version.path))
        if version not in used:
            yield _warning(
                version.path,
                "no suite uses this agent",
                suggestion=f"try it with --set suites.NAME.target.agent={version.reference}",
            )


def _golden_sets(reader: Reader, files: Mapping[str, SuiteFiles]) -> Iterator[Problem]:
    loaded = {each.golden_version: each.golden for each in files.values()}
    for version in GOLDEN_SETS.all(reader):
        golden = loaded.get(version)
        if version not in loaded:
            golden = load_golden_set(reader, version, keep_cases=False)
        if golden is not None and not golden.frozen:
            yield _warning(
                f"{version.path}/{SET_FILE}",
                "the golden set is not frozen, so its cases may change without anybody noticing",
                suggestion=f"evalkit golden freeze {version.reference}",
            )


def _loose_files(
    reader: Reader, folder: str, load: Callable[[Reader, str, Any], object]
) -> Iterator[Problem]:
    for name in reader.list(folder):
        path = f"{folder}/{name}"
        if name.endswith(".json"):
            load(reader, path, partial(_missing, path))
        elif not is_aside(name):
            yield _warning(path, "is not read", expected="a .json file")


def _missing(path: str, message: str) -> Problem:
    return Problem(file=path, message=message)


def _warning(
    path: str, message: str, expected: str | None = None, suggestion: str | None = None
) -> Problem:
    return Problem(
        file=path, message=message, expected=expected, suggestion=suggestion, severity="warning"
    )
