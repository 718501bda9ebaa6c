"""What a calibration costs: `measure` on labels with verdicts, and with graded scores.

Every kind is measured several times on the same items; the fastest is shown. The graded kinds have
a score of six levels or a continuous one, a tuning half that chooses the threshold and fits
probabilities, a run of as many outputs as there are labels, and an interval width to reach. Ends
with code 1 where a calibration takes a second or more.

    python benchmarks/judge_calibration.py                  # 10,000 labels, as text
    python benchmarks/judge_calibration.py --labels 2000 --json
"""

import argparse
import gc
import json
import random
import sys
import time
from collections.abc import Callable
from functools import partial

from evalkit.judge.items import JudgedItem
from evalkit.judge.measuring import RunCounts, measure
from evalkit.records.asset import CalibrationFloor
from evalkit.records.calibration import JudgeMeasured

LIMIT_S = 1.0
KINDS = ("binary", "graded, 6 levels", "graded, continuous")
ENDS = (0.0, 5.0)


def build_items(labels: int, kind: str) -> list[JudgedItem]:
    """Seeded labels with a judge's verdicts; one in twenty has none, one in ten two labellers."""
    rng = random.Random(7)
    items = []
    for i in range(labels):
        truth = rng.random() < 0.7
        score = min(5.0, max(0.0, rng.gauss(3.6 if truth else 1.6, 1.1)))
        if kind == "graded, 6 levels":
            score = float(round(score))
        abstained = rng.random() < 0.05
        twice = rng.random() < 0.1
        items.append(
            JudgedItem(
                truth=truth,
                verdict=score >= 3 if kind == "binary" and not abstained else None,
                score=None if kind == "binary" or abstained else score,
                weight=1.0 if score >= 3 else 0.5,
                part="tuning" if i % 2 else "test",
                first=truth if twice else None,
                second=truth if twice else None,
            )
        )
    return items


def calibrate(items: list[JudgedItem], kind: str) -> JudgeMeasured:
    """All that a calibration works out."""
    scores = [item.score for item in items if item.score is not None]
    verdicts = [item.verdict for item in items if item.verdict is not None]
    run = RunCounts(
        judged=len(scores) or len(verdicts),
        passed=sum(verdicts),
        sampled_from_run=True,
        scores=scores or None,
    )
    return measure(
        items,
        floor=CalibrationFloor(labelled_by="anyone"),
        scale_bounds=None if kind == "binary" else ENDS,
        disputed=20,
        labelled_by=("model",),
        run=run,
        width_pp=2,
    )


def fastest_s(work: Callable[[], object], repeats: int) -> float:
    """The shortest of some runs, in seconds."""
    times = []
    gc.collect()
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def main(argv: list[str] | None = None) -> int:
    """Calibrate every kind of judge; 1 where one takes too long."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--labels", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON line a kind")
    arguments = parser.parse_args(argv)
    slowest = 0.0
    for kind in KINDS:
        items = build_items(arguments.labels, kind)
        seconds = fastest_s(partial(calibrate, items, kind), arguments.repeats)
        slowest = max(slowest, seconds)
        figures = {"labels": len(items), "kind": kind, "seconds": round(seconds, 3)}
        if arguments.json:
            print(json.dumps(figures), flush=True)
        else:
            print(f"{len(items):>7,} labels, {kind:<18} {seconds:6.3f} s", flush=True)
    return int(slowest >= LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
