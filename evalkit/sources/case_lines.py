"""Cases of a golden set, one after the other: cases.jsonl line by line, or cases.yaml."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from evalkit.config.assets import CaseFile
from evalkit.config.document import MAX_DEPTH, Document
from evalkit.config.json_document import STRICT, parse_json
from evalkit.config.problems import Locator, validate
from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.records.case import Case

# One case is a message and some documents; a longer line is a file without line breaks.
MAX_LINE_BYTES = 8 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_LFS = b"version https://git-lfs.github.com/"
_DECODER = msgspec.json.Decoder(Case)


@dataclass(frozen=True, slots=True)
class ReadCase:
    """A case with its line (of its file, from 1), or without a case what is wrong there.

    `locate` gives a locator of the case, for what is found out about it later.
    """

    line: int
    case: Case | None
    problems: tuple[Problem, ...]
    locate: Callable[[], Locator] | None = None


def read_cases(tree: FileTree, path: str) -> Iterator[ReadCase]:
    """Every case of the file in order, valid or not; memory holds one line of a .jsonl at a time.

    Raises FileNotFoundError, and ConfigError for a file that cannot be read at all.
    """
    if path.endswith(".jsonl"):
        with tree.open(path) as stream:
            yield from _read_lines(stream, path)
    else:
        yield from _read_entries(tree, path)


def _read_lines(stream: BinaryIO, path: str) -> Iterator[ReadCase]:
    number = 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            raw = raw.removeprefix(_BOM)
            if raw.startswith(_LFS):
                yield ReadCase(1, None, (_lfs_problem(path),))
                return
        if len(raw) > MAX_LINE_BYTES:
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(_PIECE_BYTES)
            message = f"the line is longer than {MAX_LINE_BYTES // 1024 // 1024} MB"
            yield ReadCase(number, None, (Problem(file=path, line=number, message=message),))
            continue
        line = raw.strip(b" \t\r\n")
        if line:
            yield _read_line(raw, line, path, number)


def _read_line(raw: bytes, line: bytes, path: str, number: int) -> ReadCase:
    try:
        data = STRICT(line.decode())
        if line.count(b"{") + line.count(b"[") <= MAX_DEPTH:
            CaseFile.model_validate(data)
            case = _DECODER.decode(line)
            return ReadCase(number, case, (), lambda: _line_locator(raw, path, number))
    except (ValueError, RecursionError):
        pass  # explained below, with its place; msgspec's and pydantic's errors are ValueErrors
    return _read_carefully(raw, line, path, number)


def _read_carefully(raw: bytes, line: bytes, path: str, number: int) -> ReadCase:
    """The line once more, keeping the place of everything."""
    try:
        locator = _line_locator(raw, path, number)
    except ConfigError as error:
        return ReadCase(number, None, tuple(error.problems))
    _, problems = validate(CaseFile, locator)
    if problems:
        return ReadCase(number, None, tuple(problems))
    try:
        case = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeError) as error:
        problem = locator.problem((), f"is no case: {error}")
        return ReadCase(number, None, (problem,))
    return ReadCase(number, case, (), lambda: locator)


def _line_locator(raw: bytes, path: str, number: int) -> Locator:
    return Locator(parse_json(raw.rstrip(), path, first_line=number))


def _read_entries(tree: FileTree, path: str) -> Iterator[ReadCase]:
    document = parse_yaml(tree.read(path), path)
    locator = Locator(document)
    if not isinstance(document.data, list):
        problem = locator.problem((), "holds no list", expected="a list of cases")
        yield ReadCase(1, None, (problem,))
        return
    for index in range(len(document.data)):
        yield _read_entry(document.part(index))


def _read_entry(entry: Document) -> ReadCase:
    locator = Locator(entry)
    line = entry.root.line
    _, problems = validate(CaseFile, locator)
    if problems:
        return ReadCase(line, None, tuple(problems))
    try:
        case = msgspec.convert(entry.data, Case)
    except msgspec.MsgspecError as error:
        return ReadCase(line, None, (locator.problem((), f"is no case: {error}"),))
    return ReadCase(line, case, (), lambda: locator)


def _lfs_problem(path: str) -> Problem:
    return Problem(
        file=path,
        line=1,
        message="is a Git LFS pointer, not the file itself",
        suggestion="fetch it: git lfs pull",
    )
