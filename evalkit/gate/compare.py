"""The same verdict for results that another harness produced."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from evalkit.gate.amounts import Amount
from evalkit.gate.cases import UNKNOWN, CaseResult, TrialResult
from evalkit.gate.settings import GateSettings, Rule
from evalkit.gate.suite import add_parts, decide_suite
from evalkit.gate.verdict import decide_verdict
from evalkit.gate.wording import count, named
from evalkit.records.results import ResultRow
from evalkit.records.verdict import Outcome, PartVerdict, Verdict

__all__ = ["ResultRow", "compare_results", "pair_results"]


class _Arm(msgspec.Struct):
    trials: list[int]
    results: dict[str, dict[int, ResultRow]] = msgspec.field(default_factory=dict)

    def attempts(self, case: str) -> tuple[TrialResult, ...]:
        """The case's trials; one that the arm ran for other cases but not for this is unknown."""
        rows = self.results.get(case, {})
        return tuple(
            TrialResult(
                passed=row.passed,
                cost_usd=row.cost_usd,
                tokens=row.tokens,
                latency_s=row.latency_s,
            )
            if (row := rows.get(trial)) is not None
            else UNKNOWN
            for trial in self.trials
        )


def compare_results(
    baseline: Iterable[ResultRow],
    candidate: Iterable[ResultRow],
    max_drop_pp: Amount = 3,
    *,
    rule: Rule | str = Rule.STATISTICAL,
    settings: GateSettings | None = None,
    suite: str = "results",
) -> Verdict:
    """Gate `candidate` against `baseline`, matched by case.

    A case that one side lacks is unknown, never dropped: it counts into the error share and into
    both bounds, and one that the candidate lacks keeps the verdict from passing whatever
    `on_inconclusive` says. No cases at all are NOT_MEASURED. `settings` replaces margin and rule.

    Raises ValueError for a (case, trial) that a side gives twice, or groups that contradict.
    """
    base_rows, cand_rows = tuple(baseline), tuple(candidate)
    cases = pair_results(base_rows, cand_rows)
    chosen = settings or GateSettings(max_drop_pp=max_drop_pp, rule=Rule(rule))
    decided = decide_suite(suite, cases, chosen)
    gone = _only_in(base_rows, cand_rows)
    if gone:
        decided = add_parts(decided, [_guard(gone, chosen.owner)])
    new = _only_in(cand_rows, base_rows)
    if new:
        warning = f"{count(len(new), 'case')} without a baseline, counted as unknown: {named(new)}."
        decided = decided.revised(warnings=(warning, *decided.warnings))
    return decide_verdict([decided])


def pair_results(
    baseline: Sequence[ResultRow], candidate: Sequence[ResultRow]
) -> tuple[CaseResult, ...]:
    """Both sides as cases, in order of first appearance, over every case that either side names.

    Raises ValueError as `compare_results` does.
    """
    base, cand = _index("baseline", baseline), _index("candidate", candidate)
    groups = _groups((*baseline, *candidate))
    tags: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for row in (*baseline, *candidate):
        tags[row.case].update(dict.fromkeys(row.tags))
    return tuple(
        CaseResult(
            case=case,
            baseline=base.attempts(case),
            candidate=cand.attempts(case),
            group=groups.get(case),
            tags=tuple(tags[case]),
        )
        for case in dict.fromkeys((*base.results, *cand.results))
    )


def _index(side: str, rows: Sequence[ResultRow]) -> _Arm:
    twice = [key for key, n in Counter((row.case, row.trial) for row in rows).items() if n > 1]
    if twice:
        case, trial = twice[0]
        raise ValueError(
            f"{side}: case {case!r}, trial {trial} is given twice; number repeats with 'trial'"
        )
    arm = _Arm(sorted({row.trial for row in rows}))
    for row in rows:
        arm.results.setdefault(row.case, {})[row.trial] = row
    return arm


def _groups(rows: Sequence[ResultRow]) -> Mapping[str, str]:
    groups: dict[str, str] = {}
    for row in rows:
        if row.group is None:
            continue
        if groups.setdefault(row.case, row.group) != row.group:
            raise ValueError(
                f"case {row.case!r} is in group {groups[row.case]!r} and in {row.group!r}"
            )
    return groups


def _only_in(rows: Sequence[ResultRow], others: Sequence[ResultRow]) -> list[str]:
    other = {row.case for row in others}
    return [case for case in dict.fromkeys(row.case for row in rows) if case not in other]


def _guard(gone: Sequence[str], owner: str | None) -> PartVerdict:
    """What keeps a candidate from passing on fewer cases, even where none could have dropped."""
    open_ = Outcome.INCONCLUSIVE
    verb = "is" if len(gone) == 1 else "are"
    return PartVerdict(
        name="cases",
        kind="guard",
        outcome=open_,
        best=open_,
        worst=open_,
        required=True,
        held=True,
        message=(
            f"{count(len(gone), 'case')} of the baseline {verb} missing from the candidate and "
            f"counted as unknown: {named(gone)}."
        ),
        what_would_settle="The candidate's results for these cases.",
        owner=owner,
    )
