"""Baseline and candidate of every suite: where each comes from, and with which assets."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from evalkit.config.model import Config
from evalkit.config.suites import SetBaseline, Suite
from evalkit.errors import ConfigError, Refused
from evalkit.ports import FileTree
from evalkit.records.attempt import VariantName
from evalkit.records.run import StoredRun
from evalkit.records.verdict import PartVerdict
from evalkit.sources.assets import CONFIG_FILE, Assets, SuiteAssets, load_assets, read_config
from evalkit.sources.git import GitTree
from evalkit.sources.tree import WorkingTree
from evalkit.store.runs import RunStore
from evalkit.workflows.history.keeping import resolve_baseline
from evalkit.workflows.setup.base_ref import find_base
from evalkit.workflows.setup.pricing import with_prices_of
from evalkit.workflows.setup.request import RunRequest

T = TypeVar("T")


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of a suite that is going to be measured, of the assets in `tree`.

    `changes` are what made a baseline of the working tree; None for every other arm.
    """

    name: VariantName
    source: str
    config: Config
    assets: SuiteAssets
    tree: FileTree
    changes: Mapping[str, Any] | None = None


class SuiteSetup(msgspec.Struct, frozen=True, kw_only=True):
    """A suite with its arms. Golden set, scorers and gate are the working tree's, for all.

    `stored` is a bundle that stands for the baseline, `stored_anchor` one for the anchor. Without
    `baseline` and `stored` the suite is gated on its floors; `notes` say why. `parts` stand in the
    verdict beside what the gate decides. `traffic` tells that its cases are sessions of production.
    """

    assets: SuiteAssets
    candidate: Variant
    baseline: Variant | None = None
    stored: StoredRun | None = None
    anchor: Variant | None = None
    stored_anchor: StoredRun | None = None
    notes: tuple[str, ...] = ()
    parts: tuple[PartVerdict, ...] = ()
    traffic: bool = False

    @property
    def name(self) -> str:
        """The suite's name."""
        return self.assets.name

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The arms to measure, baseline first and anchor last."""
        arms = (self.baseline, self.candidate, self.anchor)
        return tuple(arm for arm in arms if arm is not None)

    @property
    def replayed(self) -> Mapping[VariantName, StoredRun]:
        """The arms that stored runs stand for."""
        stored: dict[VariantName, StoredRun | None] = {
            "baseline": self.stored,
            "anchor": self.stored_anchor,
        }
        return {name: run for name, run in stored.items() if run is not None}

    @property
    def has_baseline(self) -> bool:
        """Whether there is something to compare with."""
        return self.baseline is not None or self.stored is not None

    @property
    def has_anchor(self) -> bool:
        """Whether there is a fixed point to compare with as well."""
        return self.anchor is not None or self.stored_anchor is not None


class _Trees(msgspec.Struct):
    """Trees that were loaded already: several suites may share a ref or a set of changes."""

    root: Path
    environ: Mapping[str, str]
    configs: dict[str, Config] = msgspec.field(default_factory=dict)

    def at_ref(self, ref: str) -> tuple[GitTree, Config | None]:
        """The tree at a ref and its configuration, None where it had none."""
        tree = GitTree(self.root, ref)
        if not tree.exists(CONFIG_FILE):
            return tree, None
        if ref not in self.configs:
            self.configs[ref] = _explained(tree.label, lambda: read_config(tree))
        return tree, self.configs[ref]


def set_up_suites(
    root: Path,
    request: RunRequest,
    *,
    store: RunStore,
    environ: Mapping[str, str] = os.environ,
    priced: Callable[[Config], Config] = lambda config: config,
) -> tuple[Assets, tuple[SuiteSetup, ...]]:
    """Load the candidate and find the baseline of every suite that `request` names.

    `priced` fills in the prices that a configuration does not name.
    Raises ConfigError for assets, UsageError for unknown suites, Refused when there is no suite or
    a suite has nothing to hold against.
    """
    tree = WorkingTree(root)
    names = request.suites or default_suites(root)
    candidate = load_assets(tree, changes=request.changes, suites=names)
    candidate = msgspec.structs.replace(candidate, config=priced(candidate.config))
    trees = _Trees(root, environ)
    setups = tuple(
        _at_one_price(_set_up(candidate, candidate.suites[name], request, store, trees), priced)
        for name in names
    )
    return candidate, setups


def _at_one_price(setup: SuiteSetup, listed: Callable[[Config], Config]) -> SuiteSetup:
    """The suite with every arm at the candidate's prices."""

    def priced(arm: Variant | None) -> Variant | None:
        if arm is None:
            return None
        return msgspec.structs.replace(
            arm, config=listed(with_prices_of(arm.config, setup.candidate.config))
        )

    return msgspec.structs.replace(
        setup, baseline=priced(setup.baseline), anchor=priced(setup.anchor)
    )


def default_suites(root: Path) -> tuple[str, ...]:
    """What `run` runs without arguments. Raises Refused when the project has no suite."""
    config = read_config(WorkingTree(root))
    names = tuple(config.suites if config.run.suites is None else config.run.suites)
    if not names:
        raise Refused(
            f"{CONFIG_FILE} has no suite, so there is nothing to run; add one under `suites:` "
            "(`evalkit init` in an empty folder shows how one looks)"
        )
    return names


def _set_up(
    assets: Assets, suite: SuiteAssets, request: RunRequest, store: RunStore, trees: _Trees
) -> SuiteSetup:
    words = "working tree"
    if request.changes:
        changes = ", ".join(f"{key}={value}" for key, value in request.changes.items())
        words = f"working tree with {changes}"
    candidate = Variant(
        name="candidate",
        source=words,
        config=assets.config,
        assets=suite,
        tree=WorkingTree(trees.root),
    )
    if request.traces:
        return SuiteSetup(assets=suite, candidate=candidate)  # its baseline comes with its cases
    if request.no_baseline:
        alone = "alone" if suite.suite.gate.anchor is None else "alone, and not against its anchor"
        return _on_floors(suite, candidate, f"--no-baseline: gated on its floors {alone}")
    named = request.baseline or suite.suite.baseline or assets.config.baseline
    if named is None:
        base = find_base(trees.root, trees.environ)
        if base.sha is None:
            floors = _on_floors(suite, candidate, f"no baseline: {base.label}")
            return _with_anchor(floors, store, trees)
        named = base.sha
    against = _told_apart(suite, _find_arm("baseline", named, suite, store, trees))
    if against.why_none is not None:
        return _with_anchor(_on_floors(suite, candidate, against.why_none), store, trees)
    return msgspec.structs.replace(
        _with_anchor(SuiteSetup(assets=suite, candidate=candidate), store, trees),
        baseline=against.variant,
        stored=against.stored,
    )


class _FoundArm(msgspec.Struct, frozen=True, kw_only=True):
    """Where an arm comes from: assets to measure, a stored run, or why there is neither."""

    variant: Variant | None = None
    stored: StoredRun | None = None
    why_none: str | None = None


def _find_arm(
    arm: VariantName, named: str | SetBaseline, suite: SuiteAssets, store: RunStore, trees: _Trees
) -> _FoundArm:
    """What a `{set: …}`, a bundle, a git ref or a name of the run history stands for."""
    if isinstance(named, SetBaseline):
        return _FoundArm(variant=_from_changes(arm, suite, named.set, trees))
    if store.holds(named):
        return _FoundArm(stored=_stored_arm(store, named, suite))
    try:
        return _from_ref(arm, suite, named, trees)
    except Refused:
        run = resolve_baseline(trees.root, named)
        if run is None:
            raise
        return _FoundArm(stored=_stored_arm(store, run, suite))


def _told_apart(suite: SuiteAssets, found: _FoundArm) -> _FoundArm:
    """The arm, unless it would ask the running application that the candidate asks."""
    if found.variant is None:
        return found
    mine, other = suite.suite.target.http, found.variant.assets.suite.target.http
    if mine is None or other is None or mine.url != other.url:
        return found
    return _FoundArm(
        why_none=f"both variants would ask the application at {mine.url}, which cannot differ from "
        f"itself; another address is named by {{set: {{suites.{suite.name}.target.http.url: …}}}}"
    )


def _with_anchor(setup: SuiteSetup, store: RunStore, trees: _Trees) -> SuiteSetup:
    gate = setup.assets.suite.gate.anchor
    if gate is None:
        return setup
    found = _told_apart(setup.assets, _find_arm("anchor", gate.to, setup.assets, store, trees))
    if found.why_none is not None:
        raise Refused(
            f"suite {setup.name}: gate.anchor cannot be held against: {found.why_none}; name a ref "
            "that has the suite, or a stored run of it"
        )
    return msgspec.structs.replace(setup, anchor=found.variant, stored_anchor=found.stored)


def _on_floors(suite: SuiteAssets, candidate: Variant, why: str) -> SuiteSetup:
    """The suite without a baseline, if its gate requires something that needs none."""
    if not _requires_without_baseline(suite.suite):
        raise Refused(
            f"suite {suite.name}: {why}, and its gate has no floor to hold against; give it a "
            "`min_pass_rate`, or name a baseline (--baseline REF|RUN, or "
            f"`suites.{suite.name}.baseline`; in CI check out with fetch-depth: 0)"
        )
    return SuiteSetup(assets=suite, candidate=candidate, notes=(why,))


def _requires_without_baseline(suite: Suite) -> bool:
    """A floor; or invariants, where they are all that the gate asks for.

    An invariant says nothing of quality, so it cannot stand in for a drop that is not measured.
    """
    gate = suite.gate
    floors = [rules.min_pass_rate for rules in gate.slices.values() if rules.required]
    if gate.min_pass_rate is not None or any(floors):
        return True
    return bool(gate.invariants) and gate.max_drop_pp is None


def _from_changes(
    arm: VariantName, suite: SuiteAssets, changes: Mapping[str, Any], trees: _Trees
) -> Variant:
    words = ", ".join(f"{key}={value}" for key, value in changes.items())
    tree = WorkingTree(trees.root)
    base = _explained(
        f"the {arm} of suite {suite.name} (set: {words})",
        lambda: load_assets(tree, changes=changes, suites=[suite.name]),
    )
    return Variant(
        name=arm,
        source=f"working tree with {words}",
        config=base.config,
        assets=base.suites[suite.name],
        tree=tree,
        changes=changes,
    )


def _from_ref(arm: VariantName, suite: SuiteAssets, ref: str, trees: _Trees) -> _FoundArm:
    tree, config = trees.at_ref(ref)
    if config is None or suite.name not in config.suites:
        return _FoundArm(why_none=f"NEW: {tree.label} has no suite {suite.name}")
    base = _explained(f"at {tree.label}", lambda: load_assets(tree, suites=[suite.name]))
    return _FoundArm(
        variant=Variant(
            name=arm,
            source=tree.label,
            config=base.config,
            assets=base.suites[suite.name],
            tree=tree,
        )
    )


def _stored_arm(store: RunStore, name: str, suite: SuiteAssets) -> StoredRun:
    """A bundle as the baseline or anchor of a suite.

    Raises Refused where it was measured differently.
    """
    stored = store.open(name).load_whole()
    record = next((each for each in stored.record.suites if each.suite == suite.name), None)
    if record is None:
        held = ", ".join(each.suite for each in stored.record.suites) or "none"
        raise Refused(f"run {stored.record.id} has no suite {suite.name}; it has {held}")
    if stored.record.state != "complete":
        raise Refused(
            f"run {stored.record.id} is {stored.record.state}, and an incomplete run never becomes "
            f"a baseline; {stored.record.how_to_complete}"
        )
    if not stored.record.gates:
        raise Refused(
            f"run {stored.record.id} {stored.record.why_ungated}, so it cannot be a baseline"
        )
    if record.golden_digest != suite.golden.digest:
        raise Refused(
            f"run {stored.record.id} measured {record.golden} with other content than "
            f"{suite.golden.reference} has now, so the two cannot be compared; measure the "
            "baseline again, or name a git ref as the baseline"
        )
    return stored


def _explained(where: str, load: Callable[[], T]) -> T:
    """Load something of the baseline's, so that its problems say that they are the baseline's."""
    try:
        return load()
    except ConfigError as error:
        raise ConfigError(
            [replace(problem, message=f"{where}: {problem.message}") for problem in error.problems]
        ) from error
