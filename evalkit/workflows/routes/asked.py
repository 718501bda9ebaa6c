"""What `evalkit route explain` is asked about: a route, and prompt and case where known."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.config.matching import work_words
from evalkit.config.model import Config
from evalkit.config.problems import listed, suggest
from evalkit.config.routes import Route
from evalkit.errors import UsageError
from evalkit.records.case import Case
from evalkit.sources.assets import SuiteAssets, load_assets, read_config
from evalkit.sources.tree import WorkingTree

INPUT_CASE = "input"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A route of a project. `suite` brings the prompt, `case` what it is filled with.

    `note` says why nothing is known of the prompt's length, `found_by` by which task and risk class
    the route was found.
    """

    config: Config
    route: Route
    suite: SuiteAssets | None = None
    case: Case | None = None
    note: str | None = None
    found_by: str | None = None


def read_input(text: str) -> dict[str, Any]:
    """A case's input from JSON, or from the file that `@path` names.

    Raises UsageError for what cannot be read or is no JSON object.
    """
    written = text
    if text.startswith("@"):
        try:
            written = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise UsageError(f"--input {text} cannot be read: {error}") from error
    try:
        value = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--input is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError('--input takes a JSON object, such as \'{"question": "Why?"}\'')
    return value


def find_asked(
    root: Path,
    name: str | None,
    *,
    task: str | None = None,
    risk: str | None = None,
    suite: str | None = None,
    case: str | None = None,
    input_: dict[str, Any] | None = None,
) -> Asked:
    """The route by its name, or by task and risk class, with what is known of the prompt.

    Raises ConfigError for assets that are wrong, UsageError for a route, suite or case that does
    not exist, for several routes, and for a suite of another route.
    """
    config = read_config(WorkingTree(root))
    route = _route(config, name, task, risk)
    asked = Asked(
        config=config,
        route=route,
        found_by=None if name is not None else work_words(task, risk),
    )
    if case is not None and suite is None:
        raise UsageError(f"--case {case} needs the --suite whose case it is")
    note = None
    if suite is None and input_ is not None:
        suite, note = _suite_for(config, route.name)
    if suite is None:
        return replace(asked, note=note or "no prompt was named: give --suite and --case")
    assets = load_assets(WorkingTree(root), suites=[suite]).suites[suite]
    if assets.route.name != route.name:
        raise UsageError(f"suite {suite} is on route {assets.route.name}, not on {route.name}")
    asked = replace(asked, suite=assets)
    if input_ is not None:
        return replace(asked, case=Case(id=INPUT_CASE, input=input_))
    if case is None:
        return replace(
            asked, note=f"no case was named: give --case ID of suite {suite}, or --input"
        )
    found = assets.golden.cases.find(case)
    if found is None:
        raise UsageError(_unknown("case", case, list(assets.golden.cases.ids())))
    return replace(asked, case=found)


def _route(config: Config, name: str | None, task: str | None, risk: str | None) -> Route:
    if name is None:
        if task is None and risk is None:
            raise UsageError("name the route: --route NAME, or --task TASK and --risk RISK")
        return config.route_for(task=task, risk=risk)
    if task is not None or risk is not None:
        raise UsageError("--route names the route; --task and --risk find one: give either")
    route = config.route(name)
    if route is None:
        raise UsageError(_unknown("route", name, [each.name for each in config.routes]))
    return route


def _suite_for(config: Config, route: str) -> tuple[str | None, str | None]:
    """The suite whose prompt an input fills; without one, why."""
    prompts = {
        name: suite.target.words
        for name, suite in config.suites.items()
        if suite.route == route and suite.target.program is None
    }
    if len(set(prompts.values())) == 1:
        return next(iter(prompts)), None
    if not prompts:
        return None, "no suite is on this route, so no prompt is known that the input would fill"
    names = listed(prompts)
    return None, f"several prompts are on this route; name a --suite: {names}"


def _unknown(noun: str, name: str, known: list[str]) -> str:
    hint = suggest(name, known)
    return f"there is no {noun} {name!r}; there is {listed(known) or 'none yet'}" + (
        f"; {hint}" if hint else ""
    )
