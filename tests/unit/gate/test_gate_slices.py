"""Slices: required ones all have to pass, advisory ones never gate."""

from collections.abc import Callable

from evalkit.gate import CaseResult, GateSettings, SliceSettings, decide_suite
from evalkit.gate.slices import decide_slices
from evalkit.records.verdict import Outcome, PartVerdict

Table = Callable[..., list[CaseResult]]


def _parts(cases: list[CaseResult], **slices: SliceSettings) -> dict[str, PartVerdict]:
    parts = decide_slices(cases, GateSettings(slices=slices))
    return {part.name: part for part in parts}


def test_a_required_slice_without_cases_does_not_pass(table: Table) -> None:
    settings = GateSettings(slices={"high_risk": SliceSettings(min_pass_rate="0.95")})
    verdict = decide_suite("support", table(500), settings)
    assert verdict.parts[1].outcome is Outcome.NOT_MEASURED
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "high_risk" in verdict.parts[1].message


def test_a_slice_floor_reads_its_own_cases_only(table: Table) -> None:
    cases = table(500) + table(9, 1, tags=("high_risk",), prefix="risky")
    parts = _parts(cases, high_risk=SliceSettings(min_pass_rate="0.95"))
    assert parts["slice:high_risk floor"].outcome is Outcome.FAIL
    assert list(parts) == ["slice:high_risk floor"]


def test_a_slice_without_a_rule_takes_the_drop_of_the_suite(table: Table) -> None:
    parts = _parts(table(200, tags=("refunds",)), refunds=SliceSettings())
    assert parts["slice:refunds drop"].outcome is Outcome.PASS
    assert parts["slice:refunds drop"].margin == 0.03


def test_a_small_slice_says_what_it_needs(table: Table) -> None:
    part = _parts(table(40, tags=("refunds",)), refunds=SliceSettings())["slice:refunds drop"]
    assert part.outcome is Outcome.INCONCLUSIVE
    assert "88" in part.message
    assert "6.34 pp" in (part.what_would_settle or "")


def test_a_small_slice_passes_a_margin_of_its_own(table: Table) -> None:
    cases = table(40, tags=("refunds",))
    parts = _parts(cases, refunds=SliceSettings(max_drop_pp="6.4"))
    assert parts["slice:refunds drop"].outcome is Outcome.PASS


def test_a_failing_slice_fails_the_suite_that_hides_it(table: Table) -> None:
    cases = table(1800) + table(180, 20, tags=("refunds",), prefix="refund")
    settings = GateSettings(slices={"refunds": SliceSettings()})
    verdict = decide_suite("support", cases, settings)
    assert [part.outcome for part in verdict.parts] == [Outcome.PASS, Outcome.FAIL]
    assert verdict.outcome is Outcome.FAIL


def test_among_many_slices_a_weak_failure_is_chance(table: Table) -> None:
    # z = 7 / sqrt(11), p = .017: real alone, not as one of ten
    weak = table(189, 9, 2, tags=("s0",), prefix="s0")
    others = [c for i in range(1, 10) for c in table(200, tags=(f"s{i}",), prefix=f"s{i}")]
    alone = _parts(weak, s0=SliceSettings())
    among = _parts(weak + others, **{f"s{i}": SliceSettings() for i in range(10)})
    assert alone["slice:s0 drop"].outcome is Outcome.FAIL
    assert among["slice:s0 drop"].outcome is Outcome.INCONCLUSIVE
    assert "Holm" in among["slice:s0 drop"].message
    assert among["slice:s1 drop"].outcome is Outcome.PASS
    # what would settle it is more than the slice alone would need
    assert "fail in 80 % among the slices" in (among["slice:s0 drop"].what_would_settle or "")
    assert not among["slice:s0 drop"].held


def test_a_case_counts_once_in_a_slice_it_names_twice(table: Table) -> None:
    part = _parts(table(200, tags=("x", "x")), x=SliceSettings())["slice:x drop"]
    assert part.counts is not None and part.counts.cases == 200


def test_an_advisory_slice_is_reported_and_never_gates(table: Table) -> None:
    cases = table(1800) + table(180, 20, tags=("refunds",), prefix="refund")
    advisory = SliceSettings(required=False, max_drop_pp=3, min_pass_rate="0.99")
    verdict = decide_suite("support", cases, GateSettings(slices={"refunds": advisory}))
    assert [part.outcome for part in verdict.parts[1:]] == [Outcome.FAIL, Outcome.FAIL]
    assert verdict.outcome is Outcome.PASS


def test_unknown_attempts_of_a_slice_decide_nothing_in_it(table: Table) -> None:
    cases = table(100, lost=3, tags=("refunds",))
    part = _parts(cases, refunds=SliceSettings())["slice:refunds drop"]
    assert (part.best, part.worst) == (Outcome.PASS, Outcome.INCONCLUSIVE)
    assert part.outcome is Outcome.INCONCLUSIVE
