"""What evalkit.yaml names outside of suites: tools, prompts of baselines, files of replies."""

from collections.abc import Iterator
from typing import Any

from evalkit.config.load import ExaminedConfig
from evalkit.config.model import Config
from evalkit.config.problems import Path, listed, suggest
from evalkit.config.suites import SetBaseline
from evalkit.errors import Problem
from evalkit.sources.agents import search_names
from evalkit.sources.permission_mentions import permission_problems
from evalkit.sources.reading import Reader
from evalkit.sources.references import AGENTS, PROMPTS, RUBRICS, Version
from evalkit.sources.rubrics import load_rubric
from evalkit.sources.suite_files import resolve_noted
from evalkit.sources.tools import tool_names

_SHELVES = {"prompt": PROMPTS, "agent": AGENTS}


def check_mentions(reader: Reader, examined: ExaminedConfig) -> set[Version]:
    """Note names that lead nowhere in `reader`; the prompts and agents that baselines name are
    returned."""
    reader.problems += _disallowed(reader, examined)
    names = (*tool_names(reader), *search_names(reader))
    reader.problems += permission_problems(examined, names)
    reader.problems += _scripts(reader, examined)
    baselines: list[tuple[Path, Any]] = [
        (("suites", name, "baseline"), suite.baseline)
        for name, suite in examined.config.suites.items()
    ]
    baselines.append((("baseline",), examined.config.baseline))
    prompts = set()
    for path, baseline in baselines:
        if isinstance(baseline, SetBaseline):
            prompts |= set(_baseline_prompts(reader, examined, path, baseline))
    return prompts


def idle_routes(reader: Reader, examined: ExaminedConfig) -> Iterator[Problem]:
    """A warning for each route that neither a suite nor the judge of a rubric takes."""
    config = examined.config
    taken = {suite.route for suite in config.suites.values()}
    for version in RUBRICS.all(reader):
        rubric = load_rubric(reader, version, lambda message: Problem(message=message))
        taken |= set() if rubric is None else set(rubric.routes)
    for index, route in enumerate(config.routes):
        if route.name not in taken:
            yield examined.locator.problem(
                ("routes", index, "name"),
                "no suite exercises the route, so no gate sees a change to it",
                severity="warning",
            )


def _baseline_prompts(
    reader: Reader, examined: ExaminedConfig, path: Path, baseline: SetBaseline
) -> Iterator[Version]:
    for key, value in baseline.set.items():
        shelf = next((s for end, s in _SHELVES.items() if key.endswith(f".target.{end}")), None)
        if shelf is not None:
            at = (*path, "set", key)
            version = resolve_noted(reader, examined.locator, at, shelf, str(value))
            if version is not None:
                yield version


def _disallowed(reader: Reader, examined: ExaminedConfig) -> Iterator[Problem]:
    """An action that no tool is called protects nothing, whatever its author meant."""
    known = (*tool_names(reader), *search_names(reader))
    for index, route in enumerate(examined.config.routes):
        for position, action in enumerate(route.policies.disallow_actions):
            if action not in known:
                yield examined.locator.problem(
                    ("routes", index, "policies", "disallow_actions", position),
                    "no tool in tools/ has this name",
                    value=action,
                    expected=f"one of {listed(known)}" if known else None,
                    suggestion=suggest(action, known),
                    severity="warning",
                )


def _scripts(reader: Reader, examined: ExaminedConfig) -> Iterator[Problem]:
    """Scripted providers without the file that a suite would read."""
    for name, provider in examined.config.providers.items():
        if provider.path is None:
            continue
        at: Path = ("providers", name, "path")
        suites = [
            suite for suite in examined.config.suites if name in _reached(examined.config, suite)
        ]
        for path in dict.fromkeys(provider.path.replace("{suite}", suite) for suite in suites):
            if not reader.exists(path):
                yield examined.locator.problem(
                    at, f"there is no file {path}, which a suite would be answered from"
                )


def _reached(config: Config, suite: str) -> set[str]:
    """Providers that may answer a suite, stand-ins included."""
    route = config.route(config.suites[suite].route)
    names = route.every_model if route is not None else ()
    models = [config.models[name] for name in names if name in config.models]
    return {provider for model in models for provider in config.answering(model.provider)}
