"""A project as Python programs use it: load it, run it, open a session of its control core."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from evalkit.config.routes import Route
from evalkit.errors import ConfigError, Problem, UsageError
from evalkit.records.case import Document
from evalkit.records.run import RunRecord, StoredRun
from evalkit.records.span import Use
from evalkit.records.verdict import Verdict
from evalkit.sources.assets import CONFIG_FILE, Assets, load_assets
from evalkit.sources.tree import WorkingTree
from evalkit.store.runs import RunStore
from evalkit.workflows.setup.faults import parse_faults
from evalkit.workflows.setup.request import RunRequest, parse_shard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pandas as pd

    from evalkit.control.session import ControlSession
    from evalkit.control.traffic import Traffic
    from evalkit.records.gateway_key import GatewayKey
    from evalkit.workflows.shared_core import LoopCore, SharedCores
    from evalkit.workflows.traces.sessions import SessionBooks


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Whose workflow it is. Kept in traces as a pseudonym only."""

    user: str = ""
    org: str = ""
    team: str = ""


def find_root(start: Path | str = ".") -> Path:
    """The nearest folder at or above `start` that has an evalkit.yaml.

    Raises ConfigError where there is none.
    """
    here = Path(start).resolve()
    for folder in (here, *here.parents):
        if (folder / CONFIG_FILE).is_file():
            return folder
    raise ConfigError(
        [
            Problem(
                message=f"there is no {CONFIG_FILE} in {here} or above it",
                suggestion="`evalkit init` makes a project in an empty folder",
            )
        ]
    )


def find_runs_root(*names: str | None) -> Path:
    """The folder whose runs are meant: the project around here.

    Runs that are all named by their paths need no project, so a bundle can be read anywhere; a
    name that is None was not given.
    Raises ConfigError as `find_root` does.
    """
    try:
        return find_root()
    except ConfigError:
        if all(_is_bundle(Path(name)) for name in names if name is not None):
            return Path()
        raise


def _is_bundle(path: Path) -> bool:
    return (path / "run.json").is_file() or (path.name == "run.json" and path.is_file())


NOBODY = Identity()


class Run:
    """A finished run: its verdict, its exit code, its results as a table."""

    def __init__(self, stored: StoredRun) -> None:
        """Wrap what a bundle holds."""
        self.stored = stored

    @classmethod
    def load(cls, path: Path | str) -> "Run":
        """Read a bundle by path, or by id, unique prefix or `latest` of the project around here.

        Raises UsageError for one that is not there, StoreError for one that cannot be read.
        """
        return cls(RunStore(find_runs_root(str(path))).open(str(path)).load_whole())

    @property
    def record(self) -> RunRecord:
        """run.json."""
        return self.stored.record

    @property
    def verdict(self) -> Verdict | None:
        """What the gate decided; None for a run that did not gate or finish."""
        return self.stored.record.verdict

    @property
    def exit_code(self) -> int:
        """What `evalkit run` ended with."""
        return self.stored.record.exit_code

    def frame(self) -> "pd.DataFrame":
        """One row per variant, case, trial and scorer, with what the attempt cost."""
        import pandas as pd

        attempts = {attempt.place: attempt for attempt in self.stored.attempts}
        rows = []
        for score in self.stored.scores:
            attempt = attempts[score.suite, score.variant, score.case, score.trial]
            rows.append(
                {
                    "suite": score.suite,
                    "variant": score.variant,
                    "case": score.case,
                    "trial": score.trial,
                    "scorer": score.scorer,
                    "passed": score.passed,
                    "gate": score.gate,
                    "state": attempt.state,
                    "model": attempt.model,
                    "tokens": attempt.usage.total,
                    "cost_usd": attempt.cost_usd,
                    "latency_s": attempt.latency_s,
                    "message": score.message,
                    "measures": score.measures,
                }
            )
        return pd.DataFrame(rows)


class Project:
    """A folder with an evalkit.yaml, loaded and checked."""

    def __init__(self, root: Path, assets: Assets) -> None:
        """Use `Project.load`."""
        self.root = root
        self.assets = assets
        self._books: SessionBooks | None = None
        self._traffic: Traffic | None = None
        self._cores: SharedCores | None = None
        self._entered: list[LoopCore] = []

    @classmethod
    def load(cls, path: Path | str = ".") -> "Project":
        """Load the project at or above `path`. Raises ConfigError; its `.problems` lists all."""
        root = find_root(path)
        return cls(root, load_assets(WorkingTree(root)))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is allowed and worth a look."""
        return self.assets.warnings

    @property
    def traffic(self) -> "Traffic":
        """The limits and circuits that all its sessions share."""
        return self._shared_traffic()

    def take_over(self, other: "Project") -> None:
        """Go on with the limits and circuits of the project as it was loaded before, under the
        limits that are configured now. Only before its first session."""
        from evalkit.workflows.wiring import Wiring

        self._traffic = other.traffic
        self._traffic.forget_limits()
        config = self.assets.config
        wiring = Wiring(self.root, live=True, traffic=self._traffic)
        for name, model in config.models.items():
            wiring.lane(config, name, model)

    def enter_policies(self) -> None:
        """Enter what is in force on every route into the audit log."""
        books = self._open_books()
        for route in self.assets.config.routes:
            books.hear(route, {})

    @property
    def lost_traces(self) -> int:
        """Traces of sessions that could not be written."""
        return 0 if self._books is None else self._books.lost

    def run(
        self,
        suites: Sequence[str] = (),
        *,
        baseline: str | None = None,
        set: Mapping[str, Any] | None = None,
        fault: Mapping[str, str] | None = None,
        live: bool = False,
        shard: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> Run:
        """Run suites (default: the project's) and gate them, as `evalkit run` does.

        `fault` drills the fallback as `run --fault` does: by provider, or `primary`, one of down,
        slow and 429; such a run never gates. `shard` is I/N, the part of it to make.
        Raises ConfigError, UsageError or Refused where nothing was run.
        """
        from evalkit.workflows.runs.running import run_suites
        from evalkit.workflows.wiring import Wiring

        request = RunRequest(
            suites=tuple(suites),
            baseline=baseline,
            changes=dict(set or {}),
            live=live,
            faults=parse_faults(f"{name}={kind}" for name, kind in (fault or {}).items()),
            shard=None if shard is None else parse_shard(shard),
        )
        # what is broken on purpose must not open a circuit for anybody else
        traffic = None if fault else self._shared_traffic()
        wiring = Wiring(self.root, live=live, environ=environ, traffic=traffic)
        return Run(run_suites(request, wiring=wiring))

    @asynccontextmanager
    async def session(
        self,
        route: str | None = None,
        identity: Identity = NOBODY,
        *,
        task: str | None = None,
        risk: str | None = None,
        documents: Sequence[Document] = (),
        approvals: Mapping[str, Mapping[str, str]] | None = None,
        live: bool = True,
        workflow: str = "",
        prompt: str = "",
        use: Use | None = None,
        conversation: str = "",
        key: "GatewayKey | None" = None,
    ) -> "AsyncIterator[ControlSession]":
        """A session of the control core that `run` tests: complete, authorize, retrieve.

        On the `route`, or on the one that is for the `task`, the `risk` class or both. Sessions of
        one project share the limits of their providers and the circuits of their models, and those
        that are open at the same time in one event loop share connections and the ledger too;
        `async with project` keeps these open from one session to the next.
        `documents` are what `retrieve` finds in indexes that are not declared, `approvals` what was
        agreed to beforehand, by tool; what else needs an approval waits for one in
        `evalkit approvals`. What it spends is counted on the budgets of the identity, the
        route and the `workflow`. `prompt` (such as triage@v2) and `conversation` are for its trace,
        and so is `use`, what that may become (default: the route's). `key` is the gateway's that
        it came with: its budgets hold as well.

        Raises UsageError for an unknown route, and for none or several that are for the work,
        Refused for a model that cannot be reached or that the route may not ask, ConfigError for an
        index whose files are not in order.
        """
        known = self._route(route, task, risk)
        books = self._open_books()
        cores = self._shared_cores()
        core = cores.take()
        run = core.new_run()
        try:
            who = msgspec.structs.asdict(identity)
            session = core.plane(known, live=live).open_for(
                who,
                documents=documents,
                approvals=approvals or {},
                workflow=workflow,
                run=run,
                prompt=prompt,
                use=use or known.use,
                conversation=conversation,
                heard=books.hear(known, who),
                trace_id=books.new_id(),
                key="" if key is None else key.id,
                caps=None if key is None else key.caps,
            )
            ended: BaseException | None = None
            try:
                yield session
            except BaseException as error:
                ended = error
                raise
            finally:
                await books.keep(
                    session,
                    who,
                    use=use or known.use,
                    conversation=conversation,
                    error=ended,
                    alone=core.users == 1 + self._entered.count(core),
                )
        finally:
            core.end_run(run)
            await cores.give_back(core)

    async def __aenter__(self) -> "Project":
        """Keep what sessions of this event loop share open between them, until the block ends."""
        self._entered.append(self._shared_cores().take())
        return self

    async def __aexit__(self, *error: object) -> None:
        """Give it back, and send what is left of traces."""
        loop = asyncio.get_running_loop()
        core = next(each for each in reversed(self._entered) if each.is_of(loop))
        self._entered.remove(core)
        try:
            await self._shared_cores().give_back(core)
        finally:
            if not self._entered:
                await asyncio.to_thread(self.close)

    def _open_books(self) -> "SessionBooks":
        from evalkit.workflows.traces.sessions import SessionBooks
        from evalkit.workflows.wiring import SystemClock

        if self._books is None:
            self._books = SessionBooks(self.root, self.assets.config, clock=SystemClock())
        return self._books

    def close(self) -> None:
        """Send what is left of traces to the collector, if there is one; the end of the program
        does so too."""
        if self._books is not None:
            self._books.close()
            self._books = None

    def _route(self, name: str | None, task: str | None, risk: str | None) -> Route:
        config = self.assets.config
        if name is None:
            return config.route_for(task=task, risk=risk)
        if task is not None or risk is not None:
            raise UsageError("a session is on a route, or on the one for a task and risk: not both")
        known = config.route(name)
        if known is None:
            names = ", ".join(each.name for each in config.routes) or "none"
            raise UsageError(f"there is no route {name!r}; there is {names}")
        return known

    def _shared_cores(self) -> "SharedCores":
        from evalkit.workflows.shared_core import SharedCores

        if self._cores is None:
            config = self.assets.config
            self._cores = SharedCores(self.root, config, traffic=self._shared_traffic())
        return self._cores

    def _shared_traffic(self) -> "Traffic":
        from evalkit.control.traffic import Traffic
        from evalkit.workflows.wiring import SystemClock

        if self._traffic is None:
            self._traffic = Traffic(SystemClock())
        return self._traffic
