"""What a verdict costs: `decide_suite` with slices, metrics, floors, an anchor and invariants.

Every shape is decided several times on the same cases; the fastest is shown, as in `timeit`, beside
a plain loop that only adds up what each part reads, in the same interpreter on the same objects.

    python benchmarks/gate.py                       # 2,000 and 10,000 cases, as text
    python benchmarks/gate.py --cases 2000 --json   # one JSON line a shape

The shapes: `one run` an arm; `grouped`, where five cases share a group; `4 trials` an arm;
`pooled`, where ten banked baseline runs meet one to three of the candidate. One case in a hundred
lacks a result, so that both bounds are worked out.
"""

import argparse
import gc
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from evalkit.gate import (
    CaseResult,
    GateSettings,
    MetricSettings,
    SliceSettings,
    TrialResult,
    decide_suite,
)

SLICES = 10
TAGS_A_CASE = 3
PERCENT = MetricSettings(max_increase_pct=10)
METRICS = {
    "cost_usd_per_resolved": PERCENT,
    "tokens_per_success": PERCENT,
    "time_to_resolution_s": PERCENT,
    "latency_s": PERCENT,
    "guardrail_rate": MetricSettings(max_increase_pp=2),
    "success_rate": MetricSettings(max_drop_pp=3),
    "tool_call_accuracy": MetricSettings(max_drop_pp=3),
    "policy_compliance": MetricSettings(max_drop_pp=3),
}
SETTINGS = GateSettings(
    min_pass_rate="0.5",
    invariants=("policy", "forbidden_tools"),
    anchor_margin_pp=5,
    slices={
        **{f"tag-{i}": SliceSettings(max_drop_pp=5) for i in range(SLICES - 2)},
        "tag-8": SliceSettings(min_pass_rate="0.5"),
        "tag-9": SliceSettings(max_drop_pp=5, required=False),
    },
    metrics=METRICS,
)


@dataclass(frozen=True)
class Shape:
    """Trials of both arms (the candidate's between two numbers) and cases that share a group."""

    name: str
    baseline: int
    candidate: tuple[int, int]
    per_group: int = 1


SHAPES = (
    Shape("one run", 1, (1, 1)),
    Shape("grouped", 1, (1, 1), per_group=5),
    Shape("4 trials", 4, (4, 4)),
    Shape("pooled", 10, (1, 3)),
)


def build_cases(cases: int, shape: Shape) -> list[CaseResult]:
    """Seeded cases with every value that a metric reads."""
    rng = random.Random(7)

    def trial(rate: float) -> TrialResult:
        return TrialResult(
            passed=rng.random() < rate,
            cost_usd=0.002 * rng.lognormvariate(0, 0.4),
            tokens=float(rng.randrange(400, 900)),
            latency_s=rng.lognormvariate(0, 0.3),
            guardrail=rng.random() < 0.02,
            tools_correct=rng.random() < 0.97,
            complied=rng.random() < 0.99,
        )

    built = []
    for i in range(cases):
        rate = rng.betavariate(2, 0.35)
        candidate = [trial(rate) for _ in range(rng.randint(*shape.candidate))]
        if i % 100 == 0:
            candidate[0] = TrialResult(passed=None)
        built.append(
            CaseResult(
                case=f"case-{i}",
                baseline=tuple(trial(rate) for _ in range(shape.baseline)),
                candidate=tuple(candidate),
                anchor=(trial(rate),),
                group=None if shape.per_group == 1 else f"group-{i // shape.per_group}",
                tags=tuple(f"tag-{k}" for k in rng.sample(range(SLICES), TAGS_A_CASE)),
            )
        )
    return built


def add_up(cases: Sequence[CaseResult]) -> float:
    """The plain loop: per part, the mean of what it reads in either arm, and nothing else."""
    total = 0.0
    for against in ("baseline", "anchor"):
        for case in cases:
            fixed, candidate = getattr(case, against), case.candidate
            total += sum(t.passed or False for t in fixed) / len(fixed)
            total -= sum(t.passed or False for t in candidate) / len(candidate)
    for name in SETTINGS.slices:
        for case in cases:
            if name in case.tags:
                total += sum(t.passed or False for t in case.baseline) / len(case.baseline)
                total -= sum(t.passed or False for t in case.candidate) / len(case.candidate)
    for field in (
        "cost_usd",
        "tokens",
        "latency_s",
        "latency_s",
        "guardrail",
        "passed",
        "tools_correct",
        "complied",
    ):
        for case in cases:
            total += sum(getattr(t, field) or 0 for t in case.baseline) / len(case.baseline)
            total -= sum(getattr(t, field) or 0 for t in case.candidate) / len(case.candidate)
    return total


def fastest_ms(work: Callable[[], object], repeats: int) -> float:
    """The shortest of some runs, in milliseconds."""
    times = []
    gc.collect()
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1000 * min(times)


def main(argv: list[str] | None = None) -> None:
    """Decide every shape at every size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--cases", type=int, nargs="+", default=[2000, 10000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON line a shape")
    arguments = parser.parse_args(argv)
    for number in arguments.cases:
        for shape in SHAPES:
            cases = build_cases(number, shape)
            verdict = decide_suite("bench", cases, SETTINGS)
            gate = fastest_ms(partial(decide_suite, "bench", cases, SETTINGS), arguments.repeats)
            loop = fastest_ms(partial(add_up, cases), arguments.repeats)
            figures = {
                "cases": number,
                "shape": shape.name,
                "slices": len(SETTINGS.slices),
                "metrics": len(SETTINGS.metrics),
                "parts": len(verdict.parts),
                "verdict_ms": round(gate, 1),
                "loop_ms": round(loop, 1),
                "ratio": round(gate / loop, 1),
            }
            if arguments.json:
                print(json.dumps(figures), flush=True)
            else:
                print(
                    f"{number:>6,} cases, {shape.name:<9} {len(verdict.parts)} parts: "
                    f"{gate:7.1f} ms, {gate / loop:4.1f} times a plain loop ({loop:.1f} ms)",
                    flush=True,
                )


if __name__ == "__main__":
    main()
