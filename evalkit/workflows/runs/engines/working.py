"""A worker: makes attempts, and asks the owner of limits and budgets before each call leaves.

It knows no cluster. Whatever carries messages hands them to `take` and sends what the line holds.
"""

import asyncio
import hashlib
import os
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path

from evalkit.errors import ConfigError, EvalkitError, Refused, StoreError
from evalkit.records.call_log import attempt_work
from evalkit.records.event import AttemptRetried, CallFailed, Event
from evalkit.workflows.runs.arms import Arm
from evalkit.workflows.runs.engines.asking import (
    DistantBudgets,
    DistantCallLog,
    DistantReplies,
    DistantWay,
    Line,
)
from evalkit.workflows.runs.engines.messages import (
    Broke,
    Drop,
    Failed,
    Made,
    Make,
    Readiness,
    Retried,
    ToWorker,
)
from evalkit.workflows.runs.engines.parcel import Parcel, unpack
from evalkit.workflows.runs.engines.working_wiring import WorkerWiring

_LOOK_PAUSE_S = 1.0


class Worker:
    """Makes the attempts of one run that it is told to make."""

    def __init__(self, *, environ: Mapping[str, str] = os.environ) -> None:
        """Nothing can be made before `load`. `environ` is where keys are looked for."""
        self.line = Line()
        self._calls = DistantCallLog(self.line)
        self._environ = environ
        self._arms: list[tuple[str, Arm]] = []
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._content = False
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._wiring: WorkerWiring | None = None
        self._watching: asyncio.Task[None] | None = None

    def load(self, packed: bytes, digest: str) -> Readiness:
        """Wire the arms of a parcel, whose digest has to be that one."""
        found = hashlib.sha256(packed).hexdigest()
        if found != digest:
            return Readiness(
                trouble=f"the run's assets did not arrive whole: their digest is {found[:12]} "
                f"here, and {digest[:12]} where they were read"
            )
        parcel = unpack(packed)
        missing = [name for name in parcel.variables if not self._environ.get(name)]
        if missing:
            return Readiness(
                trouble=f"{', '.join(f'${name}' for name in missing)} is not set there; keys are "
                "not sent over the network, so set it where its Ray node is started"
            )
        try:
            self._wire(parcel)
        except EvalkitError as error:
            return Readiness(trouble=str(error))
        self._watching = asyncio.create_task(self._keep_cutting())
        return Readiness(digest=found)

    def take(self, messages: list[ToWorker]) -> None:
        """What the owner says."""
        for message in messages:
            match message:
                case Make():
                    self._tasks[message.number] = asyncio.create_task(self._make(message))
                case Drop():
                    if task := self._tasks.get(message.number):
                        task.cancel()
                case _:
                    self.line.take(message)

    async def close(self) -> None:
        """Give up what is under way, and give everything back. Its line holds what is left."""
        for task in [*self._tasks.values(), *([self._watching] if self._watching else [])]:
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._wiring is not None:
            await self._wiring.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _wire(self, parcel: Parcel) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="evalkit-worker-")
        root = Path(self._folder.name)
        for name, content in parcel.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self._wiring = WorkerWiring(
            root,
            live=parcel.live,
            environ=_of_worker(self._environ, parcel.variables),
            way=lambda arm, name: DistantWay(self.line, arm, name),
        )
        self._wiring.offline = parcel.offline
        self._wiring.drill(parcel.faults)
        budgets = DistantBudgets(self.line)
        for number, arm in enumerate(parcel.arms):
            plane, target = self._wiring.arm(
                number,
                arm,
                budgets=budgets,
                cache=DistantReplies(self.line, number) if parcel.cached else None,
                emit=self._tell,
                calls=self._calls,
            )
            step = arm.assets.suite.target.step
            self._arms.append((arm.assets.name, Arm(arm.variant, plane, target, step)))
        self._content = parcel.content

    async def _make(self, order: Make) -> None:
        try:
            self.line.tell(await self._outcome(order))
        finally:
            self._tasks.pop(order.number, None)

    async def _outcome(self, order: Make) -> Made | Broke:
        assert self._wiring is not None
        suite, arm = self._arms[order.arm]
        work = attempt_work((suite, arm.variant, order.case.id, order.trial))
        self._calls.begin(order, work)
        try:
            attempt = await arm.make(
                order.case,
                suite=suite,
                trial=order.trial,
                clock=self._wiring.clock,
                content=self._content,
            )
        except asyncio.CancelledError:
            return Broke(order.number, "dropped", "it was given up")
        except ConfigError as error:
            return Broke(order.number, "config", str(error), error.problems)
        except Refused as error:
            return Broke(order.number, "refused", str(error))
        except StoreError as error:
            return Broke(order.number, "store", str(error))
        except Exception:
            return Broke(order.number, "bug", traceback.format_exc())
        finally:
            self._calls.end(work)
            arm.plane.forget(order.case)  # each order brings a case of its own
        return Made(order.number, attempt)

    def _tell(self, event: Event) -> None:
        if isinstance(event, AttemptRetried):
            self.line.tell(Retried(event))
        elif isinstance(event, CallFailed):
            self.line.tell(Failed(event))

    async def _keep_cutting(self) -> None:
        """What its provider does not answer in time is cut off here, as in a run of one process."""
        assert self._wiring is not None
        while True:
            await asyncio.sleep(_LOOK_PAUSE_S)
            self._wiring.flights.cut_overdue()


def _of_worker(environ: Mapping[str, str], variables: tuple[str, ...]) -> dict[str, str]:
    """The variables that the control session has as well: with another one, another provider might
    be chosen here. Those of Amazon's signer stand for a machine's own identity."""
    own = ("HOME", "USERPROFILE")
    return {
        name: value
        for name, value in environ.items()
        if name in variables or name in own or name.startswith("AWS_")
    }
