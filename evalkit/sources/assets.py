"""A project's assets: configuration, golden sets, prompts, schemas, checked together."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from evalkit.config.digested import digested
from evalkit.config.load import ExaminedConfig, examine_config, load_config
from evalkit.config.model import Config
from evalkit.config.problems import capped, listed, suggest
from evalkit.config.routes import Route
from evalkit.config.suites import Suite
from evalkit.errors import ConfigError, Problem, UsageError
from evalkit.ports import FileTree
from evalkit.records.asset import Agent, GoldenSet, Prompt, Rubric, Tool
from evalkit.records.digest import digest_of
from evalkit.records.index import IndexContent
from evalkit.sources.indexes import index_digests, load_indexes
from evalkit.sources.prompts import files_of
from evalkit.sources.reading import Reader
from evalkit.sources.route_files import load_output_schemas, load_policy_code
from evalkit.sources.suite_files import SuiteFiles, load_suite_files

CONFIG_FILE = "evalkit.yaml"


class SuiteAssets(msgspec.Struct, frozen=True, kw_only=True):
    """A suite with everything it names.

    `output_schema` is the content of the one that its route holds answers to, if it does;
    `policy_code` maps the path of each Rego file of the route to its text.
    `schemas` maps the path of each scorer's schema to its content, `rubrics` the label of each
    judge to its rubric. `digests` covers what is tested
    (prompt or agent, tools and output schema by path, files of a program by path and its settings
    as `target.KIND`; `routes.X`, `models.X`, `providers.X`, `indexes.X` and `scopes` by key),
    `scorers_digest` what it is tested with. `prompt` is also an agent's; None for a program.
    `reads` names the indexes that the target reads, `indexes` are those of them over folders.
    """

    name: str
    suite: Suite
    route: Route
    golden: GoldenSet
    prompt: Prompt | None
    schemas: Mapping[str, dict[str, Any]]
    digests: Mapping[str, str]
    scorers_digest: str
    rubrics: Mapping[str, Rubric] = msgspec.field(default_factory=dict)
    output_schema: dict[str, Any] | None = None
    policy_code: Mapping[str, str] = msgspec.field(default_factory=dict)
    indexes: Mapping[str, IndexContent] = msgspec.field(default_factory=dict)
    reads: tuple[str, ...] = ()
    agent: Agent | None = None

    @property
    def reference(self) -> str:
        """What is tested, as attempts and records name it."""
        return self.suite.target.words if self.prompt is None else self.prompt.reference

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools that evalkit itself offers to a model; none for a program."""
        return () if self.prompt is None else self.prompt.tools


class Assets(msgspec.Struct, frozen=True, kw_only=True):
    """What a tree holds. `digests` maps the path of each asset that was read to its digest,
    `policy_code` the name of each route that has policies in Rego to its files and their texts."""

    config: Config
    suites: Mapping[str, SuiteAssets]
    warnings: tuple[Problem, ...]
    label: str
    digests: Mapping[str, str]
    policy_code: Mapping[str, Mapping[str, str]] = msgspec.field(default_factory=dict)


def load_assets(
    tree: FileTree,
    *,
    changes: Mapping[str, Any] | None = None,
    suites: Sequence[str] | None = None,
    keep_cases: bool = True,
) -> Assets:
    """The configuration of a tree, with `changes`, and the assets of the named suites.

    Without `suites`: of every suite, and every other golden set, prompt, rubric, tool and schema is
    checked as well. Without `keep_cases` golden sets are checked and counted and their cases
    dropped, so memory does not grow with them.

    Raises ConfigError with every problem of all of it, UsageError for a suite that does not exist.
    """
    try:
        raw = tree.read(CONFIG_FILE)
    except FileNotFoundError as error:
        message = f"there is no {CONFIG_FILE} ({tree.label})"
        raise ConfigError([Problem(file=CONFIG_FILE, message=message)]) from error
    reader = Reader(tree)
    try:
        examined = examine_config(raw, file=CONFIG_FILE, changes=changes)
    except ConfigError as error:
        raise _with_the_rest(error, reader, suites) from error
    names = _names(examined, suites)
    intact = [name for name in names if name in examined.config.suites]
    files = load_suite_files(reader, examined, intact, keep_cases=keep_cases)
    indexes = _load_indexes(reader, examined, files, every=suites is None)
    tested = {examined.config.suites[name].route for name in intact}
    forms = load_output_schemas(reader, examined, None if suites is None else tested)
    codes = load_policy_code(reader, examined, None if suites is None else tested)
    warnings = list(examined.notes)
    if suites is None:
        from evalkit.sources.inventory import take_inventory
        from evalkit.sources.mentions import check_mentions, idle_routes

        warnings += examined.advice
        used = check_mentions(reader, examined)
        used |= {each.target_version for each in files.values() if each.target_version}
        warnings += take_inventory(reader, files, used)
        warnings += idle_routes(reader, examined)
    warnings += [each for each in reader.problems if each.severity == "warning"]
    errors = [each for each in reader.problems if each.severity == "error"]
    if errors or examined.problems:
        raise ConfigError(capped([*examined.problems, *errors], reader.unsaid))
    loaded = {
        name: _suite_assets(reader, examined.config, name, files[name], indexes, forms, codes)
        for name in names
    }
    return Assets(
        config=examined.config,
        suites=loaded,
        warnings=tuple(capped(warnings)),
        label=tree.label,
        digests=dict(reader.digests),
        policy_code=codes,
    )


def _with_the_rest(error: ConfigError, reader: Reader, suites: Sequence[str] | None) -> ConfigError:
    """Problems of the other files too, where the configuration cannot be read at all."""
    if suites is None:
        from evalkit.sources.inventory import take_inventory

        take_inventory(reader, {}, set())
    rest = [each for each in reader.problems if each.severity == "error"]
    return ConfigError(capped([*error.problems, *rest], reader.unsaid))


def read_config(tree: FileTree) -> Config:
    """The tree's evalkit.yaml, without anything it names.

    Raises ConfigError, and FileNotFoundError where there is none.
    """
    return load_config(tree.read(CONFIG_FILE), file=CONFIG_FILE).config


def _names(examined: ExaminedConfig, suites: Sequence[str] | None) -> list[str]:
    if suites is None:
        return list(examined.suites)
    for name in suites:
        if name not in examined.suites:
            hint = suggest(name, examined.suites)
            raise UsageError(
                f"there is no suite {name!r}; the project has {listed(examined.suites)}"
                + (f"; {hint}" if hint else "")
            )
    return list(dict.fromkeys(suites))


def _load_indexes(
    reader: Reader, examined: ExaminedConfig, files: Mapping[str, SuiteFiles], *, every: bool
) -> dict[str, IndexContent]:
    """The indexes that suites read, or every one."""
    read = [index for each in files.values() for index in each.reads]
    names = examined.config.indexes if every else dict.fromkeys(read)
    return load_indexes(reader, examined.locator, examined.config, names)


def _suite_assets(
    reader: Reader,
    config: Config,
    name: str,
    files: SuiteFiles,
    indexes: Mapping[str, IndexContent],
    forms: Mapping[str, dict[str, Any]],
    codes: Mapping[str, dict[str, str]],
) -> SuiteAssets:
    suite = config.suites[name]
    route = config.route(suite.route)
    # Anything missing was an error of the load, which ended it.
    assert route is not None and files.golden is not None
    assert files.prompt is not None or suite.target.program is not None
    scorers: list[Any] = [
        # without what is not given, so that a kind of scorer that evalkit learns changes no digest
        entry.plain(without_none=True)
        for entry in suite.scorers
    ]
    rubrics = {label: rubric.digest for label, rubric in files.rubrics.items()}
    read = files.reads
    mine = {index: indexes[index] for index in read if index in indexes}
    measured_with = [scorers, files.schemas, *([rubrics] if rubrics else [])]
    return SuiteAssets(
        name=name,
        suite=suite,
        route=route,
        golden=files.golden,
        prompt=files.prompt,
        schemas=files.schemas,
        digests={
            **_target_digests(reader, config, route, files, suite.target.step),
            **index_digests(config, read, mine),
        },
        scorers_digest=digest_of(measured_with),
        rubrics=files.rubrics,
        output_schema=forms.get(route.name),
        policy_code=codes.get(route.name, {}),
        indexes=mine,
        reads=read,
        agent=files.agent,
    )


def _target_digests(
    reader: Reader, config: Config, route: Route, files: SuiteFiles, step: str | None
) -> dict[str, str]:
    """Digests of all that makes the target behave as it does; who owns it, and what its
    traces may be used for, is no part of that."""
    digests: dict[str, str] = dict(files.program)
    if files.prompt is not None:
        digests[files.prompt.path] = files.prompt.digest
        for path in files_of(reader.data(files.prompt.path)):
            digests[path] = reader.digests[path]
    if step is not None:
        digests["target.step"] = digest_of(step)
    form = route.policies.answer_schema
    if form is not None:
        digests[form.json_schema] = reader.digests[form.json_schema]
    if (code := route.policies.rego) is not None:
        digests.update((path, reader.digests[path]) for path in code.files)
    written = digested(route, exclude=("owner", "use"))
    # which models a tier stands for is not written in the route
    tiers = {} if route.names_models else {"asks": route.every_model}
    digests[f"routes.{route.name}"] = digest_of(written | tiers)
    for name in route.every_model:
        if (model := config.models.get(name)) is not None:
            digests[f"models.{name}"] = digest_of(digested(model))
            for provider in config.answering(model.provider):
                settings = digested(config.providers[provider], exclude=("limits",))
                digests[f"providers.{provider}"] = digest_of(settings)
    return digests
