"""Server-sent events as doors write them."""

from typing import Any

import msgspec


def event(body: Any, *, name: str = "") -> bytes:
    """One event with a JSON body, under a name where the format has names."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + msgspec.json.encode(body) + b"\n\n"
