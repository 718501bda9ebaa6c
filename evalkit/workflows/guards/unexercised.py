"""What changed since the base commit and no suite of the run looks at.

Both variants would be equal by it, and green.
"""

from collections.abc import Sequence
from pathlib import Path

from evalkit.config.model import Config
from evalkit.errors import ConfigError, Refused
from evalkit.sources.assets import CONFIG_FILE, read_config
from evalkit.sources.git import GitTree, changed_files
from evalkit.sources.indexes import is_of_index
from evalkit.workflows.setup.base_ref import BaseRef
from evalkit.workflows.setup.variants import SuiteSetup

_TARGET_FOLDERS = ("prompts/", "agents/", "tools/", "schemas/")


def find_unexercised(root: Path, setups: Sequence[SuiteSetup], base: BaseRef) -> tuple[str, ...]:
    """Changed prompts, tools, schemas, routes and indexes that no suite of the run looks at.

    Both variants would be equal and green whatever the change does.
    """
    if base.sha is None:
        return ()
    tested = {
        path
        for setup in setups
        for variant in setup.variants
        for path in (*variant.assets.digests, *variant.assets.schemas)
    }
    files = changed_files(root, base.sha)
    changed = [
        path
        for path in files
        if path.startswith(_TARGET_FOLDERS) and path not in tested and (root / path).exists()
    ]
    return (*changed, *_unexercised_settings(root, setups, base.sha, files))


def unexercised_error(found: Sequence[str], names: str) -> Refused:
    """The refusal that names what nobody tested."""
    listed = ", ".join(found)
    return Refused(
        f"changed since the base and tested by no suite of this run ({names}): {listed}. Both "
        "variants would be equal and green. Run a suite that uses it, try it with --set "
        "suites.NAME.target.prompt=NAME@vN, or accept it with --allow-unexercised"
    )


def _unexercised_settings(
    root: Path, setups: Sequence[SuiteSetup], sha: str, files: Sequence[str]
) -> list[str]:
    tree = GitTree(root, sha)
    if not setups or not tree.exists(CONFIG_FILE):
        return []
    try:
        old = read_config(tree)
    except ConfigError:
        return []
    tested = {variant.assets.route.name for setup in setups for variant in setup.variants}
    config = setups[0].candidate.config
    routes = [
        f"route {route.name}"
        for route in config.routes
        if route.name not in tested and old.route(route.name) not in (None, route)
    ]
    return [*routes, *_unexercised_indexes(old, config, setups, files)]


def _unexercised_indexes(
    old: Config, new: Config, setups: Sequence[SuiteSetup], files: Sequence[str]
) -> list[str]:
    """Indexes whose settings or files changed, files that are gone among them."""
    tested = {
        name for setup in setups for variant in setup.variants for name in variant.assets.reads
    }
    return [
        f"index {name}"
        for name, index in new.indexes.items()
        if name in old.indexes
        and name not in tested
        and (index != old.indexes[name] or any(is_of_index(index, path) for path in files))
    ]
