"""Keys of the gateway, as text and as JSON."""

from collections.abc import Sequence

import msgspec

from evalkit.records.gateway_key import GatewayKey
from evalkit.report.untrusted import one_line


def key_json(key: str, known: GatewayKey) -> str:
    """A key that was just made, with what is kept of it."""
    return msgspec.json.encode({"key": key} | msgspec.structs.asdict(known)).decode()


def keys_json(keys: Sequence[GatewayKey]) -> str:
    """All that is known of them."""
    return msgspec.json.encode(keys).decode()


def keys_text(keys: Sequence[GatewayKey]) -> str:
    """One line a key."""
    return "\n".join(map(_line, keys)) or "There is no key yet; `evalkit key add` makes one."


def _line(key: GatewayKey) -> str:
    who = ", ".join(f"{name} {value}" for name, value in key.identity.items() if value) or "nobody"
    told = [key.id, who, f"routes: {', '.join(key.routes) or 'all'}"]
    if key.revoked_at:
        told.append(f"revoked {key.revoked_at}")
    elif key.expires_at:
        told.append(f"expires {key.expires_at}")
    if key.note:
        told.append(key.note)
    return one_line("  ".join(told))
