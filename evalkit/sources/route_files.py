"""Files that routes name: schemas that answers are held to, and policies in Rego."""

from collections.abc import Collection
from functools import partial
from typing import Any

from evalkit.config.load import ExaminedConfig
from evalkit.config.routes import Route
from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.sources.reading import Reader
from evalkit.sources.schemas import load_schema


def load_output_schemas(
    reader: Reader, examined: ExaminedConfig, routes: Collection[str] | None
) -> dict[str, dict[str, Any]]:
    """The schema of each of these routes that has one, by the route's name; None for all routes.

    What is wrong with them is noted in `reader`.
    """
    found = {}
    for index, route in enumerate(examined.config.routes):
        policy = route.policies.answer_schema
        if policy is None or (routes is not None and route.name not in routes):
            continue
        at = ("routes", index, "policies", "output_schema")
        schema = load_schema(reader, policy.json_schema, partial(examined.locator.problem, at))
        if schema is not None:
            found[route.name] = schema
    return found


def load_policy_code(
    reader: Reader, examined: ExaminedConfig, routes: Collection[str] | None
) -> dict[str, dict[str, str]]:
    """The Rego files of each of these routes that has some, by path; None for all routes.

    What is wrong with reading them is noted in `reader`; whether they compile is another matter.
    """
    found = {}
    for index, route in enumerate(examined.config.routes):
        policy = route.policies.rego
        if policy is None or (routes is not None and route.name not in routes):
            continue
        at = ("routes", index, "policies", "rego")
        missing = partial(examined.locator.problem, at)
        texts = {path: reader.text(path, missing) for path in policy.files}
        found[route.name] = {path: text for path, text in texts.items() if text is not None}
    return found


def read_policy_code(tree: FileTree, route: Route) -> dict[str, str]:
    """The Rego files of one route. Raises ConfigError."""
    policy = route.policies.rego
    if policy is None:
        return {}
    reader = Reader(tree)
    key = f"routes.{route.name}.policies.rego"
    texts = {
        path: reader.text(path, lambda message: Problem(key=key, message=message))
        for path in policy.files
    }
    if reader.problems:
        raise ConfigError(reader.problems)
    return {path: text for path, text in texts.items() if text is not None}
