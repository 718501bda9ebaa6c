"""Cases of a golden set, one after the other: cases.jsonl line by line, or cases.yaml."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, BinaryIO

import msgspec

from evalkit.config.assets import LONGEST_ID, CaseFile, Expected
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
# what may stand in `expected` as any text
_ANY_TEXT = frozenset({"output", "reference"})
_CHECKED = frozenset(Expected.model_fields) - _ANY_TEXT


class _Texts(msgspec.Struct, forbid_unknown_fields=True):
    """What most cases are: texts, and the text that is expected."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ID)]
    input: Annotated[dict[str, str], msgspec.Meta(min_length=1)]
    expected: dict[str, str]
    tags: list[Annotated[str, msgspec.Meta(min_length=1)]] = []


_TEXTS = msgspec.json.Decoder(_Texts)


class ReadCase(msgspec.Struct, frozen=True):
    """A case with its line (of its file, from 1) and its JSON, or why there is none in it.

    `locate` gives a locator of the case, for what is found out about it later. `explain` gives what
    is wrong with the line, which takes longer than reading it.
    """

    line: int
    case: Case | None = None
    text: bytes = b""
    locate: Callable[[], Locator] | None = None
    explain: Callable[[], Sequence[Problem]] = tuple


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
                yield _wrong(_lfs_problem(path), 1)
                return
        if len(raw) > MAX_LINE_BYTES:
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(_PIECE_BYTES)
            message = f"the line is longer than {MAX_LINE_BYTES // 1024 // 1024} MB"
            yield _wrong(Problem(file=path, line=number, message=message), number)
            continue
        raw = raw.rstrip()
        if raw:
            yield _read_line(raw, path, number)


def _read_line(raw: bytes, path: str, number: int) -> ReadCase:
    def locate() -> Locator:
        return Locator(parse_json(raw, path, first_line=number))

    def explain() -> Sequence[Problem]:
        return _explained(raw, locate)

    case = _case_of_texts(raw)
    if case is not None:
        return ReadCase(number, case, raw, locate)
    brackets = raw.count(b"{") + raw.count(b"[")
    if brackets > MAX_DEPTH and (problems := explain()):
        return ReadCase(number, explain=lambda: problems)
    try:
        CaseFile.model_validate(STRICT(raw.decode()))
        return ReadCase(number, _DECODER.decode(raw), raw, locate)
    except (ValueError, RecursionError):
        # What json, pydantic and msgspec raise; told apart, with places, by `explain`.
        return ReadCase(number, explain=explain)


def _case_of_texts(raw: bytes) -> Case | None:
    """The case in a line that holds texts alone and is for certain in order; None says nothing.

    It takes half as long as to check every part of a case, most of which are not there.
    """
    try:
        read = _TEXTS.decode(raw)
    except (ValueError, RecursionError):
        return None
    texts = 4 + 2 * len(read.input) + 2 * len(read.expected)
    if read.tags:
        texts += 1 + len(read.tags)
    # a key that stands there twice has quotes that no text accounts for, and so has one within it
    in_order = (
        raw.count(b'"') == 2 * texts
        and _CHECKED.isdisjoint(read.expected)
        and len(set(read.tags)) == len(read.tags)
        and read.id.strip() == read.id
        and read.id.isprintable()
    )
    if not in_order:
        return None
    return Case(id=read.id, input=read.input, expected=read.expected, tags=tuple(read.tags))


def _explained(raw: bytes, locate: Callable[[], Locator]) -> Sequence[Problem]:
    """What is wrong with a line; empty for a case that is in order."""
    try:
        locator = locate()
    except ConfigError as error:
        return error.problems
    _, problems = validate(CaseFile, locator)
    if problems:
        return problems
    try:
        _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return [locator.problem((), f"is no case: {error}")]
    return ()


def _wrong(problem: Problem, line: int) -> ReadCase:
    return ReadCase(line, explain=lambda: (problem,))


def _read_entries(tree: FileTree, path: str) -> Iterator[ReadCase]:
    document = parse_yaml(tree.read(path), path)
    locator = Locator(document)
    if not isinstance(document.data, list):
        problem = locator.problem((), "holds no list", expected="a list of cases")
        yield _wrong(problem, 1)
        return
    for index in range(len(document.data)):
        yield _read_entry(document.part(index))


def _read_entry(entry: Document) -> ReadCase:
    locator = Locator(entry)
    line = entry.root.line
    _, problems = validate(CaseFile, locator)
    if problems:
        return ReadCase(line, explain=lambda: problems)
    try:
        case = msgspec.convert(entry.data, Case)
    except msgspec.MsgspecError as error:
        return _wrong(locator.problem((), f"is no case: {error}"), line)
    return ReadCase(line, case, msgspec.json.encode(case), lambda: locator)


def _lfs_problem(path: str) -> Problem:
    return Problem(
        file=path,
        line=1,
        message="is a Git LFS pointer, not the file itself",
        suggestion="fetch it: git lfs pull",
    )
