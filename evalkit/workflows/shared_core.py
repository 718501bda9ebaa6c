"""What the sessions of one project share: connections, the ledger, indexes, and files of routes.

Connections belong to an event loop, so each loop has a core of its own. It lives while anybody uses
it, a session or an `async with project`, and whoever leaves last closes it. Limits and circuits are
the project's, for all its loops.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary, ref

import msgspec

from evalkit.config.model import Config
from evalkit.config.routes import Route
from evalkit.control.factory import ControlPlane
from evalkit.control.ledger.book import Ledger
from evalkit.control.traffic import Traffic
from evalkit.records.index import IndexContent
from evalkit.sources.indexes import read_index, readable_indexes
from evalkit.sources.route_files import read_policy_code
from evalkit.sources.schemas import read_schema
from evalkit.sources.tree import WorkingTree
from evalkit.store.approvals import ApprovalStore
from evalkit.workflows.wiring import Wiring


class RouteFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What the files that a route names hold."""

    indexes: Mapping[str, IndexContent]
    output_schema: dict[str, Any] | None
    policy_code: Mapping[str, str]


class SharedCores:
    """The cores of a loaded project, one for each event loop that uses it. Safe between threads."""

    def __init__(self, root: Path, config: Config, *, traffic: Traffic) -> None:
        """Nothing is opened before the first use."""
        self._root = root
        self._config = config
        self._traffic = traffic
        self._files: dict[str, RouteFiles] = {}
        self._lock = Lock()
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopCore] = WeakKeyDictionary()

    def take(self) -> "LoopCore":
        """The core of the running loop, to be given back by whoever took it."""
        loop = asyncio.get_running_loop()
        with self._lock:
            core = self._by_loop.get(loop)
            if core is None:
                core = self._by_loop[loop] = LoopCore(
                    self._root, self._config, traffic=self._traffic, files_of=self.files_of
                )
            core.users += 1
            return core

    async def give_back(self, core: "LoopCore") -> None:
        """The last one closes it; who comes meanwhile gets a new one."""
        with self._lock:
            core.users -= 1
            if core.users:
                return
            del self._by_loop[asyncio.get_running_loop()]
        await core.close()

    def files_of(self, route: Route) -> RouteFiles:
        """Read when the route's first session is opened: the project stays what it was then, as its
        configuration does. Raises ConfigError."""
        found = self._files.get(route.name)
        if found is None:
            tree, policy, indexes = (
                WorkingTree(self._root),
                route.policies.answer_schema,
                self._config.indexes,
            )
            found = self._files[route.name] = RouteFiles(
                indexes={
                    name: read_index(tree, name, indexes[name])
                    for name in readable_indexes(self._config, route)
                    if indexes[name].folder is not None
                },
                output_schema=None if policy is None else read_schema(tree, policy.json_schema),
                policy_code=read_policy_code(tree, route),
            )
        return found


class LoopCore:
    """What sessions in one event loop share."""

    def __init__(
        self,
        root: Path,
        config: Config,
        *,
        traffic: Traffic,
        files_of: Callable[[Route], RouteFiles],
    ) -> None:
        """Made by `SharedCores.take`; `users` are those who have not given it back."""
        self.users = 0
        self._loop = ref(asyncio.get_running_loop())
        self._root = root
        self._config = config
        self._traffic = traffic
        self._files_of = files_of
        self._opened: dict[bool, tuple[Wiring, Ledger]] = {}
        self._planes: dict[tuple[str, bool, tuple[bool, ...]], ControlPlane] = {}

    def is_of(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether it is that loop's."""
        return self._loop() is loop

    def plane(self, route: Route, *, live: bool) -> ControlPlane:
        """The route's control core, the same one for all sessions.

        Which provider is asked may depend on whether its key is set, so that is looked at each
        time. Raises Refused and ConfigError as `Wiring.control_plane`.
        """
        wiring, ledger = self._open(live)
        place = (route.name, live, self._keys_set(wiring))
        plane = self._planes.get(place)
        if plane is None:
            plane = self._planes[place] = self._build(route, wiring, ledger)
        return plane

    def _keys_set(self, wiring: Wiring) -> tuple[bool, ...]:
        names = [each.api_key_env for each in self._config.providers.values()]
        return tuple(name is not None and bool(wiring.environ.get(name)) for name in names)

    def _build(self, route: Route, wiring: Wiring, ledger: Ledger) -> ControlPlane:
        files = self._files_of(route)
        return wiring.control_plane(
            self._config,
            route,
            suite="",
            ledger=ledger,
            cache=None,
            approvals=ApprovalStore(self._root, now=wiring.clock.now),
            indexes=files.indexes,
            output_schema=files.output_schema,
            policy_code=files.policy_code,
        )

    def new_run(self) -> str:
        """The run that one session is to budgets of runs."""
        return f"call-{secrets.token_hex(8)}"

    def end_run(self, run: str) -> None:
        """That session has ended."""
        for _, ledger in self._opened.values():
            ledger.forget_run(run)

    def _open(self, live: bool) -> tuple[Wiring, Ledger]:
        if live not in self._opened:
            wiring = Wiring(self._root, live=live, traffic=self._traffic)
            self._opened[live] = wiring, wiring.ledger(self._config, service=True)
        return self._opened[live]

    async def close(self) -> None:
        """Give connections, engines and files back."""
        opened, self._opened = list(self._opened.values()), {}
        self._planes.clear()
        for wiring, _ in opened:
            await wiring.close()
