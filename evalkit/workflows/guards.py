"""The gate guards itself: what became weaker, wider or untested since the base commit.

A pull request can edit evalkit.yaml, so the change under test could loosen the gate that tests it.
Every weakening is listed first in the report and keeps the verdict from passing until somebody
accepts it with `--accept-gate-change`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from evalkit.config.load import load_config
from evalkit.config.model import Config
from evalkit.errors import ConfigError, EvalkitError, Refused
from evalkit.records.asset import GoldenSet
from evalkit.records.verdict import Outcome, PartVerdict
from evalkit.sources.assets import load_assets
from evalkit.sources.git import GitTree, changed_files
from evalkit.workflows.base_ref import BaseRef
from evalkit.workflows.loosening import weaker_suite, wider_route, wider_tools
from evalkit.workflows.variants import CONFIG_FILE, SuiteSetup

_TARGET_FOLDERS = ("prompts/", "tools/", "schemas/")


def guard_suites(
    root: Path, setups: Sequence[SuiteSetup], base: BaseRef
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """What is weaker than at `base`, per suite, and what is gone altogether.

    The first value maps a suite to sentences; the second lists suites that the base had and the
    working tree lacks. Without a base only the two variants are compared.
    """
    found: dict[str, list[str]] = {setup.name: list(_wider_variant(setup)) for setup in setups}
    gone: list[str] = []
    if base.sha is not None:
        tree = GitTree(root, base.sha)
        if tree.exists(CONFIG_FILE):
            try:
                config = load_config(tree.read(CONFIG_FILE), file=CONFIG_FILE).config
            except ConfigError:
                note = (
                    f"evalkit.yaml at {base.label} cannot be read, so nothing shows that the gate "
                    "was not loosened"
                )
                for sentences in found.values():
                    sentences.append(note)
                return {name: tuple(each) for name, each in found.items()}, ()
            for setup in setups:
                found[setup.name] += _since_base(setup, tree, config, base)
            gone = _gone_suites(config, setups)
    return {name: tuple(dict.fromkeys(each)) for name, each in found.items()}, tuple(gone)


def find_unexercised(root: Path, setups: Sequence[SuiteSetup], base: BaseRef) -> tuple[str, ...]:
    """Changed prompts, tools, schemas and routes that no suite of the run looks at.

    Both variants would be equal and green whatever the change does.
    """
    if base.sha is None:
        return ()
    tested = {
        path for setup in setups for variant in setup.variants for path in variant.assets.digests
    }
    changed = [
        path
        for path in changed_files(root, base.sha)
        if path.startswith(_TARGET_FOLDERS) and path not in tested and (root / path).exists()
    ]
    return (*changed, *_unexercised_routes(root, setups, base.sha))


def guard_part(sentences: Sequence[str], owner: str | None) -> PartVerdict:
    """The held, inconclusive part that stands for a weaker gate."""
    return PartVerdict(
        name="gate change",
        kind="guard",
        outcome=Outcome.INCONCLUSIVE,
        best=Outcome.INCONCLUSIVE,
        worst=Outcome.INCONCLUSIVE,
        required=True,
        held=True,
        message="; ".join(sentences) + ".",
        what_would_settle="A reviewer who accepts it: --accept-gate-change.",
        owner=owner,
    )


def _since_base(setup: SuiteSetup, tree: GitTree, config: Config, base: BaseRef) -> Iterable[str]:
    before = config.suites.get(setup.name)
    if before is None:
        return
    for sentence in weaker_suite(before, setup.assets.suite):
        yield f"{sentence} (since {base.label})"
    try:
        old = load_assets(tree, suites=[setup.name]).suites[setup.name]
    except EvalkitError:
        yield f"the assets of the suite at {base.label} cannot be read to compare with"
        return
    yield from _vanished(old.golden, setup.assets.golden, base)
    for sentence in wider_route(old.route, setup.candidate.assets.route):
        yield f"{sentence} (since {base.label})"
    for sentence in wider_tools(old.prompt.tools, setup.candidate.assets.prompt.tools):
        yield f"{sentence} (since {base.label})"


def _vanished(old: GoldenSet, new: GoldenSet, base: BaseRef) -> Iterable[str]:
    gone = sorted({case.id for case in old.cases} - {case.id for case in new.cases})
    if gone and (old.name != new.name or old.version == new.version):
        shown = ", ".join(gone[:5]) + (f" and {len(gone) - 5} more" if len(gone) > 5 else "")
        yield (
            f"{len(gone)} cases that {old.reference} had at {base.label} are gone: {shown}; "
            "a changed set needs a new version"
        )


def _wider_variant(setup: SuiteSetup) -> Iterable[str]:
    """What `--set` and the like widened between the two arms."""
    if setup.baseline is None:
        return
    for sentence in wider_route(setup.baseline.assets.route, setup.candidate.assets.route):
        yield f"{sentence} (against the baseline)"
    before, after = setup.baseline.assets.prompt.tools, setup.candidate.assets.prompt.tools
    for sentence in wider_tools(before, after):
        yield f"{sentence} (against the baseline)"


def _gone_suites(config: Config, setups: Sequence[SuiteSetup]) -> list[str]:
    """Suites that the base ran by default and that the working tree no longer has or runs."""
    current = setups[0].candidate.config if setups else Config()
    before = config.suites if config.run.suites is None else config.run.suites
    now = current.suites if current.run.suites is None else current.run.suites
    return [name for name in before if name not in now]


def _unexercised_routes(root: Path, setups: Sequence[SuiteSetup], sha: str) -> list[str]:
    tree = GitTree(root, sha)
    if not setups or not tree.exists(CONFIG_FILE):
        return []
    try:
        old = load_config(tree.read(CONFIG_FILE), file=CONFIG_FILE).config
    except ConfigError:
        return []
    tested = {variant.assets.route.name for setup in setups for variant in setup.variants}
    config = setups[0].candidate.config
    return [
        f"route {route.name}"
        for route in config.routes
        if route.name not in tested and old.route(route.name) not in (None, route)
    ]


def unexercised_error(found: Sequence[str], names: str) -> Refused:
    """The refusal that names what nobody tested."""
    listed = ", ".join(found)
    return Refused(
        f"changed since the base and tested by no suite of this run ({names}): {listed}. Both "
        "variants would be equal and green. Run a suite that uses it, try it with --set "
        "suites.NAME.target.prompt=NAME@vN, or accept it with --allow-unexercised"
    )
