"""`evalkit golden stats`: what a golden set holds and what it can tell."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from evalkit.gate.power import detectable_drop, minimum_cases
from evalkit.sources.golden import read_golden_set
from evalkit.sources.tree import WorkingTree
from evalkit.workflows.runs.forecasting import ASSUMED_FLIP_SHARE

DEFAULT_MARGIN, DEFAULT_ALPHA = "0.03", 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenStats:
    """Counts of a golden set. `detectable_drop` is a fraction, at `flip_share` and 3 pp."""

    reference: str
    digest: str
    frozen: bool
    cases: int
    groups: int
    tags: dict[str, int]
    expected_keys: dict[str, int]
    flip_share: float
    detectable_drop: float | None
    cases_to_pass: int


def golden_stats(root: Path, reference: str) -> GoldenStats:
    """Count a golden set. Raises ConfigError for one that does not load."""
    golden = read_golden_set(WorkingTree(root), reference)
    groups = golden.groups
    return GoldenStats(
        reference=golden.reference,
        digest=golden.digest,
        frozen=golden.frozen,
        cases=len(golden.cases),
        groups=groups,
        tags=dict(Counter(tag for case in golden.cases for tag in case.tags).most_common()),
        expected_keys=dict(Counter(key for case in golden.cases for key in case.expected)),
        flip_share=ASSUMED_FLIP_SHARE,
        detectable_drop=detectable_drop(groups, ASSUMED_FLIP_SHARE, margin=DEFAULT_MARGIN),
        cases_to_pass=minimum_cases(DEFAULT_MARGIN, DEFAULT_ALPHA),
    )


def stats_json(stats: GoldenStats) -> str:
    """The counts as JSON."""
    return json.dumps(asdict(stats), indent=2, ensure_ascii=False)


def stats_text(stats: GoldenStats) -> str:
    """The counts as lines."""
    lines = [
        f"{stats.reference}: {stats.cases} cases in {stats.groups} groups, "
        f"{'frozen' if stats.frozen else 'not frozen'}, {stats.digest[:19]}…",
        "tags: " + (", ".join(f"{tag} {n}" for tag, n in stats.tags.items()) or "none"),
        "expected: " + ", ".join(f"{key} {n}" for key, n in stats.expected_keys.items()),
        f"a margin of 3 pp needs at least {stats.cases_to_pass} independent cases to ever pass",
    ]
    if stats.detectable_drop is not None:
        lines.append(
            f"with one run an arm, where {stats.flip_share:.0%} of cases flip by chance, a drop of "
            f"{100 * stats.detectable_drop:.1f} pp fails in 80 % of runs"
        )
    return "\n".join(lines)
