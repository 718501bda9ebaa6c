"""Digests of content: equal for equal data, whatever file format or key order it came in."""

import hashlib
import json
from typing import Any

import msgspec

# made once: `json.dumps` makes one for every value
_CANONICAL = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
)
_FAST = msgspec.json.Encoder(order="sorted")
_TEXT = frozenset({str})
_ALIKE = frozenset({str, bool, type(None)})
_LARGE = 2**63


def digest_of(value: Any) -> str:
    """`sha256:` and the hexadecimal digest of the value's canonical JSON.

    Raises TypeError for what is not JSON, ValueError for NaN and Infinity.
    """
    return f"sha256:{hashlib.sha256(canonical_json(value)).hexdigest()}"


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, without spaces, in UTF-8: what every digest is taken of."""
    plain = msgspec.to_builtins(value)
    if _written_alike(plain):
        return _FAST.encode(plain)
    return _CANONICAL.encode(plain).encode()


def _written_alike(value: Any) -> bool:
    """Whether msgspec writes the value as `json` does, which is several times as fast.

    It does not where there are floats (0.00001 is 1e-05 to `json`), large whole numbers, or keys
    that are no texts, which it sorts in another order.
    """
    kind = type(value)
    if kind in _ALIKE:
        return True
    if kind is dict:
        return _TEXT.issuperset(map(type, value)) and all(map(_written_alike, value.values()))
    if kind is list:
        return all(map(_written_alike, value))
    return kind is int and -_LARGE < value < _LARGE
