"""What a run put down of its attempts as they were made is what is read of its files in the end."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.records.attempt import Attempt, FailureMode
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.judgment import Judgment, Opinion
from evalkit.records.run import SuiteSnapshot
from evalkit.store.bundle import Bundle
from evalkit.store.calls import RunCalls
from evalkit.store.keeping import Keeping
from evalkit.workflows.deciding import ResultTable, decide_table, score_attempts
from evalkit.workflows.runs.arm_sums import sum_arms
from evalkit.workflows.runs.results import RunResults
from evalkit.workflows.scoring import SuiteScoring

CASES = 700
SNAPSHOT = SuiteSnapshot(
    suite="some",
    golden="some@v1",
    golden_path="goldensets/some/v1/cases.jsonl",
    cases=Cases.of(
        Case(
            id=f"c{number:03}",
            input={"text": f"Which label has ticket {number}?"},
            expected={"output": "ok"},
        )
        for number in range(CASES)
    ),
    scorers=({"exact": {}}, {"regex": {"pattern": "o"}}),
    gate={"min_pass_rate": 0.5, "invariants": ["forbidden_tools"]},
    has_baseline=False,
    trials=1,
)


def attempt(number: int, state: Any = "answered", **more: Any) -> Attempt:
    """An attempt at the case of that number; every ninth answers something else."""
    answered = state == "answered"
    made = Attempt(
        at="2026-12-01T08:00:00+00:00",
        variant="candidate",
        suite="some",
        case=f"c{number:03}",
        trial=1,
        key=f"k{number}",
        state=state,
        failure_mode=None,
        origin="live" if answered else None,
        output=("no" if number % 9 == 0 else "ok") if answered else None,
        cost_usd=0.001 + number * 1e-7 if answered else None,
        latency_s=0.5 if answered else None,
        measurement_id=f"m{number}",
    )
    return msgspec.structs.replace(made, **more)


def taken(
    folder: Path, before: Iterable[Attempt], now: Iterable[Attempt], judged: Sequence[Judgment] = ()
) -> None:
    """Attempts of an earlier process and of this one; what is known must be what the files hold."""
    bundle = Bundle(folder)
    calls = RunCalls()
    with bundle.journal(calls) as journal:
        for each in before:
            journal.append(each)
    with bundle.journal(calls) as journal, closing(calls), bundle.score_spool() as spool:
        results = RunResults({"some": SuiteScoring(SNAPSHOT)}, bundle, spool)
        for each in results.attempts:
            if each.has_result:
                results.take(each)
        for each in now:
            journal.append(each)
            results.take(each)
        for judgment in judged:
            results.take_judgment(judgment)
        early = results.table([SNAPSHOT])
        with Keeping() as keeping:
            scores = results.write_scores(keeping)
        results.keep_scores()
        table = results.table_of([SNAPSHOT], scores)

    attempts = bundle.attempts()
    anew = tuple(score_attempts([SNAPSHOT], attempts, judged))
    expected = ResultTable([SNAPSHOT], attempts, anew, judged)
    assert sorted(bundle.read_scores(attempts), key=str) == sorted(anew, key=str)
    assert list(bundle.read_scores(attempts)) == list(scores)
    for found in (early, table):
        assert list(found.cases(SNAPSHOT, 1)) == list(expected.cases(SNAPSHOT, 1))
        assert decide_table([SNAPSHOT], found) == decide_table([SNAPSHOT], expected)
    added = sum_arms(attempts, expected.outcomes)
    assert {arm: each.totals(arm[1]) for arm, each in results.sums(table).items()} == {
        arm: each.totals(arm[1]) for arm, each in added.items()
    }
    for each in attempts:
        assert table.outcomes.passes.get(each.place) == expected.outcomes.passes.get(each.place)
        assert table.outcomes.modes.get(each.place) == expected.outcomes.modes.get(each.place)


def some(numbers: Iterable[int]) -> list[Attempt]:
    """Attempts of which some broke down, and some were lost to a policy."""
    return [
        attempt(number, "error", failure_mode=FailureMode.TIMEOUT)
        if number % 50 == 3
        else attempt(number, "blocked", failure_mode=FailureMode.POLICY)
        if number % 50 == 4
        else attempt(number)
        for number in numbers
    ]


def test_a_run_in_one_go(tmp_path: Path) -> None:
    taken(tmp_path, [], some(range(CASES)))


def test_a_run_that_ended_too_early(tmp_path: Path) -> None:
    taken(tmp_path, [], some(range(300)))


@pytest.mark.parametrize("again", [True, False])
def test_a_run_that_is_gone_on_with_and_what_broke_down_is_made_again_or_not(
    again: bool, tmp_path: Path
) -> None:
    before = some(range(400))
    broke = [number for number, each in enumerate(before) if not each.has_result]
    assert broke
    rest = some(range(400, CASES))
    taken(tmp_path, before, [*([attempt(number) for number in broke] if again else []), *rest])


def test_a_run_with_a_judgment(tmp_path: Path) -> None:
    judgment = Judgment(
        at="2026-12-01T08:00:00+00:00",
        variant="candidate",
        suite="some",
        case="c001",
        trial=1,
        scorer="tone",
        rubric="tone@v1",
        judge="sha256:judge",
        subject="sha256:subject",
        opinion=Opinion(state="error"),
    )
    taken(tmp_path, [], some(range(CASES)), [judgment])
