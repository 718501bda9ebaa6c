"""What the control session takes for an attempt that a worker makes: its share of a run on Ray.

    python benchmarks/ray_owner.py                   # needs no Ray

Stand-ins for workers answer in this process with what real ones tell of one call: they ask for a
turn and for a hold, tell that the call leaves and ends, and hand a finished attempt over, in
batches. So the figure is everything the control session does for it while attempts are made: the
lane, the ledger and its file, calls.jsonl, journal, traces, the first scores, and reading and
writing messages; the stand-ins' own encoding is in it, Ray's calls are not (one a batch). Beside it
the whole of an attempt in one process, in the same minute. Prints JSON lines.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import msgspec

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from floor import server  # noqa: E402 -- a sibling script, not a package
from runner import make_project, say  # noqa: E402

from evalkit.records.attempt import Attempt  # noqa: E402
from evalkit.records.call import Reply, Usage  # noqa: E402
from evalkit.records.event import Event, RunEnded, RunStarted  # noqa: E402
from evalkit.records.ledger import Scopes  # noqa: E402
from evalkit.store.runs import RunStore  # noqa: E402
from evalkit.workflows.runs.engines.choosing import CONFIGURED, EngineChoice  # noqa: E402
from evalkit.workflows.runs.engines.messages import (  # noqa: E402
    Asked,
    Charged,
    Ended,
    Let,
    Made,
    Make,
    Pass,
    Passed,
    Readiness,
    Reserve,
    ToOwner,
    decode_for_worker,
    encode,
)
from evalkit.workflows.runs.engines.parcel import introduce  # noqa: E402
from evalkit.workflows.runs.running import run_suites  # noqa: E402
from evalkit.workflows.setup.request import RunRequest  # noqa: E402
from evalkit.workflows.wiring import Wiring  # noqa: E402

PAUSE_S = 0.001  # of a batch on its way


class StandIn:
    """Implements cluster.Post: every call is answered at once, with one attempt for all cases."""

    def __init__(self, digest: str, attempt: Attempt) -> None:
        self._digest = digest
        self._attempt = attempt
        self._told: list[ToOwner] = []
        self._filled = asyncio.Event()
        self._orders: dict[int, Make] = {}

    async def introduce(self) -> bytes:
        return msgspec.json.encode(introduce(node="here", process=1))

    async def load(self) -> bytes:
        return msgspec.json.encode(Readiness(digest=self._digest))

    async def deliver(self, batch: bytes) -> None:
        await asyncio.sleep(PAUSE_S)
        for message in decode_for_worker(batch):
            if isinstance(message, Make):
                self._orders[2 * message.number] = message
                self._told.append(
                    Pass(2 * message.number, message.arm, "bench", "bench", 200, None)
                )
            elif isinstance(message, Let) and message.number % 2 == 0:
                scopes = Scopes(route="bench", workflow="bench")
                self._told.append(Reserve(message.number + 1, 0.0002, 200, scopes, False))
            elif isinstance(message, Let):
                self._told += self._made(self._orders.pop(message.number - 1))
        self._filled.set()

    def _made(self, order: Make) -> list[ToOwner]:
        number, like = order.number, self._attempt
        attempt = msgspec.structs.replace(
            like, case=order.case.id, trial=order.trial, measurement_id=order.case.id
        )
        reply = Reply(
            content="ok",
            model=like.model,
            usage=Usage(input_tokens=58, output_tokens=2),
            origin="live",
            measurement_id=order.case.id,
            measured_at=like.at,
            latency_s=0.02,
        )
        return [
            Asked(number, 1, like.key, 0.0002, 200),
            Charged(2 * number + 1, "settled", 0.0001, 60),
            Ended(number, 1, 0.0001, 60, reply),
            Passed(2 * number, True, 60),
            Made(number, attempt),
        ]

    async def collect(self) -> bytes:
        await self._filled.wait()
        await asyncio.sleep(PAUSE_S)
        self._filled.clear()
        told, self._told = self._told, []
        return encode(told)

    async def dismiss(self) -> bytes:
        return encode([])

    def kill(self) -> None:
        """There is no process."""


class StandIns:
    """Implements cluster.Cluster."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    async def open(self) -> int:
        return 2

    def hire(self, packed: bytes, digest: str) -> StandIn:
        return StandIn(digest, self._attempt)

    async def close(self) -> None:
        """There is nothing to close."""


def made_in(root: Path, engine: EngineChoice, cases: int) -> float:
    """CPU milliseconds a case of this process while a run makes its attempts."""
    marks: list[float] = []

    def hear(event: Event) -> None:
        if isinstance(event, RunStarted | RunEnded):
            marks.append(time.process_time())

    run_suites(RunRequest(cache="off"), wiring=Wiring(root), on_event=hear, engine=engine)
    return (marks[1] - marks[0]) * 1000 / cases


def main() -> None:
    """Both, one after the other, some times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=4000)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--times", type=int, default=3)
    sizes = parser.parse_args()
    for _ in range(sizes.times):
        with server(0) as url, tempfile.TemporaryDirectory() as folder:
            alone, shared = Path(folder) / "alone", Path(folder) / "shared"
            for root in (alone, shared):
                make_project(root, url, sizes.cases, sizes.concurrency)
            here_ms = made_in(alone, CONFIGURED, sizes.cases)
            bundle = RunStore(alone).list()[0]
            attempt = msgspec.structs.replace(
                next(iter(bundle.attempts())), spans=next(iter(bundle.traces())).spans
            )
            choice = EngineChoice(kind="ray", cluster=StandIns(attempt))
            owner_ms = made_in(shared, choice, sizes.cases)
        say(
            "owner",
            {
                "cases": sizes.cases,
                "in_one_process_cpu_ms": here_ms,
                "control_session_cpu_ms": owner_ms,
                "ratio": owner_ms / here_ms,
            },
        )


if __name__ == "__main__":
    main()
