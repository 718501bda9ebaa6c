"""A gateway whose project is loaded anew while it serves.

A request is served by the project as it was when it came. The old one is closed once the last
session that began on it has ended. One that is not in order changes nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from evalkit.errors import ConfigError, Problem, StoreError
from evalkit.gateway.operation import Operation
from evalkit.gateway.service import Decide
from evalkit.gateway.standing import Standing
from evalkit.ports import Session
from evalkit.records.approval import Approval
from evalkit.records.asset import Tool
from evalkit.records.gateway_key import GatewayKey
from evalkit.sources.assets import CONFIG_FILE
from evalkit.workflows.gateway.service import ProjectService
from evalkit.workflows.project import Project


class _Loaded:
    """A project as it was loaded once, and how many sessions are on it."""

    def __init__(self, project: Project, generation: int) -> None:
        self.project = project
        self.service = ProjectService(project)
        self.generation = generation
        self.users = 0
        self.replaced = False

    async def close_if_unused(self) -> None:
        if self.replaced and not self.users:
            await self.project.__aexit__(None, None, None)


class ReloadingService:
    """Implements gateway.service.Service over the project as it was loaded last."""

    def __init__(self, project: Project) -> None:
        """Begins with this one. Raises ConfigError."""
        self._loaded = _Loaded(project, 1)
        self._reloading = asyncio.Lock()

    @property
    def generation(self) -> int:
        """How often a project was loaded."""
        return self._loaded.generation

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keep what sessions share open, as long as the gateway serves."""
        await self._loaded.project.__aenter__()
        try:
            yield
        finally:
            self._loaded.replaced = True
            await self._loaded.close_if_unused()

    async def reload(self, root: Path, operation: Operation, tell: Callable[[str], None]) -> None:
        """Load the project anew, and serve it if it is in order; else tell its problems."""
        async with self._reloading:
            old = self._loaded
            try:
                new = await asyncio.to_thread(_load, root, old.generation + 1)
                new.project.take_over(old.project)
                await new.project.__aenter__()
            except (ConfigError, StoreError) as error:
                operation.metrics.reloaded("refused")
                tell(f"not reloaded, the configuration before stays in force: {error}")
                return
            self._loaded = new
            operation.rules = new.project.assets.config.gateway
            operation.metrics.reloaded("loaded")
            old.replaced = True
            await old.close_if_unused()
            await asyncio.to_thread(new.project.enter_policies)
            tell(f"reloaded: {len(new.service.routes)} routes are in force")

    @property
    def routes(self) -> Sequence[str]:
        """The names of the routes."""
        return self._loaded.service.routes

    def holder(self, key: str) -> GatewayKey | None:
        """Whose key it is. Raises StoreError."""
        return self._loaded.service.holder(key)

    def problem(self) -> str | None:
        """What keeps it from serving."""
        return self._loaded.service.problem()

    def standing(self) -> Standing:
        """How it stands. Raises StoreError."""
        return self._loaded.service.standing()

    def session(
        self, route: str, holder: GatewayKey, *, end_user: str
    ) -> AbstractAsyncContextManager[Session]:
        """A session on a route of the project as it is now."""
        return self._session(self._loaded, route, holder, end_user)

    @asynccontextmanager
    async def _session(
        self, loaded: _Loaded, route: str, holder: GatewayKey, end_user: str
    ) -> AsyncIterator[Session]:
        loaded.users += 1
        try:
            async with loaded.service.session(route, holder, end_user=end_user) as session:
                yield session
        finally:
            loaded.users -= 1
            await loaded.close_if_unused()

    def known_tools(self, tools: Sequence[Tool]) -> tuple[Tool, ...]:
        """The tools as the project declares them."""
        return self._loaded.service.known_tools(tools)

    def approvals(self, holder: GatewayKey) -> Sequence[Approval]:
        """What waits for the key's team. Raises StoreError, ConfigError."""
        return self._loaded.service.approvals(holder)

    def decide(self, id_: str, holder: GatewayKey, decision: Decide) -> Approval:
        """Grant or deny. Raises UsageError, StoreError, ConfigError."""
        return self._loaded.service.decide(id_, holder, decision)

    def now_s(self) -> int:
        """Seconds since 1970."""
        return self._loaded.service.now_s()


def _load(root: Path, generation: int) -> _Loaded:
    project = Project.load(root)
    if project.root != root.resolve():  # it looks above a folder that has none, and finds another
        raise ConfigError([Problem(message=f"there is no {CONFIG_FILE} in {root}")])
    return _Loaded(project, generation)
