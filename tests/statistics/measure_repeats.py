"""Measure the embedded model again and again on ticket_routing: what "nothing changed" looks like.

    evalkit local pull
    python tests/statistics/measure_repeats.py            # about 20 minutes of one core

Every prompt version is played through evalkit's own session, provider and scorers at a temperature
above 0, so that identical runs differ, and what comes out is written as
tests/statistics/data/repeats.csv: a row a case, a column an arm, one character a run (1 passed).

A sampled reply needs a seed. `own` seeds differ from call to call, as they do at an endpoint that
takes none. With `shared` seeds every case of a run draws with the same one, the number of the run:
then all of a run's cases are lucky together, and they are no longer independent.
"""

import argparse
import asyncio
import csv
import hashlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from evalkit.control.ledger.book import Ledger
from evalkit.execute.prompt_target import PromptTarget
from evalkit.records.asset import Prompt
from evalkit.records.case import Case
from evalkit.score.registry import build_scorers
from evalkit.score.scoring import attempt_passed, score_attempt
from evalkit.sources.assets import SuiteAssets, load_assets
from evalkit.sources.tree import WorkingTree
from evalkit.workflows.wiring import Wiring

ROOT = Path(__file__).parents[2]
SUITE = "ticket_routing"


@dataclass(frozen=True)
class Arm:
    """One column: a prompt version measured `runs` times."""

    name: str
    prompt: str
    runs: int
    shared_seed: bool = False


ARMS = (
    Arm("v1", "ticket_routing@v1", 10),
    Arm("v1_shared_seed", "ticket_routing@v1", 5, shared_seed=True),
    Arm("v2", "ticket_routing@v2", 3),
)


def seed_of(arm: Arm, case: str, run: int) -> int:
    """The seed of one call; the same whenever the script is run."""
    if arm.shared_seed:
        return run
    return int(hashlib.sha256(f"{arm.name}/{case}/{run}".encode()).hexdigest()[:7], 16)


def sampled(prompt: Prompt, temperature: float, seed: int) -> Prompt:
    """The prompt with its replies drawn instead of taken at their likeliest."""
    params = prompt.params | {"temperature": temperature, "seed": seed}
    return msgspec.structs.replace(prompt, params=params)


async def measure(arm: Arm, temperature: float, limit: int | None) -> AsyncIterator[list[bool]]:
    """Whether each case passed, run by run. Raises SystemExit for a call without a result."""
    changes = {f"suites.{SUITE}.target.prompt": arm.prompt}
    assets = load_assets(WorkingTree(ROOT), changes=changes, suites=[SUITE])
    suite = assets.suites[SUITE]
    wiring = Wiring(ROOT, live=True)
    plane = wiring.control_plane(
        assets.config,
        suite.route,
        suite=SUITE,
        ledger=Ledger(assets.config.budgets),
        cache=None,
    )
    scorers = build_scorers(suite.suite.scorers, suite.schemas)

    async def passed(case: Case, run: int) -> bool:
        prompt = sampled(suite.prompt, temperature, seed_of(arm, case.id, run))
        session = plane.open(case, suite=SUITE, variant="candidate", prompt=prompt.reference)
        attempt = await PromptTarget(prompt, route=suite.route.name).attempt(
            session, case, suite=SUITE, variant="candidate", trial=run, clock=wiring.clock
        )
        outcome = attempt_passed(
            score_attempt(scorers, attempt, case), attempt, fallback=suite.suite.fallback
        )
        if outcome is None:
            raise SystemExit(f"{case.id}, run {run} of {arm.name}: {attempt.error}")
        return outcome

    try:
        for run in range(1, arm.runs + 1):
            yield [await passed(case, run) for case in cases_of(suite, limit)]
    finally:
        await wiring.close()


def cases_of(suite: SuiteAssets, limit: int | None) -> tuple[Case, ...]:
    """The golden set's cases, or its first `limit`."""
    return suite.golden.cases[:limit]


async def write(path: Path, temperature: float, limit: int | None) -> None:
    """Measure every arm and write the file, anew after each run, so that a stopped one shows."""
    suite = load_assets(WorkingTree(ROOT), suites=[SUITE]).suites[SUITE]
    cases = [case.id for case in cases_of(suite, limit)]
    columns = {arm.name: [""] * len(cases) for arm in ARMS}
    for arm in ARMS:
        async for run in measure(arm, temperature, limit):
            columns[arm.name] = [
                f"{before}{passed:d}" for before, passed in zip(columns[arm.name], run, strict=True)
            ]
            print(f"{arm.name}: {sum(run)} of {len(run)} pass", file=sys.stderr, flush=True)
            with path.open("w", newline="", encoding="utf-8") as file:
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(["case", *columns])
                rows.writerows(zip(cases, *columns.values(), strict=True))


def main() -> None:
    """Parse and measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "repeats.csv")
    parser.add_argument("--temperature", type=float, default=0.2)
    parser.add_argument("--cases", type=int, help="only the first N, to try it out")
    arguments = parser.parse_args()
    asyncio.run(write(arguments.out, arguments.temperature, arguments.cases))


if __name__ == "__main__":
    main()
