"""JSON that a tool wrote: only the fields that are asked for, and NaN where Python writes it."""

import hashlib
import json
import re
from typing import Any, TypeVar

import msgspec

from evalkit.config.encoding import decode_text
from evalkit.sources.results.faults import Faults

T = TypeVar("T")

# A text, to its end or the file's, or a constant that Python's json writes and JSON does not have.
_CONSTANT = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|(-?Infinity|NaN)', re.DOTALL)


def without_constants(raw: bytes) -> bytes:
    """The JSON with a bare NaN, Infinity or -Infinity as the text of that name."""
    if b"NaN" not in raw and b"Infinity" not in raw:
        return raw
    pieces, end = [], 0
    for match in _CONSTANT.finditer(raw):  # few of millions are constants
        if match.start(1) >= 0:
            pieces += [raw[end : match.start()], b'"', match[1], b'"']
            end = match.end()
    return b"".join([*pieces, raw[end:]]) if pieces else raw


def decode(
    raw: bytes,
    kind: type[T],
    faults: Faults,
    *,
    line: int | None = None,
    inside: str = "",
) -> T:
    """The JSON in `raw` as `kind`; fields that `kind` does not name are skipped, not built.

    `inside` names the part of the file that `raw` is, `line` its line if it is one. Raises
    ConfigError with the element or the byte that is wrong.
    """
    where = f"{inside}: " if inside else ""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        message = f"{where}is not as the tool writes it: {error}"
        raise faults.error(message, line=line) from error
    except RecursionError as error:
        raise faults.error(f"{where}is nested too deeply", line=line) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if not inside:
            decode_text(raw, faults.file, first_line=line or 1)  # says what is no text
        raise faults.error(
            f"{where}is no whole JSON: {error}",
            line=line,
            suggestion="the run that wrote it may have been cut off",
        ) from error


def digest_of(*values: Any) -> str:
    """A digest of plain data that does not depend on the order of keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
