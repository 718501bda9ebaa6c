"""`evalkit serve`: a project, a server, and what they tell whoever started them."""

import ipaddress
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.workflows.gateway.listening import Listening
from evalkit.workflows.project import Project

_DONE, _CUT_OFF = 0, 130


def serve_project(
    root: Path, listening: Listening, *, without_tls: bool, tell: Callable[[str], None]
) -> int:
    """Serve until SIGINT or SIGTERM. The exit code: 0 where all requests had ended, 130 where some
    were cut off.

    `tell` is told the address, and what an operator should know. Raises UsageError without the
    extra, where the address cannot be listened at, and for one beyond this machine without TLS;
    ConfigError.
    """
    if not (is_loopback(listening.host) or listening.cert or without_tls):
        raise UsageError(
            f"--host {listening.host} can be reached from other machines, and keys would cross the "
            "network in the clear: give --tls-cert and --tls-key, or --without-tls where a proxy "
            "in front speaks TLS"
        )
    if (listening.cert is None) != (listening.key is None):
        raise UsageError("--tls-cert and --tls-key belong together")
    try:
        from evalkit.gateway.access_log import AccessLog
        from evalkit.gateway.app import build_app
        from evalkit.gateway.metrics import Metrics
        from evalkit.gateway.operation import Operation
        from evalkit.workflows.binding import bind_tcp
        from evalkit.workflows.gateway.reloading import ReloadingService
        from evalkit.workflows.gateway.server import GatewayServer, configure
        from evalkit.workflows.runs.collecting import rare_collections
    except ImportError as error:
        raise UsageError(
            f"`evalkit serve` needs the extra `gateway` ({error.name} is missing): "
            "pip install 'evalkit[gateway]'"
        ) from None
    project = Project.load(root)
    service = ReloadingService(project)
    operation = Operation(
        project.assets.config.gateway,
        metrics=Metrics(),
        log=AccessLog(_to_stderr, now=lambda: datetime.now(UTC)),
    )
    app = build_app(service, operation, around=service.open)
    config = configure(app, listening, operation)
    try:
        bound = bind_tcp(config)
    except (SystemExit, OverflowError, UnicodeError):  # it has told why in its log
        raise UsageError(
            f"cannot listen at {listening.host}:{listening.port}; choose another --port or --host"
        ) from None
    address = listening.url(bound.getsockname()[1])
    server = GatewayServer(
        config,
        operation,
        tell=tell,
        on_ready=lambda: tell(f"listening at {address}; Ctrl-C drains and stops"),
        reload=lambda: service.reload(root, operation, tell),
    )
    with bound, rare_collections():
        server.run(sockets=[bound])
    return _DONE if server.whole else _CUT_OFF


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; a name other than localhost may be any."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _to_stderr(line: bytes) -> None:
    sys.stderr.write(line.decode())
    sys.stderr.flush()
