"""A configuration beside what stands in its file, for problems between its parts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from evalkit.config.model import Config
from evalkit.config.problems import Locator


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A configuration with the names that stand in its file.

    Parts with problems of their own are missing from `config` and present in the names, so that
    what refers to them is not a second problem. `routes_at` are the places of its routes.
    """

    config: Config
    locator: Locator
    routes_at: Sequence[int]
    routes: Collection[str]
    models: Collection[str]
    providers: Collection[str]
    suites: Collection[str]
