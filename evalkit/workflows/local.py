"""`evalkit local`: the embedded model's weights and server."""

from collections.abc import Callable
from pathlib import Path

from evalkit.control.providers.engine import serve_local
from evalkit.control.providers.weights import cache_folder, find_weights, pull_weights


def pull_model() -> Path:
    """The weights on this machine, fetched where they are not.

    Raises StoreError where they cannot be fetched, are not what they should be, or do not fit.
    """
    return find_weights() or pull_weights(cache_folder())


def serve_model(host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until interrupted. `on_ready` gets the base URL. Raises Refused, UsageError."""
    serve_local(host, port, on_ready=on_ready)
