"""The gate guards itself: what became weaker, wider or untested since the base commit.

A pull request can edit evalkit.yaml, so the change under test could loosen the gate that tests it.
Every weakening is listed first in the report and keeps the verdict from passing until somebody
accepts it with `--accept-gate-change`.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from evalkit.config.model import Config
from evalkit.config.routes import Route
from evalkit.errors import ConfigError, EvalkitError
from evalkit.ports import FileTree
from evalkit.records.verdict import Outcome, PartVerdict
from evalkit.sources.assets import CONFIG_FILE, SuiteAssets, load_assets, read_config
from evalkit.sources.git import GitTree, files_named, top_folder
from evalkit.sources.tree import WorkingTree
from evalkit.workflows.guards.budgets import lower_prices, wider_budgets
from evalkit.workflows.guards.instruments import changed_judges
from evalkit.workflows.guards.loosening import (
    unguarded_target,
    weaker_evidence,
    weaker_suite,
    wider_route,
    wider_tools,
)
from evalkit.workflows.guards.permissions import (
    changed_answer_schema,
    changed_policy_code,
    changed_step,
    wider_approvers,
)
from evalkit.workflows.guards.placing import (
    looser_breaker,
    looser_limits,
    moved_models,
    wider_places,
)
from evalkit.workflows.guards.replays import changed_replies
from evalkit.workflows.guards.scopes import wider_scopes
from evalkit.workflows.guards.yardstick import (
    changed_alike,
    changed_baseline,
    changed_cases,
    changed_schemas,
    moved_baseline,
)
from evalkit.workflows.setup.base_ref import BaseRef
from evalkit.workflows.setup.variants import SuiteSetup

# Not which commit that is: a waiver is held to the sentence, here, in CI and after a rebase.
SINCE_BASE = "(since the base)"


def guard_suites(
    root: Path, setups: Sequence[SuiteSetup], base: BaseRef
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """What is weaker than at `base`, per suite, and what is gone altogether.

    The first value maps a suite to sentences; the second lists suites that the base had and the
    working tree lacks. Without a base only the two variants are compared.
    """
    found: dict[str, list[str]] = {
        setup.name: [*_wider_variant(setup), *_failed_run(setup)] for setup in setups
    }
    gone: list[str] = []
    unseen = f"{base.label}; so" if base.lost else None
    tree = None if base.sha is None else GitTree(root, base.sha)
    if tree is not None and tree.exists(CONFIG_FILE):
        try:
            config = read_config(tree)
        except ConfigError:
            unseen = f"evalkit.yaml at {base.label} cannot be read, so"
        else:
            for setup in setups:
                found[setup.name] += _since_base(setup, tree, config, base)
            gone = _gone_suites(config, setups)
    elif tree is not None and (moved := _moved_from(tree)):
        unseen = f"{CONFIG_FILE} stood at {moved} at {base.label} and is gone from there, so"
    if unseen is not None:
        for sentences in found.values():
            sentences.append(f"{unseen} nothing shows that the gate was not loosened")
    return {name: tuple(dict.fromkeys(each)) for name, each in found.items()}, tuple(gone)


def _moved_from(tree: GitTree) -> str | None:
    """Where a project stood at the base that is no longer there: this one may be what became of
    it."""
    top = top_folder(tree.root)
    before = files_named(tree.root, tree.sha, CONFIG_FILE)
    return ", ".join(name for name in before if not (top / name).is_file()) or None


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
    try:
        old = _assets_at(tree, setup)
    except EvalkitError:
        yield f"the assets of the suite at {base.label} cannot be read to compare with"
        for sentence in weaker_suite(before, setup.assets.suite):
            yield f"{sentence} {SINCE_BASE}"
        return
    new = setup.candidate
    slices = [tag for tag, rules in before.gate.slices.items() if rules.required]
    found = (
        *weaker_suite(before, setup.assets.suite),
        *changed_schemas(old, setup.assets),
        *changed_judges(old, setup.assets, tree, WorkingTree(tree.root)),
        *changed_cases(old.golden, setup.assets.golden, slices),
        *moved_baseline(
            before.baseline or config.baseline, setup.assets.suite.baseline or new.config.baseline
        ),
        *weaker_evidence(config, new.config, new.assets.route.every_model),
        *changed_replies(
            (tree, config),
            (WorkingTree(tree.root), new.config),
            suite=setup.name,
            models=new.assets.route.every_model,
        ),
        *_judge_replies((tree, config), (WorkingTree(tree.root), new.config), setup),
        *wider_route(old.route, new.assets.route),
        *_wider_traffic((old.route, config), (new.assets.route, new.config)),
        *wider_budgets(config.budgets, new.config.budgets),
        *wider_approvers(config, new.config, new.assets.route),
        *changed_step(old.suite.target, new.assets.suite.target),
        *changed_answer_schema(
            old.route, new.assets.route, old.output_schema, new.assets.output_schema
        ),
        *unguarded_target(old.suite, new.assets.suite),
        *changed_policy_code(old.route, new.assets.route, old.policy_code, new.assets.policy_code),
        *wider_tools(old.tools, new.assets.tools),
        *_wider_scopes((config, old), (new.config, new.assets)),
    )
    for sentence in found:
        yield f"{sentence} {SINCE_BASE}"
    yield from _incomparable(setup, old.digests, tree, base)


def _assets_at(tree: GitTree, setup: SuiteSetup) -> SuiteAssets:
    """The suite's assets at the base; those of the baseline where that is the same commit."""
    baseline = setup.baseline
    if (
        baseline is not None
        and isinstance(baseline.tree, GitTree)
        and baseline.tree.sha == tree.sha
        and not baseline.changes
    ):
        return baseline.assets
    return load_assets(tree, suites=[setup.name]).suites[setup.name]


def _judge_replies(
    old: tuple[FileTree, Config], new: tuple[FileTree, Config], setup: SuiteSetup
) -> Iterable[str]:
    """Replies of gating judges that stand in files, by which no calibration has to change."""
    for entry in setup.assets.suite.scorers:
        rubric = setup.assets.rubrics.get(entry.label)
        if rubric is None or not entry.gate:
            continue
        routes = [old[1].route(name) for name in rubric.routes]
        models = [model for route in routes if route for model in route.every_model]
        for suite in (setup.name, rubric.name):
            yield from changed_replies(old, new, suite=suite, models=models)


def _incomparable(
    setup: SuiteSetup, old: Mapping[str, str], tree: GitTree, base: BaseRef
) -> Iterable[str]:
    """What changed in a way that no comparison of the two variants can show to be harmless.

    A baseline of `{set: …}` reads the working tree as well, so an edit can reach both variants, or
    make the baseline worse.
    """
    candidate, baseline = setup.candidate.assets.digests, _baseline_digests(setup)
    alike = changed_alike(old, baseline, candidate)
    if alike:
        yield (
            f"{', '.join(alike)} changed since the base in both variants alike, so comparing "
            "them says nothing about it; make it a new version and a candidate, or compare with "
            "--baseline REF"
        )
    if setup.baseline is None or setup.baseline.changes is None:
        return
    try:
        was = load_assets(tree, changes=setup.baseline.changes, suites=[setup.name])
    except EvalkitError:
        yield f"the baseline cannot be made of the files at {base.label} to compare it with"
        return
    edited = changed_baseline(was.suites[setup.name].digests, baseline, candidate)
    if edited:
        yield (
            f"{', '.join(edited)} changed since the base in the baseline; leave what it is "
            "made of as it was, or compare with --baseline REF"
        )


def _baseline_digests(setup: SuiteSetup) -> Mapping[str, str]:
    """What the baseline is, or was when a stored run measured it."""
    if setup.baseline is not None:
        return setup.baseline.assets.digests
    suites = () if setup.stored is None else setup.stored.record.suites
    measured = next(
        (each.variant("candidate") for each in suites if each.suite == setup.name), None
    )
    return {} if measured is None else measured.digests


def _failed_run(setup: SuiteSetup) -> Iterable[str]:
    """A stored run that failed its own gate: to be no worse than it is no achievement."""
    for arm, run in setup.replayed.items():
        for each in () if run.record.verdict is None else run.record.verdict.suites:
            if each.suite == setup.name and each.outcome is Outcome.FAIL:
                yield f"the {arm}, run {run.record.id}, failed its own gate"


def _wider_variant(setup: SuiteSetup) -> Iterable[str]:
    """What `--set` and the like widened between the two arms."""
    if setup.baseline is None:
        return
    old, new = setup.baseline, setup.candidate
    traffic = _wider_traffic((old.assets.route, old.config), (new.assets.route, new.config))
    for sentence in (*wider_route(old.assets.route, new.assets.route), *traffic):
        yield f"{sentence} (against the baseline)"
    base, tested = setup.baseline.assets, setup.candidate.assets
    for sentence in changed_step(base.suite.target, tested.suite.target):
        yield f"{sentence} (against the baseline)"
    for sentence in changed_answer_schema(
        base.route, tested.route, base.output_schema, tested.output_schema
    ):
        yield f"{sentence} (against the baseline)"
    for sentence in changed_policy_code(
        base.route, tested.route, base.policy_code, tested.policy_code
    ):
        yield f"{sentence} (against the baseline)"
    before, after = setup.baseline.assets.tools, setup.candidate.assets.tools
    unguarded = unguarded_target(setup.baseline.assets.suite, setup.candidate.assets.suite)
    for sentence in (*unguarded, *wider_tools(before, after)):
        yield f"{sentence} (against the baseline)"
    old, new = setup.baseline, setup.candidate
    for sentence in _wider_scopes((old.config, old.assets), (new.config, new.assets)):
        yield f"{sentence} (against the baseline)"


def _wider_scopes(
    old: tuple[Config, SuiteAssets], new: tuple[Config, SuiteAssets]
) -> Iterable[str]:
    """Of the indexes that the suite's targets read."""
    return wider_scopes(
        old[0],
        new[0],
        indexes=tuple(dict.fromkeys((*old[1].reads, *new[1].reads))),
        before=old[1].indexes,
        after=new[1].indexes,
    )


def _wider_traffic(old: tuple[Route, Config], new: tuple[Route, Config]) -> Iterable[str]:
    """Where a route's data may go besides, what may be asked faster or longer, and for less."""
    yield from wider_places(old[0], new[0])
    yield from moved_models(old[1], new[1], new[0])
    yield from looser_limits(old[1], new[1], new[0].every_model)
    yield from looser_breaker(old[1], new[1])
    yield from lower_prices(old[1], new[1])


def _gone_suites(config: Config, setups: Sequence[SuiteSetup]) -> list[str]:
    """Suites that the base ran by default and that the working tree no longer has or runs."""
    current = setups[0].candidate.config if setups else Config()
    before = config.suites if config.run.suites is None else config.run.suites
    now = current.suites if current.run.suites is None else current.run.suites
    return [name for name in before if name not in now]
