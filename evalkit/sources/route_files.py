"""Files that routes name: the schemas that answers are held to."""

from collections.abc import Collection
from functools import partial
from typing import Any

from evalkit.config.load import ExaminedConfig
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
