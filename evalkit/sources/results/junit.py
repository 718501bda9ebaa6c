"""JUnit XML: what pytest, jest, Go, Maven, Node and most other test runners write.

There is no standard. What counts here: a testcase with a `failure` failed; one with an `error` or
`skipped` has no result; its `status` or `result` may say the same; any other passed. Of a test that
was tried again (Surefire's `flakyFailure` and its like) the first try counts, because a retry that
turned green hides exactly what a gate looks for; tries that ended in an error do not count.

Read as a stream, so that memory grows with the number of tests and not with their output. A
document type is refused: no runner needs one, and entities are how small files become huge.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any
from xml.parsers import expat

from evalkit.records.results import ResultRow, Results
from evalkit.sources.results.faults import Faults, shown
from evalkit.sources.results.labels import finite_amount, tag_names
from evalkit.sources.results.numbering import number_repeats

_CHUNK = 1 << 16
_DEEPEST = 100
_FAILED = {"failure", "rerunFailure", "flakyFailure"}
# what some runners say of a test in an attribute, and the element that says the same
_STATES = {
    "skipped": {"notrun", "skipped", "disabled", "suppressed"},
    "failure": {"failed", "failure", "fail"},
    "error": {"error", "errored"},
}
_OWN = {
    "promptfoo": "its tests have numbers for names, and another test can get the same number; let "
    "promptfoo write JSON: -o results.json",
    "evalkit": "a run is gated by its folder: evalkit gate RUN",
}


@dataclass(slots=True)
class _Test:
    """One testcase. `marks` are the names of the elements in it that say how it went."""

    line: int
    name: str
    group: str
    file: str
    suites: str
    seconds: float | None
    marks: set[str]
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool | None:
        """None where there is no result."""
        if self.marks & _FAILED:
            return False
        return None if self.reason else True

    @property
    def reason(self) -> str | None:
        """Why there is no result."""
        for mark in ("error", "skipped"):
            if mark in self.marks and not self.marks & _FAILED:
                return mark
        return None


def read_junit(file: IO[bytes], faults: Faults) -> Results:
    """Every testcase of the file. Raises ConfigError for what is no whole JUnit XML."""
    tests = _merge_ends(_Reader(faults).read(file))
    if not tests:
        raise faults.error("holds no result: no <testcase> is in it")
    names = _names(tests)
    trials = number_repeats(names, [f"line {test.line}" for test in tests], faults)
    rows = [
        _row(test, name, trial, faults)
        for test, name, trial in zip(tests, names, trials, strict=True)
    ]
    faults.check()
    return Results(
        kind="junit",
        rows=tuple(rows),
        about="JUnit XML",
        unknown=Counter(test.reason for test in tests if test.reason),
    )


def _row(test: _Test, name: str, trial: int, faults: Faults) -> ResultRow:
    amounts = {}
    for key in ("cost_usd", "tokens"):
        if key in test.properties:
            amounts[key] = finite_amount(test.properties[key])
            if amounts[key] is None:
                faults.note(
                    "wrong value of a property",
                    line=test.line,
                    key=key,
                    value=shown(test.properties[key]),
                    expected="a finite amount of at least 0",
                )
    tags = test.properties.get("tags", test.properties.get("tag"))
    return ResultRow(
        case=name,
        passed=test.passed,
        trial=trial,
        group=test.properties.get("group") or None,
        tags=tag_names(tags) or (),
        latency_s=None if test.passed is None else test.seconds,
        **amounts,
    )


def _merge_ends(tests: Sequence[_Test]) -> list[_Test]:
    """pytest writes a test that failed, and whose teardown broke, twice in a row: it is one."""
    merged: list[_Test] = []
    for test in tests:
        last = merged[-1] if merged else None
        if (
            last is not None
            and (last.name, last.group, last.file, last.suites)
            == (test.name, test.group, test.file, test.suites)
            and test.marks == {"error"}
            and last.marks & _FAILED
        ):
            continue
        merged.append(test)
    return merged


def _names(tests: Sequence[_Test]) -> list[str]:
    """classname::name; where several places have the same, with the file or the suites in front."""
    plain = [f"{test.group}::{test.name}" if test.group else test.name for test in tests]
    places = [" > ".join(part for part in (test.file, test.suites) if part) for test in tests]
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, place in zip(plain, places, strict=True):
        found[name].add(place)
    return [
        f"{place}::{name}" if len(found[name]) > 1 and place else name
        for name, place in zip(plain, places, strict=True)
    ]


class _Reader:
    """Follows the elements of one file; `tests` are those that ended."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._parser = expat.ParserCreate()
        self._open: list[str] = []
        self._suites: list[str] = []
        self._test: _Test | None = None
        self.tests: list[_Test] = []
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def read(self, file: IO[bytes]) -> list[_Test]:
        """Every testcase. Raises ConfigError with the line of what is no JUnit XML."""
        try:
            while chunk := file.read(_CHUNK):
                self._parser.Parse(chunk, False)
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise self._faults.error(
                f"is no whole XML: {expat.ErrorString(error.code)}",
                line=error.lineno,
                suggestion="the run that wrote it may have been cut off",
            ) from error
        except (ValueError, LookupError) as error:  # an encoding that Python has not
            raise self._faults.error(
                f"is in an encoding that cannot be read: {error}", suggestion="save it as UTF-8"
            ) from error
        return self.tests

    def _refuse_doctype(self, *declaration: Any) -> None:
        raise self._faults.error(
            "declares a document type, which results do not need",
            line=self._parser.CurrentLineNumber,
            suggestion="remove the DOCTYPE",
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._open:
            self._check_root(tag, attributes)
        if len(self._open) >= _DEEPEST:
            raise self._faults.error(
                f"is nested more than {_DEEPEST} levels deep", line=self._parser.CurrentLineNumber
            )
        inside = self._open[-1] if self._open else ""
        tag = tag.rpartition(":")[2]  # a prefix only says which namespace it is of
        self._open.append(tag)
        if tag == "testsuite":
            self._suites.append(attributes.get("name", "").strip())
        elif tag == "testcase":
            self._start_test(attributes)
        elif self._test is not None and inside == "testcase":
            self._test.marks.add(tag)
        elif self._test is None and tag in ("error", "failure"):
            raise self._faults.error(
                f"has an <{tag}> outside of every <testcase>, so tests may not have run",
                line=self._parser.CurrentLineNumber,
            )
        elif self._test is not None and tag == "property":
            name, value = attributes.get("name", ""), attributes.get("value", "")
            before = self._test.properties.get(name)
            self._test.properties[name] = value if before is None else f"{before} {value}"

    def _check_root(self, tag: str, attributes: dict[str, str]) -> None:
        tool = attributes.get("name", "") if tag == "testsuites" else tag
        if tool in _OWN:
            raise self._faults.error(f"is a report of {tool}: {_OWN[tool]}")
        if tag not in ("testsuites", "testsuite"):
            raise self._faults.error(
                f"is XML, but no test results: its first element is <{tag[:60]}>",
                line=self._parser.CurrentLineNumber,
                expected="<testsuites> or <testsuite>",
            )

    def _start_test(self, attributes: dict[str, str]) -> None:
        line, name = self._parser.CurrentLineNumber, attributes.get("name", "").strip()
        if self._test is not None:
            raise self._faults.error("has a <testcase> inside another", line=line)
        if not name:
            self._faults.note("a <testcase> has no name", line=line)
        states = {attributes.get("status", "").lower(), attributes.get("result", "").lower()}
        self._test = _Test(
            line=line,
            name=name,
            group=attributes.get("classname", "").strip() or (self._suites or [""])[-1],
            file=attributes.get("file", "").strip(),
            suites=" > ".join(name for name in self._suites if name),
            seconds=finite_amount(attributes.get("time")),
            marks={mark for mark, words in _STATES.items() if states & words},
        )

    def _end(self, tag: str) -> None:
        tag = self._open.pop()
        if tag == "testsuite":
            self._suites.pop()
        elif tag == "testcase" and self._test is not None:
            self.tests.append(self._test)
            self._test = None
