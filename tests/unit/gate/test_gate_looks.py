"""Looking several times: what each look may err, when it stops, and what another would cost."""

from collections.abc import Callable, Sequence
from fractions import Fraction

import pytest
from msgspec.structs import replace

from evalkit.gate import (
    CaseResult,
    GateSettings,
    MetricSettings,
    SliceSettings,
    TrialResult,
    add_parts,
    apply_waivers,
    decide_looks,
    decide_suite,
    more_trials_help,
    plan_looks,
)
from evalkit.gate.judged import decide_judged_drop
from evalkit.gate.looks import minimum_cases_of
from evalkit.gate.power import ESCALATION_LOOKS
from evalkit.records.verdict import Look, Outcome, PartVerdict, SuiteVerdict, Waiver
from tests.unit.gate.judged_parts import drop, judged, question

Table = Callable[..., list[CaseResult]]
LOOKS = plan_looks(trials=1, alpha=0.05, max_trials=4)
SETTINGS = GateSettings()


def _held(name: str = "gate change") -> PartVerdict:
    open_ = Outcome.INCONCLUSIVE
    return PartVerdict(
        name=name,
        kind="guard",
        outcome=open_,
        best=open_,
        worst=open_,
        required=True,
        held=True,
        message="The margin was raised.",
    )


def _repeated(cases: Sequence[CaseResult], trials: int) -> list[CaseResult]:
    """The cases with every arm's one attempt made `trials` times with the same result."""
    return [
        replace(case, baseline=case.baseline * trials, candidate=case.candidate * trials)
        for case in cases
    ]


def _calming(table: Table, after: int) -> Callable[[int], list[CaseResult]]:
    """Five hundred cases with 30 flips each way, which `after` trials turn out to be noise."""

    def at(trials: int) -> list[CaseResult]:
        noisy = _repeated(table(0, 30, 30), trials) if trials < after else table(60, trials=trials)
        steady = table(440, trials=trials, prefix="steady")
        return [*noisy, *steady]

    return at


def test_the_looks_of_the_default_alpha_are_those_of_the_design() -> None:
    assert [(look.trials, look.alpha) for look in LOOKS] == list(ESCALATION_LOOKS)
    assert all(look.outcome is None for look in LOOKS)


@pytest.mark.parametrize(
    ("trials", "max_trials", "planned"),
    [
        (1, 1, []),
        (1, 2, [(1, 0.01), (2, 0.04)]),
        (1, 3, [(1, 0.01), (2, 0.04)]),
        (3, 4, [(3, 0.01), (6, 0.015), (12, 0.025)]),
        (1, 100, [(1, 0.01), (2, 0.015), (4, 0.025)]),
    ],
)
def test_looks_are_multiples_of_the_trials_and_share_alpha(
    trials: int, max_trials: int, planned: list[tuple[int, float]]
) -> None:
    looks = plan_looks(trials=trials, alpha=0.05, max_trials=max_trials)
    assert [(look.trials, look.alpha) for look in looks] == planned


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.2, 0.3])
def test_the_shares_add_up_to_alpha(alpha: float) -> None:
    for max_trials in (2, 4):
        looks = plan_looks(trials=1, alpha=alpha, max_trials=max_trials)
        assert sum(look.alpha for look in looks) == pytest.approx(alpha, abs=1e-15)


@pytest.mark.parametrize(
    "wrong", [{"trials": 0}, {"max_trials": 0}, {"alpha": 0.5}, {"alpha": 0.0}]
)
def test_looks_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    given = {"trials": 1, "alpha": 0.05, "max_trials": 4, **wrong}
    with pytest.raises(ValueError, match=r"trial|alpha"):
        plan_looks(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("groups", "looks"), [(124, 0), (125, 3)])
def test_too_few_cases_for_every_look_are_looked_at_once(groups: int, looks: int) -> None:
    planned = plan_looks(trials=1, alpha=0.05, max_trials=4, groups=groups, margin="0.03")
    assert len(planned) == looks


def test_the_minimum_is_that_of_the_first_look_and_of_the_most_lenient() -> None:
    looked, once = minimum_cases_of(LOOKS, "0.03", 0.05), minimum_cases_of((), "0.03", 0.05)
    assert (looked.first, looked.smallest) == (175, 125)
    assert (once.first, once.smallest) == (88, 88)


def test_a_clear_case_is_decided_at_the_first_look(table: Table) -> None:
    for cases, outcome in ((table(300), Outcome.PASS), (table(200, 40), Outcome.FAIL)):
        verdict = decide_looks("s", lambda k, c=cases: _repeated(c, k), SETTINGS, LOOKS, 4)
        assert verdict.outcome is outcome
        assert [look.outcome for look in verdict.looks] == [outcome]
        assert verdict.parts[0].alpha == 0.01
        assert "Look 1 of 3 decided, at 1 trial a case with alpha 0.01" in verdict.notes[0]


def test_an_open_look_is_followed_by_the_next_until_one_decides(table: Table) -> None:
    verdict = decide_looks("s", _calming(table, after=2), SETTINGS, LOOKS, 4)
    assert [(look.trials, look.outcome) for look in verdict.looks] == [
        (1, Outcome.INCONCLUSIVE),
        (2, Outcome.PASS),
    ]
    assert verdict.parts[0].alpha == 0.015
    assert verdict.outcome is Outcome.PASS


def test_a_look_that_was_not_reached_is_not_taken(table: Table) -> None:
    verdict = decide_looks("s", _calming(table, after=4), SETTINGS, LOOKS, 3)
    assert [look.trials for look in verdict.looks] == [1, 2]
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "look again at 4 trials a case" in (verdict.parts[0].what_would_settle or "")
    assert more_trials_help(verdict, LOOKS)


def test_after_the_last_look_nothing_more_is_offered(table: Table) -> None:
    verdict = decide_looks("s", _calming(table, after=9), SETTINGS, LOOKS, 4)
    assert [look.trials for look in verdict.looks] == [1, 2, 4]
    assert not more_trials_help(verdict, LOOKS)
    assert "look again" not in (verdict.parts[0].what_would_settle or "")


def test_a_first_look_that_was_not_reached_is_incomplete_and_not_green(table: Table) -> None:
    looks = plan_looks(trials=2, alpha=0.05, max_trials=4)

    def at(trials: int) -> list[CaseResult]:
        made = table(300)
        lost = (TrialResult(passed=None),) * (trials - 1)
        return [replace(c, candidate=c.candidate + lost) for c in made]

    verdict = decide_looks("s", at, SETTINGS, looks, 1)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert [look.trials for look in verdict.looks] == [2]


def test_without_looks_there_is_one_with_the_whole_of_alpha(table: Table) -> None:
    once = decide_looks("s", lambda k: table(100, trials=k), SETTINGS, (), 2)
    assert once == decide_suite("s", table(100, trials=2), SETTINGS)
    assert once.looks == ()


def test_looks_are_decided_the_same_again(table: Table) -> None:
    again = [decide_looks("s", _calming(table, after=2), SETTINGS, LOOKS, 4) for _ in range(2)]
    assert again[0] == again[1]


def test_looking_more_often_asks_for_more_at_each_look(table: Table) -> None:
    # 6 of 200 is significant at 0.05 (p = .007) and at 0.01; 5 of 200 (p = .013) is not at 0.01
    strict = GateSettings(rule="strict")  # type: ignore[arg-type]
    cases = table(195, 5)
    assert decide_suite("s", cases, strict).outcome is Outcome.FAIL
    first = decide_looks("s", lambda k: _repeated(cases, k), strict, LOOKS, 1)
    assert first.outcome is Outcome.INCONCLUSIVE


def test_more_trials_help_where_the_interval_is_too_wide(table: Table) -> None:
    assert more_trials_help(decide_suite("s", table(180, 10, 10), SETTINGS))


@pytest.mark.parametrize(
    "outcome", [Outcome.PASS, Outcome.FAIL, Outcome.INCOMPLETE, Outcome.NOT_MEASURED]
)
def test_more_trials_do_not_help_a_suite_that_is_decided(table: Table, outcome: Outcome) -> None:
    cases = {
        Outcome.PASS: table(300),
        Outcome.FAIL: table(200, 40),
        Outcome.INCOMPLETE: table(150, lost=150),
        Outcome.NOT_MEASURED: [],
    }[outcome]
    verdict = decide_suite("s", cases, SETTINGS)
    assert verdict.outcome is outcome
    assert not more_trials_help(verdict)


def test_more_trials_do_not_help_where_only_a_missing_result_decides(table: Table) -> None:
    settings = GateSettings(max_drop_pp="1.4")
    verdict = decide_suite("s", table(491, lost=9), settings)
    assert (verdict.parts[0].best, verdict.outcome) == (Outcome.PASS, Outcome.INCONCLUSIVE)
    assert not more_trials_help(verdict)


def test_more_trials_help_where_it_is_open_whatever_is_missing(table: Table) -> None:
    verdict = decide_suite("s", table(170, 10, 10, lost=1), SETTINGS)
    assert (verdict.unknown, verdict.parts[0].best) == (1, Outcome.INCONCLUSIVE)
    assert more_trials_help(verdict)


def test_more_trials_do_not_lift_a_guard(table: Table) -> None:
    passing = add_parts(decide_suite("s", table(300), SETTINGS), [_held()])
    assert passing.outcome is Outcome.INCONCLUSIVE
    assert not more_trials_help(passing)


def test_more_trials_do_not_undo_what_fails_beside_an_open_part(table: Table) -> None:
    settings = GateSettings(min_pass_rate="0.99")
    verdict = decide_suite("s", table(180, 10, 10), settings)
    assert [part.outcome for part in verdict.parts] == [Outcome.INCONCLUSIVE, Outcome.FAIL]
    assert not more_trials_help(verdict)


def test_more_trials_do_not_measure_what_was_not_measured(table: Table) -> None:
    settings = GateSettings(metrics={"tokens": MetricSettings(max_increase_pct=10)})
    verdict = decide_suite("s", table(300), settings)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert not more_trials_help(verdict)


def test_more_trials_do_not_help_an_advisory_part(table: Table) -> None:
    cases = table(90, 5, 5, tags=("x",)) + table(300, prefix="other")
    advisory = {"x": SliceSettings(max_drop_pp=3, required=False)}
    verdict = decide_suite(
        "s", cases, GateSettings(max_drop_pp=None, slices=advisory, alpha=0.05, min_pass_rate="0.5")
    )
    assert not more_trials_help(verdict)


def test_more_trials_help_a_metric_that_is_open() -> None:
    def case(i: int) -> CaseResult:
        before, after = 10.0 * (1 + i % 7), 10.0 * (1 + (3 * i) % 7)
        return CaseResult(
            case=str(i),
            baseline=(TrialResult(passed=True, tokens=before),),
            candidate=(TrialResult(passed=True, tokens=after),),
        )

    metrics = {"tokens": MetricSettings(max_increase_pct=5)}
    settings = GateSettings(max_drop_pp=None, metrics=metrics)
    many = decide_suite("s", [case(i) for i in range(50)], settings)
    few = decide_suite("s", [case(i) for i in range(10)], settings)
    assert many.outcome is few.outcome is Outcome.INCONCLUSIVE
    assert more_trials_help(many, LOOKS)
    assert not more_trials_help(few, LOOKS)


@pytest.mark.parametrize(("n", "helps"), [(124, False), (125, True), (150, True)])
def test_no_trials_are_bought_for_cases_that_no_look_could_pass(
    table: Table, n: int, helps: bool
) -> None:
    verdict = decide_looks("s", lambda k: table(n, trials=k), SETTINGS, LOOKS, 1)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert more_trials_help(verdict, LOOKS) is helps
    settle = verdict.parts[0].what_would_settle or ""
    assert ("125" in settle and "needs 88" in settle) is not helps


def test_groups_and_not_cases_are_held_against_the_minimum(table: Table) -> None:
    verdict = decide_looks("s", lambda k: table(300, trials=k, per_group=3), SETTINGS, LOOKS, 1)
    assert not more_trials_help(verdict, LOOKS)


def test_what_was_accepted_asks_for_no_further_look(table: Table) -> None:
    def accept(verdict: SuiteVerdict) -> SuiteVerdict:
        waiver = Waiver(
            id="w",
            suite="s",
            part="drop",
            reason="known",
            accepted_by="Ada",
            on="2026-01-01",
            until="2026-02-01",
            up_to=20.0,
        )
        return apply_waivers(verdict, [waiver], "2026-01-15")

    cases = table(240, 20, tags=("x",)) + table(200, 10, 10, tags=("y",), prefix="y")
    plain = decide_looks("s", lambda k: _repeated(cases, k), SETTINGS, LOOKS, 4)
    accepted = decide_looks("s", lambda k: _repeated(cases, k), SETTINGS, LOOKS, 4, revise=accept)
    assert plain.outcome is not Outcome.PASS
    assert accepted.outcome is Outcome.PASS
    assert [look.outcome for look in accepted.looks] == [Outcome.PASS]


def test_an_accepted_failure_leaves_the_rest_to_further_looks(table: Table) -> None:
    settings = GateSettings(slices={"y": SliceSettings(max_drop_pp=5)})
    waiver = Waiver(
        id="w",
        suite="s",
        part="drop",
        reason="known",
        accepted_by="Ada",
        on="2026-01-01",
        until="2026-02-01",
        up_to=20.0,
    )

    def at(trials: int) -> list[CaseResult]:
        failing = _repeated(table(200, 40), trials)
        noise = (
            table(0, 8, 8, prefix="n", tags=("y",))
            if trials < 2
            else table(16, prefix="n", tags=("y",), trials=trials)
        )
        return [*failing, *noise, *table(184, prefix="y", tags=("y",), trials=trials)]

    verdict = decide_looks(
        "s",
        at,
        settings,
        LOOKS,
        4,
        revise=lambda verdict: apply_waivers(verdict, [waiver], "2026-01-15"),
    )
    assert [look.outcome for look in verdict.looks] == [Outcome.INCONCLUSIVE, Outcome.PASS]


def test_a_guard_is_part_of_every_look(table: Table) -> None:
    verdict = decide_looks(
        "s",
        lambda k: table(300, trials=k),
        SETTINGS,
        LOOKS,
        4,
        revise=lambda verdict: add_parts(verdict, [_held()]),
    )
    assert verdict.looks == (Look(trials=1, alpha=0.01, outcome=Outcome.INCONCLUSIVE),)
    assert verdict.parts[0].kind == "guard"


def test_a_suite_that_a_guard_holds_back_buys_no_further_trials(table: Table) -> None:
    undecided = decide_suite("s", table(150, 10, 6, 34), GateSettings(alpha=0.01))
    assert more_trials_help(undecided)
    assert not more_trials_help(add_parts(undecided, [_held()]))


def _judged_at(open_until: int, *, blocked: bool = False) -> Callable[..., list[PartVerdict]]:
    """A judge whose corrected interval is too wide until so many trials; `asked` is what it saw."""

    def parts(trials: int, settings: GateSettings) -> list[PartVerdict]:
        half = 0.06 if trials < open_until else 0.02
        figures = drop(0.0, -half, half)
        asked = question(
            alpha=settings.alpha, blocked=("Nobody has measured it.",) if blocked else ()
        )
        return [decide_judged_drop(asked, Fraction(3, 100), judged(), best=figures, worst=figures)]

    return parts


def _steady(table: Table) -> Callable[[int], list[CaseResult]]:
    return lambda trials: table(500, trials=trials)


@pytest.mark.parametrize(("open_until", "looks"), [(1, 1), (2, 2), (4, 3), (9, 3)])
def test_a_judge_that_is_open_is_looked_at_again_as_far_as_it_takes(
    table: Table, open_until: int, looks: int
) -> None:
    further = _judged_at(open_until)
    verdict = decide_looks("s", _steady(table), SETTINGS, LOOKS, 4, further_parts=further)
    assert len(verdict.looks) == looks
    part = next(each for each in verdict.parts if each.kind == "judge")
    assert verdict.outcome is part.outcome
    assert verdict.outcome is (Outcome.INCONCLUSIVE if open_until > 4 else Outcome.PASS)


def test_further_parts_are_decided_at_the_trials_and_the_alpha_of_each_look(table: Table) -> None:
    seen: list[tuple[int, float]] = []

    def further(trials: int, settings: GateSettings) -> list[PartVerdict]:
        seen.append((trials, settings.alpha))
        return _judged_at(9)(trials, settings)

    decide_looks("s", _steady(table), SETTINGS, LOOKS, 4, further_parts=further)
    assert seen == [(look.trials, look.alpha) for look in LOOKS]
    seen.clear()
    decide_looks("s", _steady(table), SETTINGS, (), 2, further_parts=further)
    assert seen == [(2, SETTINGS.alpha)]


def test_an_open_judge_says_at_how_many_trials_the_gate_can_look_again(table: Table) -> None:
    verdict = decide_looks("s", _steady(table), SETTINGS, LOOKS, 1, further_parts=_judged_at(9))
    part = next(each for each in verdict.parts if each.kind == "judge")
    assert more_trials_help(verdict, LOOKS)
    assert "look again at 2 trials a case" in str(part.what_would_settle)


def test_no_trials_are_bought_for_a_judge_that_nobody_vouches_for(table: Table) -> None:
    further = _judged_at(1, blocked=True)
    verdict = decide_looks("s", _steady(table), SETTINGS, LOOKS, 4, further_parts=further)
    assert (verdict.outcome, len(verdict.looks)) == (Outcome.INCONCLUSIVE, 1)
    assert not more_trials_help(verdict, LOOKS)


def test_further_parts_are_waived_and_guarded_as_all_others_are(table: Table) -> None:
    waiver = Waiver(
        id="W1", suite="s", part="judge tone", reason="known", accepted_by="Ada",
        on="2026-06-01", until="2026-07-01", up_to=1.0,
    )  # fmt: skip
    verdict = decide_looks(
        "s",
        _steady(table),
        SETTINGS,
        LOOKS,
        1,
        further_parts=_judged_at(9),
        revise=lambda found: apply_waivers(found, [waiver], "2026-06-15"),
    )
    assert verdict.outcome is Outcome.PASS
