"""The snapshot of a suite on disk: its cases one a line, in a file of their own, and the rest.

`assets/<suite>.json` says of the cases how many there are and which lines of the golden set they
come from; `assets/<suite>.cases.jsonl` holds them. Bundles of an older evalkit hold them in the
JSON, where they are read as well.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec

from evalkit.errors import StoreError
from evalkit.records.case import Case
from evalkit.records.cases import Cases, CasesBuilder
from evalkit.records.run import SuiteSnapshot
from evalkit.spool import SpooledTexts
from evalkit.store.files import explain, open_plain

# A case of a golden set is 8 MB at most, and its placeholders may be longer than what they replace.
_MOST_BYTES = 64 * 1024 * 1024
_PIECES = 256


# what an array of 32 bits holds
Number = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class _Counted(msgspec.Struct, forbid_unknown_fields=True):
    """What the JSON says of the cases: `lines` are runs, (the first line, how many follow), and
    `digest` that of the file that holds them, where it is known."""

    count: Number
    lines: list[tuple[Number, Number]] = []
    digest: str | None = None


_CASE = msgspec.json.Decoder(Case)
_OLD_CASES = msgspec.json.Decoder(tuple[Case, ...] | _Counted)
_OLD_LINES = msgspec.json.Decoder(dict[str, Number])


def cases_name(suite: str) -> str:
    """The name of the file that holds the cases of a suite."""
    return f"{suite}.cases.jsonl"


class CaseLines:
    """The content of the file of the cases, in pieces that can be gone over once."""

    def __init__(self, cases: Cases) -> None:
        """Of these cases."""
        self._cases = cases
        self._hash = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for first in range(0, len(self._cases), _PIECES):
            last = min(first + _PIECES, len(self._cases))
            piece = b"".join(
                msgspec.json.encode(self._cases[at]) + b"\n" for at in range(first, last)
            )
            self._hash.update(piece)
            yield piece

    @property
    def digest(self) -> str:
        """The digest of all that was gone over."""
        return _shown(self._hash)


def encode_snapshot(snapshot: SuiteSnapshot, digest: str) -> bytes:
    """The snapshot as JSON, with the count of its cases in their place, and with the digest of
    their file."""

    def counted(cases: Any) -> Any:
        if isinstance(cases, Cases):
            return _Counted(count=len(cases), lines=cases.line_runs(), digest=digest)
        raise NotImplementedError(f"no JSON for {type(cases).__name__}")

    return msgspec.json.encode(snapshot, enc_hook=counted)


def decode_snapshot(encoded: bytes, cases_path: Path) -> SuiteSnapshot:
    """The snapshot, with its cases from `cases_path` unless they stand in it.

    Raises MsgspecError, UnicodeDecodeError and RecursionError for what is no snapshot, StoreError
    for a file of cases that is missing, damaged, or holds others than the snapshot says.
    """
    fields = msgspec.json.decode(encoded, type=dict[str, msgspec.Raw])
    lines = _OLD_LINES.decode(fields.pop("lines", msgspec.Raw(b"{}")))
    found = _OLD_CASES.decode(fields.get("cases", msgspec.Raw(b"[]")))
    cases = (
        _read_cases(cases_path, found) if isinstance(found, _Counted) else Cases.of(found, lines)
    )
    if "cases" in fields:
        fields["cases"] = msgspec.Raw(b"null")

    def put(_: type, __: Any) -> Cases:
        return cases

    return msgspec.json.decode(msgspec.json.encode(fields), type=SuiteSnapshot, dec_hook=put)


def _shown(hashed: "hashlib._Hash") -> str:
    return f"sha256:{hashed.hexdigest()}"


def _read_cases(path: Path, said: _Counted) -> Cases:
    if said.count != sum(many for _, many in said.lines) or any(m < 1 for _, m in said.lines):
        raise StoreError(f"the JSON beside {path} is damaged: it counts its cases in two ways")
    building = CasesBuilder(SpooledTexts())
    hashed = hashlib.sha256()
    try:
        with open_plain(path) as file:
            while raw := file.readline(_MOST_BYTES + 1):
                hashed.update(raw)
                _take(building, raw, path, said.count)
    except FileNotFoundError as error:
        raise StoreError(f"{path} is missing, so its suite cannot be scored") from error
    except OSError as error:
        raise explain(error, "read", path) from error
    if len(building) != said.count:
        raise _other(path, len(building), said.count)
    if said.digest not in (None, _shown(hashed)):
        raise StoreError(
            f"{path} is not what the run wrote there: its cases were changed, or stand in another "
            "order; restore the bundle from where it came"
        )
    return building.result().with_lines(_expanded(said.lines))


def _take(building: CasesBuilder, raw: bytes, path: Path, count: int) -> None:
    number = len(building) + 1
    if number > count:
        raise _other(path, "more", count)
    if len(raw) > _MOST_BYTES:
        raise StoreError(f"{path} is damaged (line {number} is longer than any case)")
    try:
        case = _CASE.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{path} is damaged (line {number}: {error})") from error
    if building.add_new(case.id, raw.rstrip()) is not None:
        raise StoreError(f"{path} is damaged (line {number}: case {case.id!r} stands there twice)")


def _expanded(runs: Iterable[tuple[int, int]]) -> "array[int]":
    lines = array("I")
    for first, many in runs:
        lines.extend(range(first, first + many) if first else [0] * many)
    return lines


def _other(path: Path, found: int | str, said: int) -> StoreError:
    return StoreError(f"{path} holds {found} cases where its suite has {said:,}")
