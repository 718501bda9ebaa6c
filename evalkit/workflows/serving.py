"""`evalkit serve`: the gateway over a project, in a server of its own."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.ports import Session
from evalkit.records.gateway_key import GatewayKey
from evalkit.store.gateway_keys import GatewayKeys
from evalkit.workflows.project import Identity, Project

# how long requests under way may still take once the server was told to stop
DRAIN_S = 30


class ProjectService:
    """Implements gateway.service.Service over a loaded project."""

    def __init__(self, project: Project) -> None:
        """Its sessions are the project's, as programs open them."""
        self._project = project
        self._keys = GatewayKeys(project.root, now=lambda: datetime.now(UTC))

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
        async with self._project.session(route, who) as session:
            yield session

    def now_s(self) -> int:
        """Seconds since 1970."""
        return int(time.time())


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
    async def lifespan(app: object) -> AsyncIterator[None]:
        async with project:
            yield

    config = uvicorn.Config(
        build_app(ProjectService(project), lifespan=lifespan),
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
