"""A process that spends a project's budgets, for tests that race it, kill it or starve it.

    python budget_child.py ACT ROOT NUMBER

`spend` asks for NUMBER calls from 64 tasks of three users, through the control core and over HTTP,
and prints how many were answered and refused. `hold` sets 1,000 tokens aside and waits to be
killed. `admit` sets one token aside NUMBER times at once and prints how often that was granted.
"""

import asyncio
import json
import sys
from pathlib import Path

from evalkit.control.ledger.book import Ledger
from evalkit.errors import BudgetExhausted
from evalkit.records.call import Message
from evalkit.records.ledger import Scopes
from evalkit.sources.assets import read_config
from evalkit.sources.tree import WorkingTree
from evalkit.workflows.wiring import Wiring

CONCURRENCY = 64
RUN = "r-shared"
ANN = Scopes(user="ann", team="support", route="ask")


def ready() -> None:
    """Say so, and wait for the word to go."""
    print("ready", flush=True)
    sys.stdin.readline()


async def spend(root: Path, calls: int) -> dict[str, int]:
    config = read_config(WorkingTree(root))
    route = config.route("ask")
    assert route is not None
    wiring = Wiring(root)
    ledger = wiring.ledger(config, run=RUN)
    plane = wiring.control_plane(config, route, suite="", ledger=ledger, cache=None)
    told = {"answered": 0, "refused": 0}
    numbers = iter(range(calls))

    async def work() -> None:
        for number in numbers:
            user = f"user-{number % 3}"
            session = plane.open_for({"user": user, "team": "support"})
            try:
                await session.complete([Message(role="user", content=f"{user} asks {number}")])
            except BudgetExhausted:
                told["refused"] += 1
            else:
                told["answered"] += 1

    ready()
    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    await wiring.close()
    return told


async def admit(root: Path, calls: int) -> int:
    wiring = Wiring(root)
    ledger = wiring.ledger(read_config(WorkingTree(root)), run=RUN)
    ready()

    async def one(ledger: Ledger) -> int:
        try:
            # in turn it would wait for the holds of the others, which never end
            await asyncio.wait_for(ledger.reserve_in_turn(0.0, 1, scopes=ANN), 0.5)
        except (BudgetExhausted, TimeoutError):
            return 0
        return 1

    return sum(await asyncio.gather(*(one(ledger) for _ in range(calls))))


async def hold(root: Path) -> None:
    wiring = Wiring(root)
    ledger = wiring.ledger(read_config(WorkingTree(root)), run=RUN)
    await ledger.reserve_in_turn(0.001, 1000, scopes=ANN)
    ready()


if __name__ == "__main__":
    act, folder, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if act == "spend":
        print(json.dumps(asyncio.run(spend(folder, number))))
    elif act == "admit":
        print(asyncio.run(admit(folder, number)))
    else:
        asyncio.run(hold(folder))
