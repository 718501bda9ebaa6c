"""The split of a run between machines: whole, the same everywhere, and even."""

import random

from hypothesis import given
from hypothesis import strategies as st

from evalkit.plan.sharding import (
    CaseKey,
    assign_shards,
    measure_cases,
    price_cases,
    share_of,
    sum_shards,
    weigh_cases,
)
from evalkit.records.attempt import Attempt
from evalkit.records.call import Usage
from evalkit.records.plan import PlannedAttempt

weights = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from([f"c{n}" for n in range(30)])),
    st.integers(0, 10_000),
    min_size=1,
    max_size=60,
)


def attempt(
    case: str, variant: str = "candidate", trial: int = 1, usd: float | None = 0.25
) -> PlannedAttempt:
    return PlannedAttempt(
        suite="s",
        variant=variant,
        case=case,
        trial=trial,
        model="m",
        origin="live",
        input_tokens={"input": 30, "system": 10},
        output_tokens=20,
        max_cost_usd=usd,
        expected_cost_usd=usd,
    )


@given(weights, st.integers(1, 12))
def test_every_case_is_in_one_shard(weights: dict[CaseKey, int], shards: int) -> None:
    assigned = assign_shards(weights, shards)
    assert assigned.keys() == weights.keys()
    assert set(assigned.values()) <= set(range(1, shards + 1))


@given(weights, st.integers(1, 12), st.randoms(use_true_random=False))
def test_the_split_does_not_depend_on_the_order(
    weights: dict[CaseKey, int], shards: int, chance: random.Random
) -> None:
    shuffled = list(weights.items())
    chance.shuffle(shuffled)
    assert assign_shards(dict(shuffled), shards) == assign_shards(weights, shards)


@given(weights, st.integers(1, 12))
def test_no_shard_of_a_suite_has_more_than_the_weight_of_a_case_above_another(
    weights: dict[CaseKey, int], shards: int
) -> None:
    assigned = assign_shards(weights, shards)
    for suite in {suite for suite, _ in weights}:
        mine = {key: max(1, weight) for key, weight in weights.items() if key[0] == suite}
        sums = sum_shards(mine, {key: assigned[key] for key in mine}, shards)
        assert max(sums) - min(sums) <= max(mine.values())
        if len(mine) <= shards:
            assert max(sums) == max(mine.values())


@given(weights, st.integers(1, 60))
def test_no_shard_is_empty_while_there_are_as_many_cases(
    weights: dict[CaseKey, int], shards: int
) -> None:
    shards = min(shards, len(weights))
    assert len(set(assign_shards(weights, shards).values())) == shards


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20), st.integers(0, 10**13))
def test_the_shares_of_a_cap_never_pass_it(sums: list[int], cap: int) -> None:
    shares = [share_of(cap, sums, index) for index in range(1, len(sums) + 1)]
    assert sum(shares) <= cap
    assert cap - sum(shares) < max(1, len(sums))


def test_a_case_weighs_what_all_of_its_arms_and_trials_take() -> None:
    attempts = [attempt("one"), attempt("one", "baseline"), attempt("two", trial=2)]
    assert weigh_cases(attempts) == {("s", "one"): 100, ("s", "two"): 50}
    assert price_cases(attempts) == {("s", "one"): 500_000_000, ("s", "two"): 250_000_000}


def test_prices_say_nothing_where_one_is_unknown() -> None:
    assert price_cases([attempt("one"), attempt("two", usd=None)]) is None


def took(case: str, latency_s: float, *, suite: str = "s", tokens: int = 10) -> Attempt:
    return Attempt(
        at="2026-11-30T09:00:00.000+00:00",
        variant="candidate",
        suite=suite,
        case=case,
        trial=1,
        key="k",
        state="answered",
        origin="live" if latency_s else "scripted",
        usage=Usage(output_tokens=tokens),
        latency_s=latency_s or None,
    )


def test_a_case_weighs_the_time_it_took_and_an_unmeasured_one_the_mean() -> None:
    plan = [attempt("a"), attempt("b"), attempt("b", trial=2), attempt("new")]
    weights = measure_cases(plan, [took("a", 1.0), took("a", 2.0), took("b", 0.5)])
    assert weights == {("s", "a"): 1500, ("s", "b"): 1000, ("s", "new"): 1000}


def test_without_times_a_case_weighs_the_tokens_it_took() -> None:
    weights = measure_cases([attempt("a"), attempt("b")], [took("a", 0, tokens=7), took("b", 1.0)])
    assert weights == {("s", "a"): 7, ("s", "b"): 10}


def test_a_suite_that_was_not_measured_weighs_what_is_attempt() -> None:
    plan = [attempt("a")]
    assert measure_cases(plan, [took("x", 1.0, suite="other")]) == weigh_cases(plan)
