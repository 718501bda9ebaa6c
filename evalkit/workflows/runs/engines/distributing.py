"""All workers of a run: each attempt is made by one of them, and by another where that one dies.

An attempt that has arrived is journalled and never made again. What a dead worker had under way is
handed to others, so that at most its calls in flight are asked twice.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count

import msgspec

from evalkit.errors import ConfigError, EngineError, EvalkitError, Refused, StoreError
from evalkit.ports import CallLog, EventSink
from evalkit.records.attempt import Attempt
from evalkit.records.call_log import attempt_work
from evalkit.records.case import Case
from evalkit.records.event import RunNoted
from evalkit.records.plan import PlannedAttempt
from evalkit.workflows.runs.engines.call_lines import AttemptCalls
from evalkit.workflows.runs.engines.cluster import Cluster, Post, WorkerLost
from evalkit.workflows.runs.engines.messages import (
    Asked,
    Broke,
    Drop,
    Ended,
    GaveUp,
    Introduction,
    Made,
    Make,
    Readiness,
    ToWorker,
    decode_for_owner,
    encode,
)
from evalkit.workflows.runs.engines.owning import Owned, Owner

# a worker answers every second, even when it has nothing to tell
SILENT_S = 30.0
START_S = 120.0
_OTHERS_S = 5.0
_DROP_S = 5.0
# an attempt that was under way on so many workers that died is taken to be why they died
_MOST_DEATHS = 3
_MOST_FAILED_STARTS = 5


class Station:
    """One worker that is at work, seen from here."""

    def __init__(
        self, post: Post, name: str, owned: Owned, *, lost: Callable[["Station", str], None]
    ) -> None:
        """`lost` is told once, with the reason, when the worker is gone."""
        self.name = name
        self._post = post
        self._owner = Owner(owned, self._send, fail=self.fail)
        self._lost = lost
        self._under_way: dict[int, tuple[asyncio.Future[Attempt], AttemptCalls]] = {}
        self._numbers = count(1)
        self._unsent: list[ToWorker] = []
        self._sending: asyncio.Task[None] | None = None
        self._collecting = asyncio.create_task(self._keep_collecting())
        self._gone = False

    @property
    def load(self) -> int:
        """Attempts under way."""
        return len(self._under_way)

    async def make(self, arm: int, case: Case, trial: int, calls: AttemptCalls) -> Attempt:
        """Have one attempt made, with what `calls` know. Raises WorkerLost, and what making it
        raised."""
        number = next(self._numbers)
        made: asyncio.Future[Attempt] = asyncio.get_running_loop().create_future()
        self._under_way[number] = made, calls
        self._send(Make(number, arm, case, trial, calls.earlier, calls.usd, calls.tries))
        try:
            return await asyncio.shield(made)
        except asyncio.CancelledError:
            # what it spent is told before it ends, and belongs into this run's sums
            self._send(Drop(number))
            await asyncio.wait({made}, timeout=_DROP_S)
            raise
        finally:
            self._under_way.pop(number, None)
            if made.done() and not made.cancelled():
                made.exception()  # nobody else asks

    def fail(self, error: BaseException) -> None:
        """End everything that is under way with an error."""
        for made, _ in self._under_way.values():
            if not made.done():
                made.set_exception(error)

    async def close(self) -> None:
        """Let it tell what it has left to tell, and end it."""
        if not self._gone:
            self._collecting.cancel()
            await asyncio.gather(self._collecting, return_exceptions=True)
            with suppress(WorkerLost, TimeoutError, StoreError):
                async with asyncio.timeout(_DROP_S):
                    self._take(await self._post.dismiss())
        self._end("the run is over")

    def _send(self, message: ToWorker) -> None:
        self._unsent.append(message)
        if self._sending is None and not self._gone:
            self._sending = asyncio.create_task(self._keep_sending())

    async def _keep_sending(self) -> None:
        """One batch after the other: what is said meanwhile waits and goes together."""
        try:
            while self._unsent and not self._gone:
                batch, self._unsent = self._unsent, []
                await self._post.deliver(encode(batch))
        except WorkerLost as lost:
            self._end(str(lost))
        finally:
            self._sending = None

    async def _keep_collecting(self) -> None:
        try:
            while True:
                async with asyncio.timeout(SILENT_S):
                    batch = await self._post.collect()
                self._take(batch)
        except TimeoutError:
            self._end(f"it said nothing for {SILENT_S:.0f} s")
        except WorkerLost as lost:
            self._end(str(lost))
        except Exception as error:  # of the private state, or a bug: it ends the run
            self.fail(error)

    def _take(self, batch: bytes) -> None:
        for message in decode_for_owner(batch):
            match message:
                case Made():
                    if made := self._expected(message.number):
                        made.set_result(message.attempt)
                case Broke():
                    if made := self._expected(message.number):
                        made.set_exception(_error_of(message, self.name))
                case Asked() | Ended() | GaveUp():
                    if message.attempt in self._under_way:
                        self._under_way[message.attempt][1].take(message)
                case _:
                    self._owner.take(message)

    def _expected(self, number: int) -> "asyncio.Future[Attempt] | None":
        """What waits for an attempt, if anything still does."""
        made, _ = self._under_way.get(number, (None, None))
        return None if made is None or made.done() else made

    def _end(self, why: str) -> None:
        if self._gone:
            return
        self._gone = True
        self._collecting.cancel()
        self._owner.end()
        self._post.kill()  # where it only cannot be reached, it must not go on
        try:
            for _, calls in self._under_way.values():
                calls.lose()
        except StoreError as error:
            self.fail(error)
        self.fail(WorkerLost(why))
        self._lost(self, why)


class RemoteEngine:
    """Makes attempts on the workers of a cluster."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        packed: bytes,
        digest: str,
        me: Introduction,
        arms: Mapping[tuple[str, str], int],
        case_of: Callable[[PlannedAttempt], Case],
        owned: Owned,
        calls: CallLog,
        emit: EventSink,
        workers: int | None,
    ) -> None:
        """`arms` are the places of suites and variants in the parcel; `me` is what a worker has to
        be equal to. By default there is one worker a processor."""
        self._cluster = cluster
        self._packed, self._digest = packed, digest
        self._me = me
        self._arms = arms
        self._case_of = case_of
        self._owned = owned
        self._calls = calls
        self._emit = emit
        self._workers = workers
        self._stations: list[Station] = []
        self._joining: dict[asyncio.Task[None], Post] = {}
        self._joined = asyncio.Event()
        self._failed_starts = 0
        self._trouble: EvalkitError | None = None
        self._opening = True
        self._closing = False

    async def open(self) -> None:
        """Connect and start workers; those that come later join. Raises EngineError, and Refused
        for a worker that is not as this process is."""
        processors = await self._cluster.open()
        for _ in range(self._workers or max(1, processors)):
            self._hire()
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + START_S
        while self._joining and not self._stations and self._trouble is None:
            left_s = deadline_s - loop.time()
            if left_s <= 0:
                break
            await asyncio.wait(
                set(self._joining), timeout=left_s, return_when=asyncio.FIRST_COMPLETED
            )
        if self._stations and self._joining:
            await asyncio.wait(set(self._joining), timeout=_OTHERS_S)
        self._opening = False
        if self._trouble is not None:
            raise self._trouble
        if not self._stations:
            raise EngineError(
                f"no worker started within {START_S:.0f} s; the cluster has {processors} "
                "processors, and others may use them all"
            )

    async def make(self, planned: PlannedAttempt) -> Attempt:
        """One attempt of the plan. Raises EngineError where no worker is left, and what making it
        raised."""
        arm = self._arms[planned.suite, planned.variant]
        calls = AttemptCalls(self._calls.of(attempt_work(planned.place)))
        why = ""
        for _ in range(_MOST_DEATHS):
            station = await self._pick()
            try:
                return await station.make(arm, self._case_of(planned), planned.trial, calls)
            except WorkerLost as lost:
                why = str(lost)
        raise EngineError(
            f"suite {planned.suite}, case {planned.case}: {_MOST_DEATHS} workers died while they "
            f"made it, the last one because {why}"
        )

    async def close(self) -> None:
        """End all workers and leave the cluster."""
        self._closing = True
        for task in self._joining:
            task.cancel()
        await asyncio.gather(*self._joining, return_exceptions=True)
        await asyncio.gather(*(station.close() for station in tuple(self._stations)))
        await self._cluster.close()

    async def _pick(self) -> Station:
        """The least busy of some: all of them, where they are few."""
        while not self._stations:
            if self._trouble is not None:
                raise self._trouble
            self._joined.clear()
            try:
                async with asyncio.timeout(START_S):
                    await self._joined.wait()
            except TimeoutError:
                raise EngineError(
                    f"all workers are gone, and none started within {START_S:.0f} s"
                ) from None
        some = self._stations
        if len(some) > 8:
            some = random.sample(some, 3)
        return min(some, key=lambda each: each.load)

    def _hire(self) -> None:
        post = self._cluster.hire(self._packed, self._digest)
        task = asyncio.create_task(self._join(post))
        self._joining[task] = post
        task.add_done_callback(lambda done: self._joining.pop(done, None))

    async def _join(self, post: Post) -> None:
        try:
            who = msgspec.json.decode(await post.introduce(), type=Introduction)
            trouble = self._differs(who)
            if trouble is None:
                ready = msgspec.json.decode(await post.load(), type=Readiness)
                trouble = ready.trouble
                if trouble is None and ready.digest != self._digest:
                    trouble = "it has other assets than this run"
        except asyncio.CancelledError:
            post.kill()
            raise
        except Exception as error:  # it is gone, or what it runs is not what it should be
            post.kill()
            self._did_not_start(EngineError(f"a worker could not start: {error}"))
            return
        name = f"{who.node}, process {who.process}"
        if trouble is not None:
            post.kill()
            self._refuse(Refused(f"the worker on node {name} cannot make this run: {trouble}"))
            return
        self._failed_starts = 0
        self._stations.append(Station(post, name, self._owned, lost=self._lose))
        self._joined.set()

    def _differs(self, who: Introduction) -> str | None:
        """What about a worker's code is not as here."""
        for what, theirs, mine in (
            ("Python", who.python, self._me.python),
            ("evalkit", who.version, self._me.version),
            ("the source of evalkit", who.source[:12], self._me.source[:12]),
        ):
            if theirs != mine:
                return f"{what} is {theirs} there and {mine} here; install the same on every node"
        return None

    def _did_not_start(self, error: EngineError) -> None:
        self._failed_starts += 1
        if self._failed_starts < _MOST_FAILED_STARTS:
            self._hire()
        else:
            self._refuse(error)

    def _refuse(self, error: EvalkitError) -> None:
        """No further worker. While the run starts, and where none is at work, that is the end."""
        if self._stations and not self._opening:
            self._emit(RunNoted(message=f"{error}; the run goes on without it"))
        else:
            self._trouble = self._trouble or error
            self._joined.set()

    def _lose(self, station: Station, why: str) -> None:
        self._stations.remove(station)
        if self._closing:
            return
        self._emit(
            RunNoted(
                message=f"the worker on node {station.name} is gone ({why}); what it had under "
                "way is made by others"
            )
        )
        self._hire()


def _error_of(broke: Broke, worker: str) -> Exception:
    """What making an attempt raised, where it was made."""
    match broke.kind:
        case "config":
            return ConfigError(broke.problems)
        case "refused":
            return Refused(broke.message)
        case "store":
            return StoreError(broke.message)
        case "dropped":
            return WorkerLost(f"it gave the attempt up: {broke.message}")
        case _:
            return RuntimeError(f"on node {worker}: {broke.message}")
