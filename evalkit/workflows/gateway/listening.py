"""Where the gateway listens."""

from pathlib import Path

import msgspec


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """Where it listens; `cert` and `key` are files of TLS."""

    host: str = "127.0.0.1"
    port: int = 8700
    cert: Path | None = None
    key: Path | None = None

    def url(self, port: int) -> str:
        """Its address."""
        scheme = "http" if self.cert is None else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{port}"
