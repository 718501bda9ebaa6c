"""One process of the gateway: a project, its application, and the server below it."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.gateway.access_log import AccessLog
from evalkit.gateway.app import build_app
from evalkit.gateway.metrics import Metrics
from evalkit.gateway.operation import Operation
from evalkit.gateway.worker_metrics import Siblings
from evalkit.workflows.binding import Bound, bind_tcp
from evalkit.workflows.gateway.listening import Listening
from evalkit.workflows.gateway.reloading import ReloadingService
from evalkit.workflows.gateway.server import GatewayServer, configure
from evalkit.workflows.project import Project
from evalkit.workflows.runs.collecting import OF_A_SERVICE, rare_collections

_DONE, _CUT_OFF = 0, 130


class GatewayProcess:
    """Serves the project at `root`. Nothing listens before `serve`."""

    def __init__(
        self,
        root: Path,
        listening: Listening,
        *,
        tell: Callable[[str], None],
        siblings: Siblings | None = None,
    ) -> None:
        """`siblings` are the workers behind its port, where it is not alone there.

        Raises ConfigError; UsageError for files of TLS that do not do.
        """
        project = Project.load(root)
        self._root = root
        self._tell = tell
        self._listening = listening
        self._service = ReloadingService(project)
        self._operation = Operation(
            project.assets.config.gateway,
            metrics=Metrics(),
            log=AccessLog(_to_stderr, now=lambda: datetime.now(UTC)),
        )
        app = build_app(
            self._service, self._operation, around=self._service.open, siblings=siblings
        )
        self._config = configure(app, listening, self._operation)

    def bind(self) -> Bound:
        """The socket at its address. Raises UsageError where that cannot be listened at."""
        try:
            return bind_tcp(self._config)
        except (SystemExit, OverflowError, UnicodeError):  # it has told why in its log
            raise UsageError(
                f"cannot listen at {self._listening.host}:{self._listening.port}; choose another "
                "--port or --host"
            ) from None

    def serve(
        self, bound: Bound, *, on_ready: Callable[[], None], parent_fd: int | None = None
    ) -> int:
        """Serve until it is told to stop, or the file `parent_fd` ends: the exit code."""
        server = GatewayServer(
            self._config,
            self._operation,
            tell=self._tell,
            on_ready=on_ready,
            reload=lambda: self._service.reload(self._root, self._operation, self._tell),
            parent_fd=parent_fd,
        )
        with rare_collections(OF_A_SERVICE):
            server.run(sockets=[bound])
        return _DONE if server.whole else _CUT_OFF


def _to_stderr(line: bytes) -> None:
    sys.stderr.write(line.decode())
    sys.stderr.flush()
