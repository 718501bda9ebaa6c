"""Which version of a bundle this evalkit reads, and what it says to the others.

Migrations turn the data of run.json from one version into the next; there is none yet because
`evalkit.run/1` is the first version.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from evalkit.errors import StoreError
from evalkit.records.run import SCHEMA, RunRecord

_FAMILY, _VERSION = SCHEMA.split("/")
# a suite's snapshot is a file of that name, which may not lie elsewhere
_FILE_NAME = re.compile(r"[^./\\:\x00-\x1f][^/\\:\x00-\x1f]{0,200}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@\-]{0,200}")
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
        record = msgspec.convert(data, RunRecord)
    except (msgspec.ValidationError, RecursionError) as error:
        raise StoreError(f"{path}: not a record of {SCHEMA} ({error})") from error
    names = (record.id, *(each.variant for suite in record.suites for each in suite.variants))
    for name in names:
        if not _NAME.fullmatch(name):
            raise StoreError(f"{path}: {name!r} is no name that evalkit gave to a run or a variant")
    for suite in record.suites:
        if not _FILE_NAME.fullmatch(suite.suite):
            raise StoreError(f"{path}: {suite.suite!r} is no suite's name, and names a file here")
    return record


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
