"""Which machine makes which cases: from the plan alone, so that all machines agree unasked.

Longest processing time first (Graham, 1969): the heaviest case goes to the shard that has least so
far, then the next. No shard of a suite then has more than 4/3 - 1/(3n) of what the best split would
give it, nor more than the weight of one case above any other. Everything is counted in whole
numbers, because sums of floats depend on their order.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from evalkit.records.attempt import Attempt
from evalkit.records.plan import PlannedAttempt

CaseKey = tuple[str, str]
_NANO = 1_000_000_000


def assign_shards(weights: Mapping[CaseKey, int], shards: int) -> dict[CaseKey, int]:
    """The shard, from 1 on, of every (suite, case); `weights` say what each takes.

    Every suite is split evenly by itself, since weights of two suites need not compare: a program's
    cost is unknown. Between shards that have as much of a suite, the one with less in all is taken.
    Ties go by the case's id, so that the order of `weights` within a suite does not matter.
    """
    by_suite: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for (suite, case), weight in weights.items():
        by_suite[suite].append((-max(1, weight), case))
    overall = [0] * (shards + 1)
    assigned: dict[CaseKey, int] = {}
    for suite in sorted(by_suite):
        heap = [(0, overall[index], index) for index in range(1, shards + 1)]
        heapq.heapify(heap)
        for negative, case in sorted(by_suite[suite]):
            load, total, index = heap[0]
            heapq.heapreplace(heap, (load - negative, total - negative, index))
            assigned[suite, case] = index
        for _, total, index in heap:
            overall[index] = total
    return assigned


def weigh_cases(attempts: Iterable[PlannedAttempt]) -> dict[CaseKey, int]:
    """What each case takes in tokens, over all its arms and trials: the request's upper bound and
    half of the reply's cap. An attempt that makes no call, or calls that nobody knows, counts 1."""
    weights: defaultdict[CaseKey, int] = defaultdict(int)
    for attempt in attempts:
        expected = sum(attempt.input_tokens.values()) + attempt.output_tokens // 2
        weights[attempt.suite, attempt.case] += max(1, expected)
    return dict(weights)


def measure_cases(
    attempts: Iterable[PlannedAttempt], measured: Iterable[Attempt]
) -> dict[CaseKey, int]:
    """What each case takes by what it took in an earlier run, over all its arms and trials of now.

    Milliseconds of its models where every attempt of the suite was measured live, else tokens; a
    case that was not measured counts as the suite's mean, one of a suite that was not measured as
    `weigh_cases` says.
    """
    took: defaultdict[str, defaultdict[str, list[Attempt]]] = defaultdict(lambda: defaultdict(list))
    for attempt in measured:
        if attempt.has_result:
            took[attempt.suite][attempt.case].append(attempt)
    means: dict[CaseKey, int] = {}
    of_suite: dict[str, int] = {}
    for suite, cases in took.items():
        for case, made in _in_one_unit(cases).items():
            means[suite, case] = max(1, sum(made) // len(made))
        known = [mean for (of, _), mean in means.items() if of == suite]
        of_suite[suite] = max(1, sum(known) // len(known))
    planned = list(attempts)
    weights: defaultdict[CaseKey, int] = defaultdict(int)
    for each in planned:
        if each.suite in of_suite:
            key = (each.suite, each.case)
            weights[key] += means.get(key, of_suite[each.suite])
    others = [each for each in planned if each.suite not in of_suite]
    return {**weights, **weigh_cases(others)}


def _in_one_unit(cases: Mapping[str, Sequence[Attempt]]) -> dict[str, list[int]]:
    """What the attempts of each case took: all in milliseconds, or all in tokens."""
    every = [attempt for made in cases.values() for attempt in made]
    if all(each.origin == "live" and each.latency_s is not None for each in every):
        return {
            case: [round((each.latency_s or 0.0) * 1000) for each in made]
            for case, made in cases.items()
        }
    return {case: [each.usage.total for each in made] for case, made in cases.items()}


def price_cases(attempts: Iterable[PlannedAttempt]) -> dict[CaseKey, int] | None:
    """The expected list price of each case in nano-USD; None where an attempt has no price."""
    prices: defaultdict[CaseKey, int] = defaultdict(int)
    for attempt in attempts:
        if attempt.expected_cost_usd is None:
            return None
        prices[attempt.suite, attempt.case] += round(attempt.expected_cost_usd * _NANO)
    return dict(prices)


def sum_shards(
    weights: Mapping[CaseKey, int], assigned: Mapping[CaseKey, int], shards: int
) -> Sequence[int]:
    """What the cases of each shard take together, the first shard first."""
    sums = [0] * shards
    for key, weight in weights.items():
        sums[assigned[key] - 1] += weight
    return sums


def share_of(cap: int, sums: Sequence[int], index: int) -> int:
    """The part of a cap that a shard may use, `index` from 1 on: as its sum is of all sums.

    Rounded down, so that the parts together never pass the cap.
    """
    total = sum(sums)
    if total == 0:
        return cap // len(sums)
    return cap * sums[index - 1] // total
