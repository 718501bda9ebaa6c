"""Digests of content: equal for equal data, whatever file format or key order it came in."""

import hashlib
import json
from typing import Any

import msgspec

# made once: `json.dumps` makes one for every value
_CANONICAL = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
)


def digest_of(value: Any) -> str:
    """`sha256:` and the hexadecimal digest of the value's canonical JSON.

    Raises TypeError for what is not JSON, ValueError for NaN and Infinity.
    """
    return f"sha256:{hashlib.sha256(canonical_json(value)).hexdigest()}"


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, without spaces, in UTF-8: what every digest is taken of."""
    plain = msgspec.to_builtins(value)
    return _CANONICAL.encode(plain).encode()
