"""Keys of the gateway, as text and as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from evalkit.records.gateway_key import GatewayKey, KeyStanding
from evalkit.records.ledger import Amount, KeyCaps
from evalkit.report.untrusted import one_line

_NANO = 1_000_000_000


def key_json(key: str, known: GatewayKey) -> str:
    """A key that was just made, with what is kept of it."""
    return msgspec.json.encode({"key": key} | msgspec.structs.asdict(known)).decode()


def keys_json(keys: Sequence[KeyStanding]) -> str:
    """All that is known of them, with what is left of their caps."""
    return msgspec.json.encode(
        [msgspec.structs.asdict(each.key) | _left(each) for each in keys]
    ).decode()


def keys_text(keys: Sequence[KeyStanding], *, now: datetime) -> str:
    """One line a key."""
    at = now.astimezone(UTC).isoformat(timespec="seconds")
    lines = [_line(each, at) for each in keys]
    return "\n".join(lines) or "There is no key yet; `evalkit key add` makes one."


def _left(standing: KeyStanding) -> dict[str, Any]:
    caps, taken = standing.key.caps, standing.taken
    if caps is None or taken is None:
        return {}
    left: dict[str, Any] = {"taken_usd": taken.nano / _NANO, "taken_tokens": taken.tokens}
    if caps.max_usd is not None:
        left["left_usd"] = max(0.0, caps.max_usd - taken.nano / _NANO)
    if caps.max_tokens is not None:
        left["left_tokens"] = max(0, caps.max_tokens - taken.tokens)
    return left


def _line(standing: KeyStanding, at: str) -> str:
    key = standing.key
    who = ", ".join(f"{name} {value}" for name, value in key.identity.items() if value) or "nobody"
    what = (
        "for metrics" if key.purpose == "metrics" else f"routes: {', '.join(key.routes) or 'all'}"
    )
    told = [key.id, who, what]
    if key.caps is not None:
        told.append(_caps(key.caps, standing.taken or Amount()))
    if key.revoked_at:
        told.append(f"revoked {key.revoked_at}")
    elif key.ended(at):
        told.append(f"expired {key.expires_at}")
    elif key.expires_at:
        told.append(f"expires {key.expires_at}")
    if key.note:
        told.append(key.note)
    return one_line("  ".join(told))


def _caps(caps: KeyCaps, taken: Amount) -> str:
    """What is used of what may be, spent or held: `0.25 of 5 USD a day`."""
    told = []
    if caps.max_usd is not None:
        told.append(f"{taken.nano / _NANO:g} of {caps.max_usd:g} USD")
    if caps.max_tokens is not None:
        told.append(f"{taken.tokens} of {caps.max_tokens} tokens")
    return f"{' and '.join(told)} used this {caps.window}"
