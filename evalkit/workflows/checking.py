"""`evalkit check`: every problem of a project at once, without a call and without a write."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from evalkit.errors import ConfigError, Problem
from evalkit.gate.power import minimum_cases, smallest_margin
from evalkit.gate.settings import margin_of
from evalkit.sources.assets import Assets, SuiteAssets, load_assets
from evalkit.sources.tree import WorkingTree


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, errors first, and one line that sums it up."""

    problems: tuple[Problem, ...]
    summary: str


def check_project(root: Path) -> Checked:
    """Load everything under `root` that evalkit reads."""
    try:
        # cases are checked one at a time and dropped: a set of any size fits into memory
        assets = load_assets(WorkingTree(root), keep_cases=False)
    except ConfigError as error:
        errors = sum(problem.severity == "error" for problem in error.problems)
        return Checked(error.problems, f"{errors} error{'' if errors == 1 else 's'}")
    problems = (
        *assets.warnings,
        *(warning for suite in assets.suites.values() for warning in _too_small(suite)),
    )
    return Checked(problems, _summary(assets, len(problems)))


def check_json(found: Checked) -> str:
    """The problems as JSON."""
    return json.dumps(
        {"summary": found.summary, "problems": [asdict(problem) for problem in found.problems]},
        indent=2,
        ensure_ascii=False,
    )


def _too_small(suite: SuiteAssets) -> list[Problem]:
    """A warning where the suite has too few cases to ever pass its margin."""
    gate = suite.suite.gate
    margin = margin_of(gate.max_drop_pp)
    if margin is None:
        return []
    groups = suite.golden.groups
    needed = minimum_cases(margin, gate.alpha)
    if groups >= needed:
        return []
    smallest = smallest_margin(groups, gate.alpha) * 100
    return [
        Problem(
            message=(
                f"{groups} independent cases can never pass a margin of {gate.max_drop_pp:g} pp at "
                f"alpha {gate.alpha:g}"
            ),
            file="evalkit.yaml",
            key=f"suites.{suite.name}.gate.max_drop_pp",
            expected=f"at least {needed} cases, or a margin above {smallest:.1f} pp",
            severity="warning",
        )
    ]


def _summary(assets: Assets, warnings: int) -> str:
    cases = sum(suite.golden.count for suite in assets.suites.values())
    found = f"{warnings} warning{'' if warnings == 1 else 's'}" if warnings else "no problem"
    counts = ((len(assets.config.routes), "route"), (len(assets.suites), "suite"), (cases, "case"))
    held = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    return f"{found}: {held}"
