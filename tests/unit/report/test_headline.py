"""The one line that says how something came out, and why."""

from typing import Any

import pytest

from evalkit.records.verdict import Estimate, Outcome, PartVerdict, SuiteVerdict, Verdict
from evalkit.report.headline import part_detail, part_reason, suite_reason, verdict_reason

PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def part(name: str, kind: Any, outcome: Outcome, **figures: Any) -> PartVerdict:
    values: dict[str, Any] = {
        "required": True,
        "message": "A sentence of the gate. And another.",
        "best": outcome,
        "worst": outcome,
    }
    return PartVerdict(name=name, kind=kind, outcome=outcome, **{**values, **figures})


def drop(outcome: Outcome, by: float, **figures: Any) -> PartVerdict:
    estimate = Estimate(drop=by, lower=by - 0.01, upper=by + 0.01)
    return part("drop", "drop", outcome, estimate=estimate, margin=0.03, **figures)


@pytest.mark.parametrize(
    ("decided", "words"),
    [
        (drop(FAIL, 0.05), "the pass rate fell 5 pp; less than 3 pp is allowed"),
        (drop(FAIL, 0.03), "the pass rate fell 3 pp; less than 3 pp is allowed"),
        (
            drop(FAIL, 0.02, rule="strict"),
            "the pass rate fell 2 pp, which is real, and a drop of 3 pp is not ruled out",
        ),
        (drop(PASS, 0.01), "the pass rate fell 1 pp, and a drop of 3 pp is ruled out"),
        (drop(PASS, -0.02), "the pass rate rose 2 pp, and a drop of 3 pp is ruled out"),
        (drop(PASS, 0.0), "the pass rate did not move, and a drop of 3 pp is ruled out"),
        (
            drop(OPEN, 0.02996),
            "the pass rate fell 2.996 pp; a drop of 3 pp is neither shown nor ruled out",
        ),
        (
            part("floor", "floor", FAIL, candidate_rate=0.7996, floor=0.8),
            "the candidate passes 79.96 %, 80.0 % is required",
        ),
        (
            part("floor", "floor", OPEN, candidate_rate=0.79, floor=0.8),
            "the candidate passes 79.0 %, 80.0 % is required, and attempts without a result decide",
        ),
        (
            part("slice:high risk floor", "slice_floor", FAIL, candidate_rate=0.5, floor=0.9),
            "slice high risk passes 50.0 %, 90.0 % is required",
        ),
        (
            part(
                "slice:pii drop",
                "slice_drop",
                FAIL,
                estimate=Estimate(drop=0.2, lower=0.1, upper=0.3),
                margin=0.1,
            ),
            "the pass rate of slice pii fell 20 pp; less than 10 pp is allowed",
        ),
        (
            part(
                "metric:tokens",
                "metric",
                FAIL,
                estimate=Estimate(drop=0.25, lower=0.2, upper=0.3),
                margin=0.1,
            ),
            "tokens changed by +25.0 %; up to +10.0 % is allowed",
        ),
        (
            part(
                "metric:guardrail_rate",
                "metric",
                FAIL,
                estimate=Estimate(drop=0.02, lower=0.01, upper=0.03),
                margin=0.01,
            ),
            "guardrail_rate changed by +2 pp; up to +1 pp is allowed",
        ),
        (part("invariant:policy", "invariant", FAIL), "the invariant policy was broken"),
        (part("invariant:policy", "invariant", PASS), "the invariant policy held"),
        (
            part("invariant:policy", "invariant", OPEN),
            "the invariant policy could not be checked everywhere",
        ),
        (part("gate change", "guard", OPEN), "A sentence of the gate"),
        (part("drop", "drop", Outcome.INCOMPLETE), "too many attempts have no result"),
        (part("metric:cost", "metric", Outcome.NOT_MEASURED), "metric:cost was not measured"),
    ],
)
def test_a_requirement_in_a_few_words(decided: PartVerdict, words: str) -> None:
    assert part_reason(decided) == words


@pytest.mark.parametrize(
    ("decided", "words"),
    [
        (part("invariant:policy", "invariant", PASS), "held"),
        (
            part(
                "metric:tokens",
                "metric",
                PASS,
                estimate=Estimate(drop=-0.4, lower=-0.5, upper=-0.3),
                margin=0.1,
            ),
            "changed by -40.0 %; up to +10.0 % is allowed",
        ),
        (drop(FAIL, 0.05), "the pass rate fell 5 pp; less than 3 pp is allowed"),
    ],
)
def test_beside_its_name_a_requirement_does_not_repeat_it(decided: PartVerdict, words: str) -> None:
    assert part_detail(decided) == words


def suite(name: str, outcome: Outcome, *parts: PartVerdict, **figures: Any) -> SuiteVerdict:
    values: dict[str, Any] = {"unknown": 0, "planned": 100, "on_inconclusive": "escalate"}
    return SuiteVerdict(suite=name, outcome=outcome, parts=parts, **{**values, **figures})


def test_what_failed_is_named_before_what_passed_and_the_rest_is_counted() -> None:
    decided = suite(
        "triage",
        FAIL,
        drop(PASS, 0.0),
        part("invariant:policy", "invariant", FAIL),
        part("floor", "floor", FAIL, candidate_rate=0.5, floor=0.9),
    )
    assert suite_reason(decided) == "the invariant policy was broken; 1 more requirement fails"


def test_an_advisory_requirement_is_never_the_reason() -> None:
    advisory = part("slice:x floor", "slice_floor", FAIL, required=False)
    assert suite_reason(suite("triage", PASS, advisory, drop(PASS, 0.0))).startswith("the pass")


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (
            Verdict(
                outcome=PASS,
                exit_code=0,
                suites=(suite("a", PASS, drop(PASS, 0)), suite("b", PASS, drop(PASS, 0))),
                reasons=(),
            ),
            "all 2 suites passed",
        ),
        (
            Verdict(
                outcome=FAIL,
                exit_code=1,
                suites=(
                    suite("a", PASS, drop(PASS, 0)),
                    suite("b", FAIL, drop(FAIL, 0.05)),
                    suite("c", FAIL, drop(FAIL, 0.06)),
                ),
                reasons=(),
            ),
            "b: the pass rate fell 5 pp; less than 3 pp is allowed; 1 more suite like it",
        ),
        (
            Verdict(
                outcome=OPEN,
                exit_code=1,
                suites=(suite("a", OPEN, drop(OPEN, 0.02), on_inconclusive="fail"),),
                reasons=(),
            ),
            "a: the pass rate fell 2 pp; a drop of 3 pp is neither shown nor ruled out "
            "(on_inconclusive: fail makes that exit 1)",
        ),
        (
            Verdict(outcome=Outcome.NOT_MEASURED, exit_code=3, suites=(), reasons=()),
            "nothing was measured",
        ),
    ],
)
def test_a_verdict_names_the_suite_that_decided(verdict: Verdict, words: str) -> None:
    assert verdict_reason(verdict) == words


def test_a_long_sentence_is_cut_between_words() -> None:
    long = part("gate change", "guard", OPEN, message="The margin was loosened, " * 20)
    reason = part_reason(long)
    assert reason.endswith(("margin …", "loosened …", "was …", "The …"))
    assert len(reason) <= 162
