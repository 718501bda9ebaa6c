"""Results of promptfoo: its JSON (-o results.json) and JSON Lines (-o results.jsonl).

An evaluation is a table: a row for each test, a column for each pair of a prompt and a provider.
One column is read. A cell that failed an assertion failed; one where the provider, the grading or a
grading model ended in an error has no result, although promptfoo itself counts the last as a
failure. A test without assertions always passes, and promptfoo drops a cell whose score is NaN from
its file: both are refused.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from evalkit.errors import ConfigError
from evalkit.records.results import ResultRow, Results
from evalkit.sources.results.choice import ResultChoice
from evalkit.sources.results.faults import Faults, shown
from evalkit.sources.results.labels import finite_amount, group_name, tag_names
from evalkit.sources.results.numbering import number_repeats
from evalkit.sources.results.promptfoo_columns import Column, choose_column
from evalkit.sources.results.tool_json import decode, digest_of

_VERSION = 3
_LONGEST = 60
_ERROR = 2  # of promptfoo's ResultFailureReason; 0 is none, 1 a failed assertion


Index = Annotated[int, msgspec.Meta(ge=0)]


class _Component(msgspec.Struct):
    metadata: Any = None
    assertion: Any = None


class _Grading(msgspec.Struct):
    components: list[_Component | None] | None = msgspec.field(
        name="componentResults", default=None
    )


class _TestCase(msgspec.Struct):
    description: str | None = None
    vars: dict[str, Any] | None = None
    asserted: Any = msgspec.field(name="assert", default=None)
    threshold: float | None = None
    metadata: dict[str, Any] | None = None


class _Prompt(msgspec.Struct):
    raw: str = ""
    label: str = ""


class _Provider(msgspec.Struct):
    id: str = ""
    label: str | None = None


class _Response(msgspec.Struct):
    cached: bool | None = None


class _Tokens(msgspec.Struct):
    total: float | None = None


class _Cell(msgspec.Struct, rename="camel"):
    test_idx: Index
    prompt_idx: Index
    success: bool
    failure_reason: Literal[0, 1, 2]
    prompt: _Prompt
    provider: _Provider
    test_case: _TestCase
    score: float | None = None
    prompt_id: str = ""
    grading_result: _Grading | None = None
    response: _Response | None = None
    token_usage: _Tokens | None = None
    cost: float | None = None
    latency_ms: float | None = None


class _Metrics(msgspec.Struct, rename="camel"):
    test_pass_count: int = 0
    test_fail_count: int = 0
    test_error_count: int = 0


class _ColumnHead(msgspec.Struct):
    metrics: _Metrics | None = None


class _Table(msgspec.Struct):
    version: int
    results: list[_Cell]
    prompts: list[_ColumnHead] = []


class _File(msgspec.Struct):
    results: _Table


def read_promptfoo_json(raw: bytes, choice: ResultChoice, faults: Faults) -> Results:
    """One column of an evaluation. Raises ConfigError where several could be meant."""
    table = decode(raw, _File, faults).results
    if table.version != _VERSION:
        raise faults.error(
            f"has the results version {table.version}",
            expected=f"version {_VERSION}, which promptfoo writes since 2024",
        )
    column, cells = _column(table.results, choice, faults)
    if column.index < len(table.prompts) and (counts := table.prompts[column.index].metrics):
        ran = counts.test_pass_count + counts.test_fail_count + counts.test_error_count
        if ran != len(cells):
            raise faults.error(
                f"holds {len(cells)} of the {ran} results that promptfoo counts for {column}: it "
                "does not store one whose score is NaN",
                suggestion="correct the assertion that gives no number, and run it again",
            )
    return _results(column, cells, faults)


def read_promptfoo_lines(raw: bytes, choice: ResultChoice, faults: Faults) -> Results:
    """The same from JSON Lines, where each line is a cell."""
    cells = []
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            cells.append(decode(line, _Cell, Faults(faults.file), line=number))
        except ConfigError as error:
            faults.take(error)
    faults.check()
    there = {cell.test_idx for cell in cells}
    missing = max(there, default=-1) + 1 - len(there)
    if missing:
        first = next(number for number in range(len(there) + 1) if number not in there)
        raise faults.error(
            f"lacks the results of {missing:,} tests, first testIdx {first}: promptfoo does not "
            "store one whose score is NaN",
            suggestion="correct the assertion that gives no number, and run it again",
        )
    column, chosen = _column(cells, choice, faults)
    return _results(column, chosen, faults)


def _column(
    cells: Sequence[_Cell], choice: ResultChoice, faults: Faults
) -> tuple[Column, list[_Cell]]:
    if not cells:
        raise faults.error("holds no result")
    columns = {
        cell.prompt_idx: Column(
            index=cell.prompt_idx,
            prompt=cell.prompt.label or cell.prompt.raw,
            prompt_id=cell.prompt_id,
            provider=cell.provider.label or cell.provider.id,
            provider_id=cell.provider.id,
        )
        for cell in cells
    }
    column = choose_column([columns[index] for index in sorted(columns)], choice.select, faults)
    chosen = [cell for cell in cells if cell.prompt_idx == column.index]
    return column, sorted(chosen, key=lambda cell: cell.test_idx)


def _results(column: Column, cells: Sequence[_Cell], faults: Faults) -> Results:
    digests = [_digest(cell) for cell in cells]
    names = _names(cells, digests)
    trials = number_repeats(names, [f"testIdx {cell.test_idx}" for cell in cells], faults)
    for cell, name in zip(cells, names, strict=True):
        _check(cell, name, faults)
    faults.check()
    return Results(
        kind="promptfoo",
        rows=tuple(
            _row(cell, name, trial) for cell, name, trial in zip(cells, names, trials, strict=True)
        ),
        about=f"promptfoo, {column}",
        unknown=Counter(reason for cell in cells if (reason := _no_result(cell))),
        checks=dict(zip(names, digests, strict=True)),
        used=frozenset({"select"}),
    )


def _row(cell: _Cell, name: str, trial: int) -> ResultRow:
    metadata = cell.test_case.metadata or {}
    cached = cell.response is not None and bool(cell.response.cached)
    known = _no_result(cell) is None
    return ResultRow(
        case=name,
        passed=cell.success if known else None,
        trial=trial,
        group=group_name(metadata.get("group")),
        tags=tag_names(metadata.get("tags")) or (),
        cost_usd=finite_amount(cell.cost) if known else None,
        tokens=finite_amount(cell.token_usage.total) if known and cell.token_usage else None,
        latency_s=None
        if cached or not known or cell.latency_ms is None
        else finite_amount(cell.latency_ms / 1000),
    )


def _no_result(cell: _Cell) -> str | None:
    """Why there is no result, if there is none."""
    if cell.failure_reason == _ERROR:
        return "error"
    if cell.grading_result is None:
        return "no output"
    for component in cell.grading_result.components or ():
        if component is not None and _field(component.metadata, "graderError"):
            return "grading error"
    return None


def _check(cell: _Cell, name: str, faults: Faults) -> None:
    """Note what makes the cell no result: nothing that could fail, no score, a contradiction."""
    where = f"test {shown(name)} (testIdx {cell.test_idx})"
    rated = any(_field(each, "type") == "human" for each in _assertions(cell))
    if not rated and not any(_can_fail(each) for each in _listed(cell.test_case.asserted)):
        faults.note(
            f"{where} has no assertion that can fail, so it always passes",
            suggestion="give it an assertion, or leave it out",
        )
    if cell.score is None:
        faults.note(f"{where} has a score that is no number")
    graded = cell.grading_result is not None
    # a rating by hand changes success alone
    if not rated and graded and cell.success != (cell.failure_reason == 0):
        faults.note(f"{where} contradicts itself: success and failureReason do not agree")


def _assertions(cell: _Cell) -> list[Any]:
    """The assertions that were graded."""
    components = cell.grading_result.components if cell.grading_result is not None else None
    return [each.assertion for each in components or () if each is not None]


def _field(data: Any, key: str) -> Any:
    return data.get(key) if isinstance(data, dict) else None


def _listed(data: Any) -> list[Any]:
    return data if isinstance(data, list) else []


def _can_fail(assertion: Any) -> bool:
    """Whether it counts: one of weight 0 always passes, a set is what is in it."""
    if not isinstance(assertion, dict) or assertion.get("weight") == 0:
        return False
    if "assert" not in assertion:
        return True
    return any(_can_fail(each) for each in _listed(assertion["assert"]))


def _digest(cell: _Cell) -> str:
    """A digest of what the test was given and of how it is judged."""
    return digest_of(cell.test_case.vars, cell.test_case.asserted, cell.test_case.threshold)


def _names(cells: Sequence[_Cell], digests: Sequence[str]) -> list[str]:
    """The id in the test's metadata, its description or its variables, whichever there is first.

    Where different tests share one, a digest of what they are is added.
    """
    plain = [_plain_name(cell) for cell in cells]
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, digest in zip(plain, digests, strict=True):
        found[name].add(digest)
    return [
        f"{name} #{digest[:8]}" if len(found[name]) > 1 else name
        for name, digest in zip(plain, digests, strict=True)
    ]


def _plain_name(cell: _Cell) -> str:
    metadata = cell.test_case.metadata or {}
    for given in (metadata.get("id"), metadata.get("testCaseId"), cell.test_case.description):
        if name := group_name(given):
            return name
    variables = cell.test_case.vars or {}
    text = ", ".join(f"{key}={_plain(variables[key])}" for key in sorted(variables))
    if len(text) <= _LONGEST:
        return text or "(no variables)"
    return f"{text[:_LONGEST]}… #{digest_of(variables)[:8]}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
