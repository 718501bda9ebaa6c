"""Two sides held next to each other: what changed, how much, and what cannot be compared."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.gate import GateSettings, SliceSettings
from evalkit.records.case import Case
from evalkit.records.comparison import Comparison
from evalkit.records.score import Score
from evalkit.report.comparison import compare_run, compare_runs
from evalkit.report.diff import diff_json
from evalkit.report.pairing import classify
from tests.unit.report.conftest import Builder, MakeRun, Results, Spec

T, F, N = True, False, None


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ((T,), (F,), "regression"),
        ((F,), (T,), "fix"),
        ((T,), (T,), "same"),
        ((F,), (F,), "failing"),
        ((T,), (N,), "error"),
        ((N,), (T,), "error"),
        ((F,), (N,), "error"),
        ((T, T), (T, F), "regression"),
        ((T, T), (F, N), "regression"),  # passes at most one of two, whatever the error hides
        ((T, T), (T, N), "error"),  # may have passed both
        ((F, F), (T, N), "fix"),
        ((N, F), (T, T), "fix"),
        ((T, F), (F, T), "flip"),
        ((T,), (T, T, T, F), "regression"),
        ((T, T, T, F), (T, T, T, T, T, T, F, F), "flip"),  # three in four, both
        (None, (T,), "same"),
        (None, (F,), "failing"),
        (None, (T, F), "flip"),
        (None, (N,), "error"),
    ],
)
def test_a_change_is_one_only_if_no_missing_result_could_undo_it(
    before: Results | None, after: Results, kind: str
) -> None:
    assert classify(before, after) == kind


def test_changes_come_worst_first_and_the_largest_loss_first(make_run: MakeRun) -> None:
    run, passes = make_run(
        {
            "same": ((T, T), (T, T)),
            "fix": ((F, F), (T, T)),
            "flip": ((T, F), (F, T)),
            "failing": ((F, F), (F, F)),
            "half": ((T, T), (T, F)),
            "error": ((T, T), (T, N)),
            "lost": ((T, T), (F, F)),
        }
    )
    suite = compare_run(run, passes).suites[0]
    assert [(change.case, change.kind) for change in suite.changes] == [
        ("lost", "regression"),
        ("half", "regression"),
        ("error", "error"),
        ("fix", "fix"),
        ("flip", "flip"),
        ("failing", "failing"),
    ]
    assert suite.counts == {
        "regression": 2,
        "error": 1,
        "fix": 1,
        "flip": 1,
        "failing": 1,
        "same": 1,
    }


def test_a_regression_shows_what_was_asked_both_answers_the_scorer_and_the_line(
    make_run: MakeRun,
) -> None:
    case = Case(id="b", input={"ticket": "Hi"}, expected={"output": "payment"}, tags=("short",))
    run, passes = make_run({"a": ((T,), (T,)), "b": ((T,), (F,))}, cases={"b": case})
    change = compare_run(run, passes).suites[0].changes[0]
    assert change.place == "goldensets/routing/v1/cases.jsonl:2"
    assert (change.input, change.expected) == ({"ticket": "Hi"}, {"output": "payment"})
    assert change.before is not None
    assert (change.before.output, change.after.output) == ("payment", "wish")
    assert (change.before.tokens, change.after.tokens) == (1_004, 404)
    assert (change.before.cost_usd, change.after.cost_usd) == (0.001004, 0.000404)
    assert change.tags == ("short",)
    assert [(each.scorer, each.fresh, each.message) for each in change.findings] == [
        ("exact", True, 'expected "payment", found "wish"')
    ]


def test_a_regression_shows_a_trial_that_passed_before_and_failed_after(
    make_run: MakeRun,
) -> None:
    run, passes = make_run({"a": ((F, T, T), (T, F, F))})
    change = compare_run(run, passes).suites[0].changes[0]
    assert change.before is not None
    assert (change.before.trial, change.after.trial) == (2, 2)
    assert change.after.passed == (T, F, F)


def test_a_scorer_that_failed_before_as_well_is_not_what_broke(make_run: MakeRun) -> None:
    def score(variant: str, scorer: str, passed: bool | None, gate: bool = True) -> Score:
        state = "scored" if passed is not None else "error"
        return Score(
            suite="routing",
            variant=variant,
            case="a",
            trial=1,
            scorer=scorer,
            kind="exact",
            state=state,  # type: ignore[arg-type]
            passed=passed,
            gate=gate,
        )

    scores = (
        score("baseline", "style", False, gate=False),
        score("baseline", "intent", True),
        score("baseline", "schema", True),
        score("candidate", "style", False, gate=False),
        score("candidate", "intent", False),
        score("candidate", "schema", None),
    )
    run, passes = make_run({"a": ((T,), (F,))}, scores=scores)
    findings = compare_run(run, passes).suites[0].changes[0].findings
    assert [(each.scorer, each.fresh, each.state) for each in findings] == [
        ("intent", True, "scored"),
        ("schema", True, "error"),
        ("style", False, "scored"),
    ]


def test_a_fix_says_what_used_to_be_wrong(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((F,), (T,))})
    change = compare_run(run, passes).suites[0].changes[0]
    assert [(each.scorer, each.fresh) for each in change.findings] == [("exact", True)]


def test_an_attempt_that_was_never_made_is_a_missing_result(make_run: MakeRun) -> None:
    gone = ("routing", "candidate", "a", 1)
    run, passes = make_run({"a": ((T,), (T,)), "b": ((T,), (T,))}, missing=frozenset({gone}))
    suite = compare_run(run, passes).suites[0]
    assert [(change.case, change.kind) for change in suite.changes] == [("a", "error")]
    assert suite.changes[0].after.state is None
    assert (suite.overall.unknown, suite.after.amounts.unknown) == (1, 1)


def test_without_a_baseline_the_failing_cases_are_listed(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((), (F,)), "b": ((), (T,))}, has_baseline=False)
    suite = compare_run(run, passes).suites[0]
    assert suite.before is None
    assert [(change.case, change.kind, change.before) for change in suite.changes] == [
        ("a", "failing", None)
    ]
    assert suite.overall.before_rate is None
    assert suite.overall.after_rate == 0.5
    assert suite.changes[0].findings[0].fresh


outcomes = st.sampled_from([T, F, N])


@given(
    st.lists(
        st.tuples(st.lists(outcomes, min_size=2, max_size=2), st.lists(outcomes, min_size=3)),
        min_size=1,
        max_size=12,
    )
)
def test_rates_and_flips_are_the_gates_own_where_nothing_is_unknown(
    sides: list[tuple[list[Any], list[Any]]],
) -> None:
    results = {
        f"c{number}": (tuple(before), tuple(after[:3]))
        for number, (before, after) in enumerate(sides)
    }
    settings = GateSettings(max_drop_pp=3, max_error_share=1)
    run, passes = Builder(Spec(results=results, settings=settings)).build()
    suite = compare_run(run, passes).suites[0]
    assert suite.verdict is not None
    part = suite.verdict.parts[0]
    assert part.counts is not None
    row = suite.overall
    assert row.unknown == suite.verdict.unknown
    assert row.whole == (row.unknown == 0)
    if row.whole:
        assert row.before_rate == pytest.approx(part.baseline_rate)
        assert row.after_rate == pytest.approx(part.candidate_rate)
        assert (row.b, row.c) == pytest.approx((part.counts.b, part.counts.c))
        return
    for rate, known, side in (
        (row.before_rate, row.before_known, 0),
        (row.after_rate, row.after_known, 1),
    ):
        made = [result for case in results.values() for result in case[side] if result is not None]
        assert known == len(made)
        assert rate == (pytest.approx(sum(made) / len(made)) if made else None)


def test_a_case_without_a_result_on_a_side_is_no_flip(make_run: MakeRun) -> None:
    run, passes = make_run(
        {
            "never": ((N,), (N,)),
            "after": ((T,), (N,)),
            "before": ((N,), (T,)),
            "lost": ((T,), (F,)),
        }
    )
    row = compare_run(run, passes).suites[0].overall
    assert (row.b, row.c, row.unknown) == (1.0, 0.0, 3)
    assert (row.before_rate, row.after_rate) == (1.0, 0.5)


def test_slices_are_rows_with_the_largest_loss_first(make_run: MakeRun) -> None:
    def tagged(case: str, *tags: str) -> Case:
        return Case(id=case, input={}, tags=tags)

    cases = {"a": tagged("a", "long", "angry"), "b": tagged("b", "long"), "c": tagged("c", "short")}
    run, passes = make_run(
        {"a": ((T,), (F,)), "b": ((T,), (T,)), "c": ((F,), (T,))},
        cases=cases,
        settings=GateSettings(max_drop_pp=3, slices={"long": SliceSettings(max_drop_pp=10)}),
    )
    suite = compare_run(run, passes).suites[0]
    rows = [
        (row.tag, row.cases, row.before_rate, row.after_rate, row.b, row.c) for row in suite.slices
    ]
    assert rows == [
        ("angry", 1, 1.0, 0.0, 1.0, 0.0),
        ("long", 2, 1.0, 0.5, 1.0, 0.0),
        ("short", 1, 0.0, 1.0, 0.0, 1.0),
    ]


def test_a_scorers_row_counts_only_what_it_applied_to(make_run: MakeRun) -> None:
    def score(variant: str, case: str, state: str, passed: bool | None) -> Score:
        return Score(
            suite="routing",
            variant=variant,
            case=case,
            trial=1,
            scorer="tools",
            kind="tool_calls",
            state=state,  # type: ignore[arg-type]
            passed=passed,
            gate=True,
        )

    scores = (
        score("baseline", "a", "scored", T),
        score("baseline", "b", "not_applicable", N),
        score("baseline", "c", "scored", T),
        score("candidate", "a", "scored", F),
        score("candidate", "b", "not_applicable", N),
        score("candidate", "c", "error", N),
    )
    run, passes = make_run(dict.fromkeys("abc", ((T,), (F,))), scores=scores)
    (row,) = compare_run(run, passes).suites[0].scorers
    assert (row.before_applied, row.after_applied, row.errors) == (2, 2, 1)
    assert (row.before_rate, row.after_rate) == (1.0, 0.0)
    assert (row.b, row.c) == (2.0, 0.0)


def test_amounts_are_sums_and_an_unknown_price_makes_the_cost_unknown(make_run: MakeRun) -> None:
    run, passes = make_run(
        {"a": ((T,), (T,)), "b": ((T,), (N,))},
        attempts={("routing", "baseline", "a", 1): {"cost_usd": None}},
    )
    suite = compare_run(run, passes).suites[0]
    assert suite.before is not None
    assert suite.before.amounts.cost_usd is None
    amounts = suite.after.amounts
    assert amounts.cost_usd == pytest.approx(0.000404)  # an error without tokens needs no price
    assert (amounts.attempts, amounts.measured, amounts.passed, amounts.unknown) == (2, 1, 1, 1)


def test_errors_do_not_make_a_side_look_cheap(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((T,), (T,)), "b": ((T,), (N,))})
    amounts = compare_run(run, passes).suites[0].after.amounts
    assert (amounts.tokens, amounts.tokens_per_attempt) == (404, 404)
    assert amounts.cost_usd_per_attempt == pytest.approx(0.000404)


def test_only_live_calls_have_a_latency(make_run: MakeRun) -> None:
    replayed, passes = make_run({"a": ((T,), (T,))}, origin="recording")
    replayed_latency = {"latency_s": 9.0}
    live, live_passes = make_run(
        {f"c{n}": ((T,), (T,)) for n in range(20)},
        origin="live",
        attempts={
            **{("routing", "candidate", f"c{n}", 1): {"latency_s": float(n)} for n in range(20)},
            ("routing", "candidate", "c0", 1): {**replayed_latency, "origin": "cache"},
        },
    )
    assert compare_run(replayed, passes).suites[0].after.amounts.latency_p50_s is None
    amounts = compare_run(live, live_passes).suites[0].after.amounts
    assert (amounts.latency_p50_s, amounts.latency_p95_s) == (10.0, 19.0)


def test_origins_count_attempts_by_where_the_answer_came_from(make_run: MakeRun) -> None:
    run, passes = make_run(
        {"a": ((T,), (T,)), "b": ((T,), (T,)), "c": ((T,), (N,))},
        origin="scripted",
        attempts={("routing", "candidate", "a", 1): {"origin": "cache"}},
    )
    suite = compare_run(run, passes).suites[0]
    assert suite.before is not None
    assert suite.before.origins == {"scripted": 3}
    assert suite.after.origins == {"cache": 1, "scripted": 1}


def test_an_unfinished_run_is_noted_and_has_no_verdict(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((T,), (T,))}, state="interrupted", exit_code=130)
    comparison = compare_run(run, passes)
    assert comparison.notes == (
        "Run 20261124T193301Z-3f2a is interrupted: not every attempt was made.",
    )
    assert comparison.verdict is None
    assert comparison.exit_code == 3


def two_runs(make_run: MakeRun, **second: Any) -> Comparison:
    a, passes_a = make_run({"x": ((T,), (T,)), "old": ((T,), (T,))}, id="run-a")
    results: Mapping[str, tuple[Results, Results]] = {"x": ((F,), (F,)), "new": ((T,), (T,))}
    b, passes_b = make_run(results, id="run-b", **second)
    return compare_runs(a, passes_a, b, passes_b)


def test_two_runs_are_compared_candidate_with_candidate(make_run: MakeRun) -> None:
    comparison = two_runs(make_run)
    suite = comparison.suites[0]
    assert (comparison.before, comparison.after) == ("run-a", "run-b")
    assert suite.before is not None
    assert (suite.before.label, suite.after.label) == ("run-a", "run-b")
    assert [(change.case, change.kind) for change in suite.changes] == [("x", "regression")]


def test_cases_that_only_one_run_has_are_named_and_not_counted(make_run: MakeRun) -> None:
    suite = two_runs(make_run).suites[0]
    assert (suite.only_before, suite.only_after) == (("old",), ("new",))
    assert (suite.cases, suite.overall.cases) == (1, 1)
    assert suite.before is not None
    assert suite.before.amounts.attempts == 1


def test_two_runs_of_the_same_set_have_no_note(make_run: MakeRun) -> None:
    assert two_runs(make_run).suites[0].notes == ()


def test_other_golden_sets_scorers_cases_and_trials_are_noted(make_run: MakeRun) -> None:
    other = Case(id="x", input={"ticket": "Something else"}, expected={"output": "wish"})
    notes = (
        two_runs(
            make_run,
            cases={"x": other},
            snapshot={"golden": "routing@v2", "scorers": ({"contains": {}},), "trials": 2},
        )
        .suites[0]
        .notes
    )
    assert notes == (
        "The golden sets differ: routing@v1 and routing@v2.",
        "1 case changed in what is asked or expected, so the results are not measured alike: x.",
        "The scorers differ, so the pass rates are not measured alike.",
        "The first run made 1 trial a case, the second 2.",
    )


def test_suites_that_only_one_run_has_are_named(make_run: MakeRun) -> None:
    a, passes_a = make_run({"x": ((T,), (T,))}, suite="routing", id="run-a")
    b, passes_b = make_run({"x": ((T,), (T,))}, suite="triage", id="run-b")
    comparison = compare_runs(a, passes_a, b, passes_b)
    assert comparison.suites == ()
    assert (comparison.only_before, comparison.only_after) == (("routing",), ("triage",))


def test_a_verdict_on_two_runs_is_repeated_and_not_made(make_run: MakeRun) -> None:
    a, passes_a = make_run({"x": ((T,), (T,))}, id="run-a")
    b, passes_b = make_run({"x": ((T,), (F,))}, id="run-b")
    assert compare_runs(a, passes_a, b, passes_b).verdict is None
    comparison = compare_runs(a, passes_a, b, passes_b, verdict=b.record.verdict)
    assert comparison.verdict is b.record.verdict
    assert comparison.suites[0].verdict is not None


def test_a_comparison_survives_json(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((T,), (F,)), "b": ((T,), (N,))})
    comparison = compare_run(run, passes)
    assert msgspec.json.decode(diff_json(comparison), type=Comparison) == comparison
