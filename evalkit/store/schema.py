"""Which version of a bundle this evalkit reads, and what it says to the others.

Migrations turn the data of run.json from one version into the next; there is none yet because
`evalkit.run/1` is the first version.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from evalkit.errors import StoreError
from evalkit.records.run import SCHEMA, RunRecord

_FAMILY, _VERSION = SCHEMA.split("/")
_MIGRATIONS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def decode_record(raw: bytes, path: Path) -> RunRecord:
    """The record in a run.json. Raises StoreError for another format, a newer version, damage."""
    try:
        data = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{path}: not a run's record ({error}); the bundle is damaged") from error
    version = _version_of(data.get("schema"), path)
    while version < int(_VERSION):
        data = _MIGRATIONS[version](data)
        version += 1
    try:
        return msgspec.convert(data, RunRecord)
    except msgspec.ValidationError as error:
        raise StoreError(f"{path}: not a record of {SCHEMA} ({error})") from error


def _version_of(schema: object, path: Path) -> int:
    family, _, number = str(schema).partition("/")
    if family != _FAMILY or not (number.isascii() and number.isdigit()) or int(number) < 1:
        raise StoreError(f"{path}: `schema` is {schema!r}, which is no run that evalkit stored")
    if int(number) > int(_VERSION):
        raise StoreError(
            f"{path} was written by a newer evalkit ({schema}; this one reads up to {SCHEMA}); "
            "upgrade evalkit to read it"
        )
    return int(number)
