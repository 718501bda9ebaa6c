"""`evalkit check`: every problem of a project at once, without a call and without a write."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from evalkit.config.advice import NO_PRICE
from evalkit.config.model import Config
from evalkit.control.price_list import list_price
from evalkit.errors import ConfigError, Problem
from evalkit.gate.power import minimum_cases, smallest_margin
from evalkit.gate.settings import margin_of
from evalkit.sources.assets import Assets, SuiteAssets, load_assets
from evalkit.sources.tree import WorkingTree
from evalkit.workflows.guards.private_state import tracked_state_problems
from evalkit.workflows.judges.checking import judge_problems
from evalkit.workflows.policy_wiring import policy_problems
from evalkit.workflows.setup.deadlines import deadline_problems, today_utc


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, errors first, and one line that sums it up."""

    problems: tuple[Problem, ...]
    summary: str


def check_project(root: Path, *, today: date | None = None) -> Checked:
    """Load everything under `root` that evalkit reads, and hold what ends against today (UTC)."""
    day = today or today_utc()
    try:
        # cases are checked one at a time and dropped: a set of any size fits into memory
        assets = load_assets(WorkingTree(root), keep_cases=False)
    except ConfigError as error:
        found = (*error.problems, *tracked_state_problems(root))
        return _refused((*found, *deadline_problems(root, None, day)))
    problems = (
        *(each for each in assets.warnings if not _is_listed(each, assets.config, day)),
        *(
            warning
            for suite in assets.suites.values()
            for warning in _too_small(suite, assets.config)
        ),
        *tracked_state_problems(root),
        *deadline_problems(root, assets.config, day),
        *judge_problems(WorkingTree(root), assets.config, assets.suites),
        *policy_problems(assets.config.routes, assets.policy_code),
    )
    if any(problem.severity == "error" for problem in problems):
        return _refused(problems)
    return Checked(problems, _summary(assets, len(problems)))


def _is_listed(warning: Problem, config: Config, day: date) -> bool:
    """Whether a model that names no price has one all the same, in the list."""
    name = (warning.key or "").removeprefix("models.")
    model = config.models.get(name)
    if model is None or not warning.message.startswith(NO_PRICE):
        return False
    address = config.providers[model.provider].address
    at = day if config.prices.at is None else date.fromisoformat(config.prices.at)
    return address is not None and list_price(address, model.id or name, at) is not None


def _refused(problems: Sequence[Problem]) -> Checked:
    errors = [problem for problem in problems if problem.severity == "error"]
    rest = [problem for problem in problems if problem.severity != "error"]
    count = f"{len(errors)} error{'' if len(errors) == 1 else 's'}"
    return Checked((*errors, *rest), count)


def check_json(found: Checked) -> str:
    """The problems as JSON."""
    return json.dumps(
        {"summary": found.summary, "problems": [asdict(problem) for problem in found.problems]},
        indent=2,
        ensure_ascii=False,
    )


def _too_small(suite: SuiteAssets, config: Config) -> list[Problem]:
    """A warning where the suite has too few cases to pass its margin, ever or at its first look."""
    gate = suite.suite.gate
    margin = margin_of(gate.max_drop_pp)
    if margin is None:
        return []
    groups = suite.golden.groups
    once = minimum_cases(margin, gate.alpha)
    if groups < once:
        smallest = smallest_margin(groups, gate.alpha) * 100
        return [
            _size_warning(
                suite,
                f"{groups} independent cases can never pass a margin of {gate.max_drop_pp:g} pp at "
                f"alpha {gate.alpha:g}",
                f"at least {once} cases, or a margin above {smallest:.1f} pp",
            )
        ]
    if gate.on_inconclusive != "escalate" or _is_replayed(suite, config):
        return []
    from evalkit.gate.looks import minimum_cases_of, plan_looks

    looks = plan_looks(
        trials=suite.suite.trials,
        alpha=gate.alpha,
        max_trials=gate.max_trials,
        groups=groups,
        margin=margin,
    )
    needed = minimum_cases_of(looks, margin, gate.alpha).first
    if not looks or groups >= needed:
        return []
    return [
        _size_warning(
            suite,
            f"{groups} independent cases cannot pass a margin of {gate.max_drop_pp:g} pp at the "
            f"first of {len(looks)} looks, which has alpha {looks[0].alpha:g}: every run pays for "
            "more trials",
            f"at least {needed} cases, or `max_trials: 1` to look once with alpha {gate.alpha:g}",
        )
    ]


def _is_replayed(suite: SuiteAssets, config: Config) -> bool:
    """Whether a run would replay what is written down, which looks once."""
    model = config.models.get(suite.route.models.first)
    if model is None:
        return False
    provider = config.providers[model.provider]
    return provider.kind == "scripted" or provider.recordings is not None


def _size_warning(suite: SuiteAssets, message: str, expected: str) -> Problem:
    return Problem(
        message=message,
        file="evalkit.yaml",
        key=f"suites.{suite.name}.gate.max_drop_pp",
        expected=expected,
        severity="warning",
    )


def _summary(assets: Assets, warnings: int) -> str:
    cases = sum(suite.golden.count for suite in assets.suites.values())
    found = f"{warnings} warning{'' if warnings == 1 else 's'}" if warnings else "no problem"
    counts = ((len(assets.config.routes), "route"), (len(assets.suites), "suite"), (cases, "case"))
    held = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    return f"{found}: {held}"
