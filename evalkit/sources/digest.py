"""Digests of content: equal for equal data, whatever file format or key order it came in."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import msgspec


def digest_of(value: Any) -> str:
    """`sha256:` and the hexadecimal digest of the value's canonical JSON.

    Raises TypeError for what is not JSON, ValueError for NaN and Infinity.
    """
    return digest_all((value,))


def digest_all(values: Iterable[Any]) -> str:
    """The digest of a sequence of values, one canonical JSON text a line."""
    found = hashlib.sha256()
    for index, value in enumerate(values):
        if index:
            found.update(b"\n")
        found.update(canonical_json(value))
    return f"sha256:{found.hexdigest()}"


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, without spaces, in UTF-8: what every digest is taken of."""
    plain = msgspec.to_builtins(value)
    return json.dumps(
        plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()
