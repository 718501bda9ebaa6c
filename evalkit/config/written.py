"""A configuration beside what stands in its file, for problems between its parts."""

from collections.abc import Collection, Sequence

import msgspec

from evalkit.config.model import Config
from evalkit.config.problems import Locator


class Written(msgspec.Struct, frozen=True, kw_only=True):
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
