"""The files that suites name: golden set, prompt and the schemas of scorers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import msgspec

from evalkit.config.load import ExaminedConfig
from evalkit.config.patterns import pattern_error
from evalkit.config.problems import Locator, Path, listed, suggest
from evalkit.config.suites import Suite
from evalkit.errors import Problem
from evalkit.records.asset import Agent, GoldenSet, Prompt, Rubric
from evalkit.records.case import Case
from evalkit.sources.expectations import Expectations
from evalkit.sources.golden import CheckCase, load_golden_set
from evalkit.sources.programs import load_program
from evalkit.sources.prompts import inputs_of, load_prompt
from evalkit.sources.quarantine import quarantine_problems
from evalkit.sources.reading import Reader
from evalkit.sources.references import (
    AGENTS,
    GOLDEN_SETS,
    PROMPTS,
    RUBRICS,
    Shelf,
    UnknownReference,
    Version,
)
from evalkit.sources.schemas import load_schema
from evalkit.sources.tools import tool_names


class SuiteFiles(msgspec.Struct):
    """What a suite names, as far as it could be loaded; `rubrics` by the label of their judge.

    `prompt` is also an agent's, and None for a program; `target_version` is of either file.
    `program` holds the digests of a program's settings and files. `reads` are the indexes that the
    target reads, each once.
    """

    golden_version: Version | None = None
    target_version: Version | None = None
    golden: GoldenSet | None = None
    prompt: Prompt | None = None
    agent: Agent | None = None
    program: dict[str, str] = msgspec.field(default_factory=dict)
    reads: tuple[str, ...] = ()
    schemas: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    rubrics: dict[str, Rubric] = msgspec.field(default_factory=dict)


def load_suite_files(
    reader: Reader, examined: ExaminedConfig, names: Sequence[str], *, keep_cases: bool
) -> dict[str, SuiteFiles]:
    """The files of each named suite; what is wrong with them is noted in `reader`."""
    files = {name: _without_golden(reader, examined, name) for name in names}
    sets: dict[Version, dict[str, SuiteFiles]] = {}
    for name, each in files.items():
        if each.golden_version is not None:
            sets.setdefault(each.golden_version, {})[name] = each
    searches = [
        each.agent.search.name for each in files.values() if each.agent and each.agent.search
    ]
    names_of_tools = cache(lambda: (*tool_names(reader), *searches))
    for version, users in sets.items():
        expectations = Expectations(
            suites={name: examined.config.suites[name] for name in users},
            read=_keys_read(examined.config.suites, version.name),
            tools=names_of_tools,
            inputs={
                each.prompt.reference: inputs_of(each.prompt)
                for each in users.values()
                if each.prompt is not None
            },
            any_tool=any(examined.config.suites[name].target.program is not None for name in users),
            arguments=_arguments(users.values()),
        )
        ids: set[str] = set()
        check: CheckCase = expectations.check
        if any(examined.config.suites[name].quarantine.cases for name in users):
            check = _noting(ids, check)
        golden = load_golden_set(reader, version, check=check, keep_cases=keep_cases)
        for name, each in users.items():
            each.golden = golden
            if golden is not None:
                _check_slices(reader, examined, name, golden, expectations.tags)
                _check_documents(reader, examined, name, each.prompt, golden)
                _check_invariants(reader, examined, name, golden, expectations.invariants)
                suite = examined.config.suites[name]
                if suite.quarantine.cases:
                    reader.problems += quarantine_problems(
                        examined.locator, name, suite, golden, ids
                    )
    return files


def _noting(ids: set[str], check: CheckCase) -> CheckCase:
    """The check, which puts the id of every case into `ids` as well."""

    def noting(case: Case, locate: Callable[[], Locator]) -> Iterable[Problem]:
        ids.add(case.id)
        return check(case, locate)

    return noting


def _without_golden(reader: Reader, examined: ExaminedConfig, name: str) -> SuiteFiles:
    suite = examined.config.suites[name]
    locator = examined.locator
    path: Path = ("suites", name)
    files = SuiteFiles()
    golden_at: Path = (*path, "golden")
    files.golden_version = resolve_noted(reader, locator, golden_at, GOLDEN_SETS, suite.golden)
    _load_target(reader, examined, name, files)
    for index, entry in enumerate(suite.scorers):
        at: Path = (*path, "scorers", index)
        if entry.json_schema is not None:
            missing = partial(locator.problem, (*at, "json_schema"))
            schema = load_schema(reader, entry.json_schema, missing)
            if schema is not None:
                files.schemas[entry.json_schema] = schema
        pattern = entry.regex.pattern if entry.regex is not None else None
        if pattern is not None and (why := pattern_error(pattern)):
            where = (*at, "regex", "pattern")
            reader.problems.append(locator.problem(where, why, value=pattern))
        if entry.judge is not None:
            rubric = _rubric(reader, examined, (*at, "judge"), entry.judge.rubric)
            limits = (entry.judge.max_drop_pp, entry.judge.min_pass_rate, suite.gate.max_drop_pp)
            if entry.gate and limits == (None, None, None):
                reader.problems.append(_nothing_required(examined.locator, (*at, "judge")))
            if rubric is not None:
                files.rubrics[entry.label] = rubric
    return files


def _load_target(reader: Reader, examined: ExaminedConfig, name: str, files: SuiteFiles) -> None:
    """The file that the target names, if it names one, and what the route says of its indexes."""
    suite = examined.config.suites[name]
    at: Path = ("suites", name, "target", suite.target.kind)
    missing = partial(examined.locator.problem, at)
    if suite.target.prompt is not None:
        version = resolve_noted(reader, examined.locator, at, PROMPTS, suite.target.prompt)
        files.target_version = version
        if version is not None:
            files.prompt = load_prompt(reader, version, missing)
    elif suite.target.agent is not None:
        from evalkit.sources.agents import load_agent

        version = resolve_noted(reader, examined.locator, at, AGENTS, suite.target.agent)
        files.target_version = version
        if version is not None:
            files.agent = load_agent(reader, version, missing)
            files.prompt = None if files.agent is None else files.agent.prompt
            if files.agent is not None:
                _check_steps(reader, examined, at, suite, files.agent)
    program = suite.target.program
    if program is not None:
        files.program = load_program(reader, examined.locator, at, program)
    files.reads = _indexes(examined, suite, files)
    for index in files.reads if suite.target.program is None else ():
        _check_index(reader, examined, at, suite, index)


def _indexes(examined: ExaminedConfig, suite: Suite, files: SuiteFiles) -> tuple[str, ...]:
    """What the target reads, each once; a function may read all that its route allows."""
    if suite.target.python is not None:
        route = examined.config.route(suite.route)
        allowed = None if route is None else route.retrieval.allow_indexes
        names = examined.config.indexes
        return tuple(name for name in names if allowed is None or name in allowed)
    retrieve = None if files.prompt is None else files.prompt.retrieve
    search = None if files.agent is None else files.agent.search
    named = () if retrieve is None else (retrieve.index,)
    return tuple(dict.fromkeys((*named, *(() if search is None else search.indexes))))


def _arguments(files: Iterable[SuiteFiles]) -> dict[str, list[str]]:
    """What the tools of agents take, where they say that they take nothing else."""
    return {
        tool.name: list(tool.parameters.get("properties") or {})
        for each in files
        if each.agent is not None
        for tool in each.agent.prompt.tools
        if tool.parameters.get("additionalProperties") is False
    }


def _check_steps(
    reader: Reader, examined: ExaminedConfig, at: Path, suite: Suite, agent: Agent
) -> None:
    """Steps of an agent that its route does not have, and an agent that enters none of them."""
    route = examined.config.route(suite.route)
    if route is None or not route.steps:
        return
    known = list(route.steps)
    if not agent.steps and suite.target.step is None:
        reader.problems.append(
            examined.locator.problem(
                at,
                f"has no `steps`, and the route {suite.route} permits tools and indexes within its "
                "steps only, so every one is denied",
                expected=f"steps named {listed(known)}",
                severity="warning",
            )
        )
    for step in agent.steps:
        if step.name not in route.steps:
            reader.problems.append(
                examined.locator.problem(
                    at,
                    f"has the step {step.name!r}, which the route {suite.route} does not have, so "
                    "an attempt is blocked there",
                    expected=f"one of {listed(known)}",
                    suggestion=suggest(step.name, known),
                    severity="warning",
                )
            )


def _rubric(reader: Reader, examined: ExaminedConfig, at: Path, reference: str) -> Rubric | None:
    """The rubric that a judge names, whose routes the project has to have."""
    from evalkit.sources.rubrics import load_rubric

    version = resolve_noted(reader, examined.locator, at, RUBRICS, reference)
    if version is None:
        return None
    rubric = load_rubric(reader, version, partial(examined.locator.problem, at))
    if rubric is None:
        return None
    known = [route.name for route in examined.config.routes]
    lacking = [name for name in rubric.routes if name not in known]
    for name in lacking:
        reader.problems.append(
            examined.locator.problem(
                at,
                f"its judge is asked on the route {name!r}, which the project does not have",
                value=reference,
                expected=f"a route in evalkit.yaml: {listed(known)}",
                suggestion=suggest(name, known),
            )
        )
    if rubric.recorded is not None and not reader.exists(rubric.recorded):
        reader.problems.append(
            examined.locator.problem(
                at, f"its judge's verdicts should stand in {rubric.recorded}, which is not there"
            )
        )
        return None
    return None if lacking else rubric


def _nothing_required(locator: Locator, at: Path) -> Problem:
    """Of a judge that would be asked, shown, and pass whatever it says."""
    return locator.problem(
        at,
        "the judge gates, and nothing is required of what it judges",
        expected="max_drop_pp or min_pass_rate beside its rubric, a max_drop_pp of the suite, or "
        "`gate: false` if it only informs",
    )


def resolve_noted(
    reader: Reader, locator: Locator, at: Path, shelf: Shelf, reference: str
) -> Version | None:
    """The version that a reference at `at` names, or None once its problem is noted."""
    try:
        return shelf.resolve(reader, reference)
    except UnknownReference as error:
        reader.problems.append(
            locator.problem(
                at,
                str(error),
                value=reference,
                expected=error.expected,
                suggestion=error.suggestion,
            )
        )
        return None


def _check_index(
    reader: Reader, examined: ExaminedConfig, at: Path, suite: Suite, index: str
) -> None:
    route = examined.config.route(suite.route)
    allowed = route.retrieval.allow_indexes if route is not None else None
    if allowed is not None and index not in allowed:
        reader.problems.append(
            examined.locator.problem(
                at,
                f"reads the index {index!r}, which the route {suite.route} does "
                "not allow, so it is never read",
                expected=f"one of {listed(allowed)}",
                suggestion=suggest(index, allowed),
                severity="warning",
            )
        )


def _check_documents(
    reader: Reader, examined: ExaminedConfig, name: str, prompt: Prompt | None, golden: GoldenSet
) -> None:
    """An index that is not declared, in a project that declares some, and that no case brings
    along: nothing would be found in either variant, and both would be equal."""
    declared = examined.config.indexes
    if prompt is None or prompt.retrieve is None or not declared or not golden.cases:
        return
    index = prompt.retrieve.index
    found = declared.get(index)
    if found is not None and found.documents is None:
        return
    if not any(document.index == index for case in golden.cases for document in case.documents):
        reader.problems.append(
            examined.locator.problem(
                ("suites", name, "target", "prompt"),
                f"reads the index {index!r}, of which no case of {golden.reference} brings a "
                "document, so nothing is ever found",
                expected=f"an index of `indexes:` ({listed(declared)}), or documents in the cases",
                suggestion=suggest(index, declared),
            )
        )


def _keys_read(suites: Mapping[str, Suite], golden: str) -> list[str]:
    """Keys of `expected` that any suite of the project reads from a golden set of this name."""
    return [
        key
        for suite in suites.values()
        if suite.golden.partition("@")[0] == golden
        for entry in suite.scorers
        for key in entry.reads
    ]


def _check_invariants(
    reader: Reader, examined: ExaminedConfig, name: str, golden: GoldenSet, breakable: set[str]
) -> None:
    """An invariant that no case can break holds whatever happens."""
    asked = {"forbidden_tools": "expected.forbidden_tools", "policy": "expected.blocked: true"}
    for index, invariant in enumerate(examined.config.suites[name].gate.invariants):
        if invariant not in breakable:
            reader.problems.append(
                examined.locator.problem(
                    ("suites", name, "gate", "invariants", index),
                    f"no case of {golden.reference} can break it",
                    value=invariant,
                    expected=f"a case with {asked[invariant]}",
                )
            )


def _check_slices(
    reader: Reader, examined: ExaminedConfig, name: str, golden: GoldenSet, tags: set[str]
) -> None:
    """A slice without a case holds whatever happens."""
    for tag in examined.config.suites[name].gate.slices:
        if tag not in tags:
            reader.problems.append(
                examined.locator.problem(
                    ("suites", name, "gate", "slices", tag),
                    f"no case of {golden.reference} has this tag",
                    at_key=True,
                    expected=f"one of {listed(sorted(tags))}",
                    suggestion=suggest(tag, tags),
                )
            )
