"""Reading a result file: which of the known forms it has is told by what is in it."""

from pathlib import Path

import msgspec

from evalkit.config.encoding import decode_text
from evalkit.errors import ConfigError
from evalkit.records.results import Results
from evalkit.sources.results.choice import ResultChoice
from evalkit.sources.results.faults import Faults
from evalkit.sources.results.inspect_ai import read_inspect_archive, read_inspect_json
from evalkit.sources.results.junit import read_junit
from evalkit.sources.results.promptfoo import read_promptfoo_json, read_promptfoo_lines
from evalkit.sources.results.table import read_csv, read_json_lines
from evalkit.sources.results.tool_json import decode, without_constants

_AHEAD = 1 << 12  # bytes, to see whether anything follows
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_ZIP = b"PK"
_KNOWN = (
    "CSV or JSON Lines with case and passed, JUnit XML, JSON or JSON Lines of promptfoo, or an "
    "inspect_ai log"
)
_Keys = dict[str, msgspec.Raw]


def read_results(path: Path, choice: ResultChoice | None = None) -> Results:
    """Every result of the file, in order, whatever it is called.

    Raises ConfigError with what is wrong in it, or with what `choice` has to say.
    """
    faults, choice = Faults(str(path)), choice or ResultChoice()
    try:
        with path.open("rb") as file:
            head = _without_bom(file.peek(64)).lstrip(b" \t\r\n\0")
            if head.startswith(_ZIP):
                return read_inspect_archive(file, choice, faults)
            if head.startswith(b"<"):
                return read_junit(file, faults)
            raw = file.read()
    except OSError as error:
        raise faults.error(f"cannot be read: {error.strerror or error}") from error
    if head[:1] not in (b"{", b"["):
        return read_csv(raw, faults)
    return _read_json(raw, path, choice, faults)


def _without_bom(head: bytes) -> bytes:
    for mark in _BOMS:
        head = head.removeprefix(mark)
    return head


def _read_json(raw: bytes, path: Path, choice: ResultChoice, faults: Faults) -> Results:
    if raw.startswith(_BOMS[1:]):
        decode_text(raw, faults.file)  # says that it is UTF-16
    raw = raw.removeprefix(_BOMS[0])
    lines = path.suffix.lower() == ".jsonl"
    first, rest = _first_line(raw)
    keys = _keys_of(first)
    if keys is None and not lines:
        raw, rest = without_constants(raw), b""
        keys = decode(raw, _Keys, faults) if first.startswith(b"{") else {}
    if keys is None or {"case", "passed"} <= keys.keys():
        return read_json_lines(raw, faults)
    if {"testIdx", "promptIdx"} <= keys.keys():
        return read_promptfoo_lines(raw, choice, faults)
    if {"status", "eval"} <= keys.keys() and not rest:
        return read_inspect_json(without_constants(raw), choice, faults)
    if {"results", "config"} <= keys.keys() and not rest:
        return read_promptfoo_json(raw, choice, faults)
    if lines or rest:
        return read_json_lines(raw, faults)
    raise faults.error(_stranger(keys), expected=_KNOWN)


def _first_line(raw: bytes) -> tuple[bytes, bytes]:
    """The first line that is not empty, and the start of what follows it, if anything does."""
    body = raw.lstrip()
    end = body.find(b"\n")
    return (body, b"") if end < 0 else (body[:end], body[end : end + _AHEAD].strip())


def _keys_of(line: bytes) -> _Keys | None:
    """The keys of a line that is an object; None for one that is not, or not a whole one."""
    try:
        return decode(without_constants(line), _Keys, Faults(""))
    except ConfigError:
        return None


def _stranger(keys: _Keys) -> str:
    if bytes(keys.get("schema", b"")).startswith(b'"evalkit.'):
        return "belongs to a run of evalkit's own: give the run's folder instead"
    return "is JSON, but no result file"
