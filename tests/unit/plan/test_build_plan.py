"""A plan counts, prices and orders every attempt, and refuses one that would say nothing."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from evalkit.errors import ConfigError, PolicyBlocked, Problem, Refused
from evalkit.plan.build import PlanJob, build_plan
from evalkit.records.call import Origin, PreparedCall, Request
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.plan import RunPlan

Place = tuple[str, str, str, int]


@dataclass
class StubPrepare:
    """Prepares calls of one price; what `missing`, `blocked` and `broken` name goes wrong."""

    price: float | None = 0.5
    output_price: float | None = 0.2
    origins: Callable[[str], Origin] = lambda variant: "live"
    blocked: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    asked: list[tuple[str, str, int]] = field(default_factory=list)

    async def __call__(self, variant: str, case: Case, trial: int) -> PreparedCall:
        self.asked.append((variant, case.id, trial))
        if case.id in self.blocked:
            raise PolicyBlocked("retrieval.allow_indexes", "index hr_files may not be read")
        if case.id in self.broken:
            raise ConfigError([Problem(message=f"`input.body` is undefined for {case.id}")])
        return PreparedCall(
            request=Request(model="m-1", messages=(), key=f"{variant}-{case.id}-{trial}"),
            model="m",
            provider="p",
            origin=self.origins(variant),
            input_tokens={"system": 10, "input": 5},
            output_tokens=100,
            max_cost_usd=self.price,
            max_output_cost_usd=self.output_price,
        )


def cases_of(count: int) -> Cases:
    return Cases.of(Case(id=f"c{i}", input={}) for i in range(count))


def planned(prepare: StubPrepare, *, cases: int = 4, trials: int = 1, seed: int = 0) -> RunPlan:
    job = PlanJob(
        suite="triage",
        variants=("baseline", "candidate"),
        cases=cases_of(cases),
        trials=trials,
        prepare=prepare,
    )
    return asyncio.run(build_plan([job], seed=seed))


def order_of(plan: RunPlan) -> Sequence[tuple[str, str, int]]:
    return [(each.variant, each.case, each.trial) for each in plan.attempts]


def test_every_variant_case_and_trial_is_planned_once() -> None:
    order = order_of(planned(StubPrepare(), cases=3, trials=2))
    wanted = {
        (variant, f"c{i}", trial)
        for variant in ("baseline", "candidate")
        for i in range(3)
        for trial in (1, 2)
    }
    assert len(order) == 12
    assert set(order) == wanted


def test_variants_of_a_case_stand_side_by_side_and_take_turns_at_being_first() -> None:
    order = order_of(planned(StubPrepare(), cases=4))
    pairs = list(zip(order[::2], order[1::2], strict=True))
    assert all(first[1:] == second[1:] for first, second in pairs)
    assert [first[0] for first, _ in pairs] == ["baseline", "candidate"] * 2


def test_a_whole_trial_comes_before_the_next_one_begins() -> None:
    order = order_of(planned(StubPrepare(), cases=5, trials=3))
    assert [trial for _, _, trial in order] == [1] * 10 + [2] * 10 + [3] * 10


def test_the_seed_alone_decides_the_order_of_cases() -> None:
    first, again = planned(StubPrepare(), cases=30), planned(StubPrepare(), cases=30)
    other = planned(StubPrepare(), cases=30, seed=1)
    assert order_of(first) == order_of(again)
    assert order_of(first) != order_of(other)
    in_file_order = [case.id for case in cases_of(30)]
    assert [case for _, case, _ in order_of(first)[::2]] != in_file_order


def test_a_suite_keeps_its_order_whatever_runs_beside_it() -> None:
    def job(suite: str) -> PlanJob:
        return PlanJob(
            suite=suite,
            variants=("candidate",),
            cases=cases_of(20),
            trials=1,
            prepare=StubPrepare(),
        )

    alone = asyncio.run(build_plan([job("b")], seed=7))
    beside = asyncio.run(build_plan([job("a"), job("b")], seed=7))
    assert alone.attempts == tuple(each for each in beside.attempts if each.suite == "b")
    assert [suite.suite for suite in beside.suites] == ["a", "b"]


def test_tokens_are_summed_by_part_with_the_output_cap_beside_them() -> None:
    suite = planned(StubPrepare(), cases=4, trials=2).suites[0]
    assert suite.tokens == {"system": 160, "input": 80, "output": 1600}
    assert suite.expected_output_tokens == 800


def test_costs_are_the_bound_and_the_bound_less_half_of_the_output() -> None:
    suite = planned(StubPrepare(price=0.5, output_price=0.2), cases=4).suites[0]
    assert suite.max_cost_usd == pytest.approx(8 * 0.5)
    assert suite.expected_cost_usd == pytest.approx(8 * 0.4)


def test_a_replay_costs_nothing_and_is_no_call() -> None:
    def origins(variant: str) -> Origin:
        return "cache" if variant == "baseline" else "live"

    suite = planned(StubPrepare(origins=origins), cases=4).suites[0]
    assert (suite.calls, suite.replayed) == (4, 4)
    assert suite.origins == {"cache": 4, "live": 4}
    assert suite.max_cost_usd == pytest.approx(2.0)


def test_a_live_model_without_a_price_makes_the_cost_unknown_and_is_named() -> None:
    suite = planned(StubPrepare(price=None, output_price=None)).suites[0]
    assert suite.max_cost_usd is None
    assert suite.expected_cost_usd is None
    assert suite.unpriced_models == ("m",)


def test_a_replayed_model_without_a_price_still_costs_nothing() -> None:
    prepare = StubPrepare(price=None, output_price=None, origins=lambda variant: "recording")
    suite = planned(prepare).suites[0]
    assert suite.max_cost_usd == 0
    assert suite.unpriced_models == ()


def test_what_a_policy_stops_stays_in_the_plan_as_refused() -> None:
    plan = planned(StubPrepare(blocked=frozenset({"c1"})), cases=3)
    refused = [each for each in plan.attempts if each.refused is not None]
    assert [(each.variant, each.case) for each in sorted(refused, key=lambda a: a.variant)] == [
        ("baseline", "c1"),
        ("candidate", "c1"),
    ]
    assert refused[0].refused == "retrieval.allow_indexes: index hr_files may not be read"
    assert refused[0].origin is None
    suite = plan.suites[0]
    assert (suite.calls, suite.replayed, suite.refused) == (4, 0, 2)
    assert suite.max_cost_usd == pytest.approx(4 * 0.5)


def test_what_a_replay_lacks_is_carried_into_the_plan() -> None:
    class Lacking(StubPrepare):
        async def __call__(self, variant: str, case: Case, trial: int) -> PreparedCall:
            call = await super().__call__(variant, case, trial)
            return PreparedCall(
                request=call.request,
                model=call.model,
                provider=call.provider,
                origin="recording",
                input_tokens={},
                output_tokens=1,
                max_cost_usd=0.0,
                missing="recordings/m/triage.jsonl has no reply",
            )

    plan = planned(Lacking(), cases=1)
    assert {each.missing for each in plan.attempts} == {"recordings/m/triage.jsonl has no reply"}
    (suite,) = plan.suites
    assert (suite.missing, suite.replayed, suite.origins) == (len(plan.attempts), 0, {})


def test_every_case_that_cannot_be_prepared_is_reported_once() -> None:
    with pytest.raises(ConfigError) as caught:
        planned(StubPrepare(broken=frozenset({"c0", "c3"})), cases=5)
    assert sorted(problem.message for problem in caught.value.problems) == [
        "`input.body` is undefined for c0",
        "`input.body` is undefined for c3",
    ]


def test_a_flood_of_problems_is_cut_and_counted() -> None:
    everything = frozenset(case.id for case in cases_of(80))
    with pytest.raises(ConfigError) as caught:
        planned(StubPrepare(broken=everything), cases=80)
    assert len(caught.value.problems) == 51
    assert "30 more" in caught.value.problems[-1].message


@pytest.mark.parametrize(
    ("cases", "variants", "trials", "word"),
    [(0, ("candidate",), 1, "case"), (2, (), 1, "variant"), (2, ("candidate",), 0, "trial")],
)
def test_a_suite_that_would_say_nothing_is_refused(
    cases: int, variants: tuple[str, ...], trials: int, word: str
) -> None:
    job = PlanJob(
        suite="triage",
        variants=variants,
        cases=cases_of(cases),
        trials=trials,
        prepare=StubPrepare(),
    )
    with pytest.raises(Refused, match=f"suite triage has no {word} to run"):
        asyncio.run(build_plan([job], seed=0))


def test_a_run_without_suites_is_refused() -> None:
    with pytest.raises(Refused, match="no suite to run"):
        asyncio.run(build_plan([], seed=0))


def test_an_error_that_is_nobody_s_policy_is_not_swallowed() -> None:
    async def prepare(variant: str, case: Case, trial: int) -> PreparedCall:
        raise KeyError("a bug")

    job = PlanJob(suite="s", variants=("candidate",), cases=cases_of(1), trials=1, prepare=prepare)
    with pytest.raises(KeyError, match="a bug"):
        asyncio.run(build_plan([job], seed=0))
