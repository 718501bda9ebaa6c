"""A bundle as the history keeps it: what each arm was, its figures, and what it measured."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from evalkit.gate import CaseResult, TrialResult
from evalkit.gate.readings import ArmMeasure, measure_arm
from evalkit.records.digest import digest_of
from evalkit.records.history import ArmEntry, CaseTally, RunEntry
from evalkit.records.lookup import find_attempts
from evalkit.records.run import RunRecord, StoredRun, SuiteRecord, SuiteSnapshot, VariantRecord
from evalkit.workflows.deciding import ResultTable, table_of

Tallies = Mapping[tuple[str, str], Iterable[CaseTally]]


def is_measured(record: RunRecord) -> bool:
    """Whether a run has figures: one under way was not scored yet, a drill measured nothing, and
    what a shard measured counts once it is merged."""
    return record.state != "running" and not record.drill and record.shard is None


def entry_of(
    run: StoredRun, *, root: Path, tags: Sequence[str] = (), stamp: str = ""
) -> tuple[RunEntry, Tallies]:
    """The run's entry, and the tallies of each (suite, variant).

    A run that is not `is_measured` has no arms, and nothing of it but its record is looked at.
    `tags` are those of its commit.
    The run is known by the name of its bundle, by which it is found again.
    """
    record = run.record
    table = None
    if is_measured(record):
        table = run.once(table_of)
    entry = RunEntry(
        id=Path(run.path).resolve().name,
        path=_relative(Path(run.path), root),
        started_at=record.started_at,
        finished_at=record.finished_at,
        state=record.state,
        exit_code=record.exit_code,
        outcome=None if record.verdict is None else record.verdict.outcome,
        # another set of cases every time: no point of a trend, and nobody's baseline
        gates=record.gates and not record.replay,
        sha=record.git.sha,
        branch=record.git.branch,
        dirty=record.git.dirty,
        main=record.git.main,
        tags=tuple(tags),
        evalkit=record.evalkit,
        billed_usd=record.billed_usd,
        changes=record.changes,
        stamp=stamp,
        arms=tuple(_arms(run, table)) if table is not None else (),
    )
    return entry, {} if table is None else _tallies(run, table)


def _relative(path: Path, root: Path) -> str:
    full, base = path.resolve(), root.resolve()
    return str(full.relative_to(base) if full.is_relative_to(base) else full)


def _arms(run: StoredRun, table: ResultTable) -> Iterable[ArmEntry]:
    for suite, snapshot in zip(run.record.suites, run.snapshots, strict=True):
        cases = table.cases(snapshot, snapshot.trials)
        for variant in suite.variants:
            yield _arm(run.record, suite, snapshot, variant, cases)


def _arm(
    record: RunRecord,
    suite: SuiteRecord,
    snapshot: SuiteSnapshot,
    variant: VariantRecord,
    cases: Sequence[CaseResult],
) -> ArmEntry:
    trials = {"baseline": snapshot.baseline_trials, "anchor": snapshot.anchor_trials}
    decided = () if record.verdict is None else record.verdict.suites
    return ArmEntry(
        suite=suite.suite,
        variant=variant.variant,
        content=variant.content,
        source=variant.source,
        prompt=variant.prompt,
        models=variant.models,
        assets={
            **variant.digests,
            f"golden:{suite.golden}": suite.golden_digest,
            "scorers": suite.scorers_digest,
            "gate": digest_of(suite.gate),
        },
        cases=suite.cases,
        trials=trials.get(variant.variant) or snapshot.trials,
        metrics=measure_arm(_trials(case, variant.variant) for case in cases),
        slices=_slices(cases, variant.variant),
        outcome=next((each.outcome for each in decided if each.suite == suite.suite), None)
        if variant.variant == "candidate"
        else None,
    )


def _slices(cases: Sequence[CaseResult], variant: str) -> dict[str, float]:
    by_tag: defaultdict[str, ArmMeasure] = defaultdict(ArmMeasure)
    for case in cases:
        for tag in case.tags:
            by_tag[tag].add(_trials(case, variant))
    rates = {tag: by_tag[tag].value("pass_rate") for tag in sorted(by_tag)}
    return {tag: rate for tag, rate in rates.items() if rate is not None}


def _trials(case: CaseResult, variant: str) -> Sequence[TrialResult]:
    if variant == "baseline":
        return case.baseline
    return case.anchor if variant == "anchor" else case.candidate


def _tallies(run: StoredRun, table: ResultTable) -> Tallies:
    """Distinct measurements with a result, by case.

    What no model was asked for measures nothing: a policy stopped it, and will stop it again.
    """
    return {
        (snapshot.suite, variant.variant): _ArmTallies(run, table, snapshot, variant.variant)
        for suite, snapshot in zip(run.record.suites, run.snapshots, strict=True)
        for variant in suite.variants
    }


class _ArmTallies(Iterable[CaseTally]):
    """The tallies of one arm, made as they are read."""

    def __init__(
        self, run: StoredRun, table: ResultTable, snapshot: SuiteSnapshot, variant: str
    ) -> None:
        self._attempts = find_attempts(run.attempts)
        self._passes = table.outcomes.passes
        self._snapshot = snapshot
        self._variant = variant

    def __iter__(self) -> Iterator[CaseTally]:
        for case in self._snapshot.cases:
            seen: dict[str, bool] = {}
            made = self._attempts.of_case(self._snapshot.suite, self._variant, case.id)
            for attempt in made.values():
                passed = self._passes.get(attempt.place)
                if passed is not None and attempt.measurement_id:
                    seen.setdefault(attempt.measurement_id, passed)
            if seen:
                yield CaseTally(
                    case=case.id, passes=sum(seen.values()), runs=len(seen), measured=seen
                )
