"""Files of one JSON object a line, read whole: every record, or every problem."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from evalkit.errors import Problem

MAX_PROBLEMS = 50
Record = TypeVar("Record", bound=msgspec.Struct)


def read_lines(
    path: Path, kind: type[Record], *, shown: str, problems: list[Problem]
) -> Iterator[tuple[int, Record]]:
    """Line numbers and records. What cannot be read is added to `problems`, under the name `shown`.

    Empty lines are skipped; a byte-order mark and CRLF are fine.
    """
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        problems.append(Problem(message=f"cannot be read: {error.strerror}", file=shown))
        return
    decoder = msgspec.json.Decoder(kind)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield number, decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            name = kind.__name__.lower()
            problems.append(Problem(message=f"no {name}: {error}", file=shown, line=number))


def capped(problems: list[Problem]) -> list[Problem]:
    """The first problems, and how many more there are."""
    if len(problems) <= MAX_PROBLEMS:
        return problems
    rest = len(problems) - MAX_PROBLEMS
    return [*problems[:MAX_PROBLEMS], Problem(message=f"and {rest} more lines like these")]
