"""JSON Lines as records: every record of a file, or every line that is none."""

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from evalkit.errors import Problem

Record = TypeVar("Record", bound=msgspec.Struct)


def decode_lines(
    raw: bytes, kind: type[Record], *, noun: str, file: str, problems: list[Problem]
) -> Iterator[tuple[int, Record]]:
    """Line numbers, from 1, and records. A line that is no `noun` is added to `problems`.

    Empty lines are skipped; a byte-order mark and CRLF are fine.
    """
    decoder = msgspec.json.Decoder(kind)
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problems.append(Problem(message=f"is no {noun}: {error}", file=file, line=number))
