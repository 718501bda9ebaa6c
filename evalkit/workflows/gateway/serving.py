"""`evalkit serve`: a project, a server, and what they tell whoever started them."""

import ipaddress
import os
import signal
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from evalkit.errors import UsageError
from evalkit.workflows.gateway.listening import Listening

if TYPE_CHECKING:
    from evalkit.workflows.binding import Bound


def serve_project(
    root: Path,
    listening: Listening,
    *,
    without_tls: bool,
    tell: Callable[[str], None],
    workers: int = 1,
) -> int:
    """Serve until SIGINT or SIGTERM, by so many `workers`: one is this very process. The exit code:
    0 where all requests had ended, 130 where some were cut off.

    `tell` is told the address, and what an operator should know. Raises UsageError without the
    extra, where the address cannot be listened at, for one beyond this machine without TLS, and for
    several workers where processes cannot be forked; ConfigError.
    """
    if not (is_loopback(listening.host) or listening.cert or without_tls):
        raise UsageError(
            f"--host {listening.host} can be reached from other machines, and keys would cross the "
            "network in the clear: give --tls-cert and --tls-key, or --without-tls where a proxy "
            "in front speaks TLS"
        )
    if (listening.cert is None) != (listening.key is None):
        raise UsageError("--tls-cert and --tls-key belong together")
    if workers > 1 and not (hasattr(os, "fork") and hasattr(signal, "sigtimedwait")):
        raise UsageError(
            "--workers needs what Linux has for parents of processes, and this system has not; "
            "start several gateways on ports of their own behind a balancer"
        )
    try:
        from evalkit.workflows.gateway.process import GatewayProcess
    except ImportError as error:
        raise UsageError(
            f"`evalkit serve` needs the extra `gateway` ({error.name} is missing): "
            "pip install 'evalkit[gateway]'"
        ) from None
    process = GatewayProcess(root, listening, tell=tell)
    with process.bind() as bound:
        address = listening.url(bound.getsockname()[1])
        ready = f"listening at {address}; Ctrl-C drains and stops"
        if workers == 1:
            return process.serve(bound, on_ready=lambda: tell(ready))
        return _serve_by_workers(root, listening, bound, workers, tell=tell, ready=ready)


def _serve_by_workers(
    root: Path,
    listening: Listening,
    bound: "Bound",
    workers: int,
    *,
    tell: Callable[[str], None],
    ready: str,
) -> int:
    from evalkit.workflows.gateway.process import GatewayProcess
    from evalkit.workflows.gateway.siblings import SocketSiblings
    from evalkit.workflows.gateway.supervising import Supervisor

    with TemporaryDirectory(prefix="evalkit-serve-") as folder:

        def serve(number: int, parent_fd: int, on_ready: Callable[[], None]) -> int:
            process = GatewayProcess(
                root,
                listening,
                tell=lambda words: tell(f"worker {number}: {words}"),
                siblings=SocketSiblings(Path(folder), number, workers),
            )
            return process.serve(bound, on_ready=on_ready, parent_fd=parent_fd)

        return Supervisor(
            workers, serve, tell=tell, on_ready=lambda: tell(f"{workers} workers {ready}")
        ).run()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; a name other than localhost may be any."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
