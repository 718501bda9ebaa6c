"""`evalkit golden stats`: what a golden set holds, how it grows, and what it can tell."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from statistics import median

from evalkit.config.assets import Quota, SetFile
from evalkit.config.suites import Gate, SliceGate
from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import ConfigError, StoreError
from evalkit.gate.power import detectable_drop, minimum_cases
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.golden import (
    Ages,
    GoldenStats,
    NearPair,
    Outcomes,
    QuotaStanding,
    SliceCoverage,
    WeekRow,
)
from evalkit.records.lookup import with_scores
from evalkit.sources.assets import read_config
from evalkit.sources.expectations import is_draft
from evalkit.sources.golden import SET_FILE, read_golden_set
from evalkit.sources.tree import WorkingTree
from evalkit.store.runs import RunStore
from evalkit.workflows.golden.likeness import near_pairs
from evalkit.workflows.runs.forecasting import ASSUMED_FLIP_SHARE
from evalkit.workflows.scoring import SuiteScoring

DEFAULT_MARGIN, DEFAULT_ALPHA = "0.03", 0.05
OLD_DAYS = 180
FEWEST_RESULTS = 5
NEWEST_RUNS = 20
MOST_COMPARED = 10_000
_WEEK = timedelta(weeks=1)


def golden_stats(
    root: Path, reference: str, *, today: date, fewest: int = FEWEST_RESULTS
) -> GoldenStats:
    """Look through a golden set and the newest runs of it; `fewest` results tell of a case.

    Raises ConfigError for a set or an evalkit.yaml that does not load.
    """
    tree = WorkingTree(root)
    golden = read_golden_set(tree, reference)
    cases = golden.cases
    set_file = f"{golden.path.rsplit('/', 1)[0]}/{SET_FILE}"
    quota = SetFile.model_validate(parse_yaml(tree.read(set_file), set_file).data).quota
    gates = {
        name: suite.gate
        for name, suite in read_config(tree).suites.items()
        if suite.golden.partition("@")[0] == golden.name
    }
    return GoldenStats(
        reference=golden.reference,
        digest=golden.digest,
        frozen=golden.frozen,
        cases=len(cases),
        groups=golden.groups,
        tags=dict(Counter(tag for case in cases for tag in case.tags).most_common()),
        untagged=sum(not case.tags for case in cases),
        expected_keys=dict(Counter(key for case in cases for key in case.expected)),
        flip_share=ASSUMED_FLIP_SHARE,
        detectable_drop=detectable_drop(golden.groups, ASSUMED_FLIP_SHARE, margin=DEFAULT_MARGIN),
        cases_to_pass=minimum_cases(DEFAULT_MARGIN, DEFAULT_ALPHA),
        quota=quota_standing([case.added for case in cases], quota, today),
        slices=tuple(_slices(cases, gates)),
        ages=_ages(cases, today),
        outcomes=_outcomes(root, golden.name, cases, fewest),
        near=_near(cases),
        sources=dict(Counter(map(_kind, cases)).most_common()),
        drafts=sum(map(is_draft, cases)),
    )


def quota_standing(added: Sequence[str | None], quota: Quota, today: date) -> QuotaStanding:
    """Cases by the week in which they were added, against what the quota wants by then."""
    dates = [date.fromisoformat(each) for each in added if each is not None]
    in_week = Counter(_monday(each) for each in dates)
    total = len(added) - len(dates)
    rows = []
    first = min(in_week, default=_monday(today))
    # a case that is dated ahead is shown in its week
    last = max(_monday(today), max(in_week, default=first))
    week, wanted = first, quota.start
    while week <= last:
        total += in_week[week]
        year, number, _ = week.isocalendar()
        name = f"{year}-W{number:02}"
        rows.append(WeekRow(week=name, added=in_week[week], total=total, wanted=wanted))
        week, wanted = week + _WEEK, wanted + quota.per_week
    return QuotaStanding(
        start=quota.start,
        per_week=quota.per_week,
        owed=max(0, rows[-1].wanted - len(added)),
        weeks=tuple(rows) if dates else (),
    )


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _slices(cases: Cases, gates: dict[str, Gate]) -> Iterable[SliceCoverage]:
    for name, gate in gates.items():
        for tag, rules in gate.slices.items():
            mine = [case for case in cases if tag in case.tags]
            yield SliceCoverage(
                suite=name,
                tag=tag,
                groups=len({case.group or f"\0{case.id}" for case in mine}),
                needed=_needed(rules, gate),
                required=rules.required,
            )


def _needed(rules: SliceGate, gate: Gate) -> int:
    """The fewest cases with which a slice can pass what is required of it."""
    needed = [1]
    if rules.min_pass_rate is not None and rules.min_pass_rate < 1:
        # n passes of n show a rate above p once p to the n is below alpha
        needed.append(math.ceil(math.log(gate.alpha) / math.log(rules.min_pass_rate)))
    margin = rules.max_drop_pp
    if margin is None and rules.min_pass_rate is None:
        margin = gate.max_drop_pp
    if margin is not None:
        needed.append(minimum_cases(str(margin / 100), gate.alpha))
    return max(needed)


def _ages(cases: Cases, today: date) -> Ages:
    days = [
        ((today - date.fromisoformat(case.added)).days, case.id) for case in cases if case.added
    ]
    oldest = max(days, default=None)
    return Ages(
        dated=len(days),
        undated=len(cases) - len(days),
        median_days=median(age for age, _ in days) if days else None,
        oldest_days=None if oldest is None else oldest[0],
        oldest=None if oldest is None else oldest[1],
        bound_days=OLD_DAYS,
        old=sum(age > OLD_DAYS for age, _ in days),
    )


def _outcomes(root: Path, golden: str, cases: Cases, fewest: int) -> Outcomes:
    """What the newest runs found, candidates too: a case that only bad changes fail does its work.

    Runs that cannot be read are left out, and so are drills, in which things fail on purpose.
    """
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    seen: set[tuple[str, str]] = set()  # a replay is no further result
    runs = 0
    for bundle in RunStore(root).list():
        if runs == NEWEST_RUNS:
            break
        try:
            record = bundle.read_record()
            suites = {each.suite for each in record.suites if _name_of(each.golden) == golden}
            if not suites or record.drill or record.state == "running":
                continue
            run = bundle.load_whole()
        except (StoreError, ConfigError):
            continue
        runs += 1
        scorings = {each.suite: SuiteScoring(each) for each in run.snapshots}
        for attempt, scores in with_scores(run.attempts, run.scores):
            passed = scorings[attempt.suite].passed(scores, attempt)
            known = (attempt.case, attempt.measurement_id or f"{record.id} {attempt.place}")
            if attempt.suite in suites and passed is not None and known not in seen:
                seen.add(known)
                counts[attempt.case][passed] += 1
    measured = {case: counts[case] for case in cases.ids() if sum(counts[case]) >= fewest}
    return Outcomes(
        runs=runs,
        fewest=fewest,
        measured=len(measured),
        never_failed=tuple(case for case, (failed, _) in measured.items() if not failed),
        always_failed=tuple(case for case, (_, passed) in measured.items() if not passed),
    )


def _name_of(reference: str) -> str:
    return reference.partition("@")[0]


def _near(cases: Cases) -> tuple[NearPair, ...] | None:
    if len(cases) > MOST_COMPARED:
        return None
    return tuple(
        NearPair(one=one, other=other, alike=alike) for one, other, alike in near_pairs(list(cases))
    )


def _kind(case: Case) -> str:
    if case.source is None:
        return "not said"
    kind = case.source.get("kind")
    return kind if isinstance(kind, str) and kind else "other"
