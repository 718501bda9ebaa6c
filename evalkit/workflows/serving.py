"""`evalkit serve`: the gateway over a project, in a server of its own."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.gateway.service import Decide
from evalkit.ports import Session
from evalkit.records.approval import Approval
from evalkit.records.asset import Tool
from evalkit.records.gateway_key import GatewayKey
from evalkit.sources.tools import read_tools
from evalkit.sources.tree import WorkingTree
from evalkit.store.gateway_keys import GatewayKeys
from evalkit.store.key_cache import KeyCache
from evalkit.workflows.approving import ApprovalDesk
from evalkit.workflows.project import Identity, Project

# how long requests under way may still take once the server was told to stop
DRAIN_S = 30


class ProjectService:
    """Implements gateway.service.Service over a loaded project."""

    def __init__(self, project: Project) -> None:
        """Its sessions are the project's, as programs open them. Raises ConfigError."""
        self._project = project
        self._tools = read_tools(WorkingTree(project.root))
        self._keys = KeyCache(
            GatewayKeys(project.root, now=_now).find, now=_now, monotonic=time.monotonic
        )

    @property
    def routes(self) -> Sequence[str]:
        """The names of the project's routes."""
        return [route.name for route in self._project.assets.config.routes]

    def holder(self, key: str) -> GatewayKey | None:
        """Whose key it is. Raises StoreError."""
        return self._keys.find(key)

    @asynccontextmanager
    async def session(
        self, route: str, holder: GatewayKey, *, end_user: str
    ) -> AsyncIterator[Session]:
        """A session on a route, for the key's holder or whom they ask for."""
        who = Identity(user=holder.user or end_user, org=holder.org, team=holder.team)
        async with self._project.session(route, who, key=holder) as session:
            yield session

    def known_tools(self, tools: Sequence[Tool]) -> tuple[Tool, ...]:
        """The tools, those that the project knows as it declares them: an application cannot make
        a tool that executes one that reads, nor its arguments wider."""
        return tuple(self._tools.get(tool.name, tool) for tool in tools)

    def approvals(self, holder: GatewayKey) -> Sequence[Approval]:
        """What waits for the decision of the key's team. Raises StoreError, ConfigError."""
        waiting = ApprovalDesk(self._project.root).waiting()
        return [each for each in waiting if holder.team and each.asked.team == holder.team]

    def decide(self, id_: str, holder: GatewayKey, decision: Decide) -> Approval:
        """Grant or deny, as the key's user and for its team.

        Raises UsageError where that is not theirs to say, StoreError, ConfigError.
        """
        if not (holder.user and holder.team):
            raise UsageError("this key is not a person's in a team, so it decides nothing")
        desk = ApprovalDesk(self._project.root)
        if decision.says == "deny":
            return desk.deny(id_, by=holder.user, team=holder.team, reason=decision.reason)
        return desk.grant(
            id_,
            by=holder.user,
            team=holder.team,
            expires_s=decision.expires_s,
            any_arguments=decision.any_arguments,
        )

    def now_s(self) -> int:
        """Seconds since 1970."""
        return int(time.time())


def _now() -> datetime:
    return datetime.now(UTC)


def serve_project(root: Path, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are answered before it returns.

    `on_ready` is told the address. Raises UsageError without the extra, or where the address is
    taken; ConfigError.
    """
    try:
        import uvicorn

        from evalkit.gateway.app import build_app
    except ImportError as error:
        raise UsageError(
            f"`evalkit serve` needs the extra `gateway` ({error.name} is missing): "
            "pip install 'evalkit[gateway]'"
        ) from None
    project = Project.load(root)

    @asynccontextmanager
    async def around() -> AsyncIterator[None]:
        async with project:
            yield

    config = uvicorn.Config(
        build_app(ProjectService(project), around=around),
        host=host,
        port=port,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    try:
        bound = config.bind_socket()
    except SystemExit:  # it has told why in its log
        raise UsageError(f"cannot listen at {host}:{port}; choose another --port") from None
    on_ready(f"http://{host}:{bound.getsockname()[1]}")
    with bound:
        uvicorn.Server(config).run(sockets=[bound])
