"""What the suites that use a golden set ask of its cases: a case that nothing reads cannot fail."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from evalkit.config.assets import Expected
from evalkit.config.patterns import pattern_error
from evalkit.config.problems import Locator, Path, listed, suggest
from evalkit.config.scorers import PLAIN_DECIMAL, NumericScorer, ScorerEntry
from evalkit.config.suites import Suite
from evalkit.errors import Problem, Severity
from evalkit.records.case import Case

DRAFT = "draft"
KNOWN_KEYS = tuple(Expected.model_fields)
# keys of `expected` whose values name tools, and those whose values can be wrong in themselves:
# most cases have neither
_NAME_TOOLS = frozenset({"tool_calls", "trajectory", "forbidden_tools", "approvals"})
_CHECKED = frozenset({"blocked_by", "regex", "citations"})

Locate = Callable[[], Locator]


class Expectations(msgspec.Struct):
    """Checks the cases of one golden set, one at a time, and remembers their tags and the
    invariants that any of them could break.

    `suites` are those that are loaded, `read` the keys that any suite of the project reads from
    this set. `inputs` maps a prompt's reference to the keys of `input` that it cannot do without.
    `tools` gives the names of the project's tools when a case first needs them; with `any_tool` a
    program is among the suites, whose tools the project need not know. `arguments` maps a tool of
    an agent to all that it takes, where it takes nothing else.
    """

    suites: Mapping[str, Suite]
    read: Collection[str]
    tools: Callable[[], Collection[str]]
    inputs: Mapping[str, Collection[str]] = msgspec.field(default_factory=dict)
    any_tool: bool = False
    arguments: Mapping[str, Collection[str]] = msgspec.field(default_factory=dict)
    tags: set[str] = msgspec.field(default_factory=set)
    invariants: set[str] = msgspec.field(default_factory=set)
    _meant: dict[str, str | None] = msgspec.field(default_factory=dict)
    _scorers: list[tuple[str, list[ScorerEntry], list[NumericScorer]]] = msgspec.field(
        default_factory=list
    )

    def __post_init__(self) -> None:
        """What is the same for every case: scorers that gate, and those that compare numbers."""
        for name, suite in self.suites.items():
            gating = [entry for entry in suite.scorers if entry.gate]
            numeric = [entry.numeric for entry in suite.scorers if entry.numeric is not None]
            self._scorers.append((name, gating, numeric))

    def check(self, case: Case, locate: Locate) -> Iterator[Problem]:
        """Everything that is wrong with a case as the suites would use it."""
        self.tags.update(case.tags)
        expected = case.expected
        if expected.get("forbidden_tools"):
            self.invariants.add("forbidden_tools")
        if expected.get("blocked") is True:
            self.invariants.add("policy")
        for name, gating, numeric in self._scorers:
            blocked = expected.get("blocked") is not None
            if not blocked and not any(entry.decides(expected) for entry in gating):
                yield _undecided(name, gating, locate())
            for entry in numeric:
                yield from _wrong_number(entry, case, locate)
        yield from self._unread(case, locate)
        if case.tools or case.approvals or not _NAME_TOOLS.isdisjoint(expected):
            if not self.any_tool:
                yield from self._unknown_tools(case, locate)
            yield from self._unasked(case, locate)
        if not _CHECKED.isdisjoint(expected):
            yield from _values(case, locate)
        if is_draft(case):
            yield draft_problem(locate(), "warning")
        for prompt, keys in self.inputs.items():
            for key in keys:
                if key not in case.input:
                    message = f"lacks {key!r}, which the prompt {prompt} reads"
                    yield locate().problem(("input",), message, suggestion=suggest(key, case.input))

    def _unread(self, case: Case, locate: Locate) -> Iterator[Problem]:
        for key in case.expected:
            if key in self.read or key in KNOWN_KEYS:
                continue
            first = key not in self._meant
            if first:
                self._meant[key] = suggest(key, (*self.read, *KNOWN_KEYS))
            meant = self._meant[key]
            if meant is None and not first:
                continue
            yield locate().problem(
                ("expected", key),
                "no scorer of a suite reads this key",
                at_key=True,
                suggestion=meant,
                severity="warning" if meant is None else "error",
            )

    def _unasked(self, case: Case, locate: Locate) -> Iterator[Problem]:
        """Answers for arguments that a tool does not take, so that no call ever gets them."""
        for name, entries in case.tools.items():
            known = self.arguments.get(name)
            for index, entry in enumerate(entries if known is not None else ()):
                for key in entry.get("when") or {}:
                    if known is not None and key not in known:
                        yield locate().problem(
                            ("tools", name, index, "when", key),
                            f"the tool {name} takes no such argument, so nothing is answered by it",
                            at_key=True,
                            expected=f"one of {listed(known)}",
                            suggestion=suggest(key, known),
                        )

    def _unknown_tools(self, case: Case, locate: Locate) -> Iterator[Problem]:
        for path, name in _tools_of(case):
            known = self.tools()
            if name not in known:
                yield locate().problem(
                    path,
                    "there is no tool of this name",
                    value=name,
                    expected=f"a tool in tools/: {listed(known)}",
                    suggestion=suggest(name, known),
                )


def is_draft(case: Case) -> bool:
    """Whether what is expected is what production answered, which nobody has confirmed yet."""
    return (case.source or {}).get("expected") == DRAFT


def draft_problem(locator: Locator, severity: Severity) -> Problem:
    """What is said of such a case."""
    return locator.problem(
        ("source", "expected"),
        "nobody has confirmed what is expected: it is what production answered",
        at_key=True,
        suggestion="correct `expected`, and take this key out",
        severity=severity,
    )


def _undecided(name: str, gating: Sequence[ScorerEntry], locator: Locator) -> Problem:
    """A case that no gating scorer applies to could only pass by accident."""
    wanted = [key for entry in gating for key in entry.reads]
    return locator.problem(
        ("expected",),
        f"holds nothing that a gating scorer of suite {name} reads, so nothing decides the case",
        expected=f"one of {listed(wanted)}",
    )


def _wrong_number(scorer: NumericScorer, case: Case, locate: Locate) -> Iterator[Problem]:
    key = scorer.field or "output"
    value = case.expected.get(key, 0)
    if value is None and scorer.field is not None:
        return  # a field that has to be null
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number and not (isinstance(value, str) and PLAIN_DECIMAL.fullmatch(value.strip())):
        path = ("expected", key)
        yield locate().problem(path, "is no number", value=value, expected="a number")


def _values(case: Case, locate: Locate) -> Iterator[Problem]:
    if case.expected.get("blocked_by") is not None and case.expected.get("blocked") is not True:
        message = "names the rule that has to block the attempt, which is not to be blocked"
        yield locate().problem(("expected", "blocked_by"), message, expected="blocked: true")
    pattern = case.expected.get("regex")
    if isinstance(pattern, str) and (why := pattern_error(pattern)):
        yield locate().problem(("expected", "regex"), why, value=pattern)
    for index, cited in enumerate(case.expected.get("citations") or ()):
        known = [document.id for document in case.documents]
        if cited not in known:
            yield locate().problem(
                ("expected", "citations", index),
                "names no document of the case",
                value=cited,
                expected=f"one of {listed(known)}",
                suggestion=suggest(cited, known),
            )


def _tools_of(case: Case) -> Iterator[tuple[Path, str]]:
    calls: list[dict[str, Any]] = case.expected.get("tool_calls") or []
    for index, call in enumerate(calls):
        yield ("expected", "tool_calls", index, "name"), call["name"]
    for index, act in enumerate(case.expected.get("trajectory") or ()):
        if act.get("tool") is not None:
            yield ("expected", "trajectory", index, "tool"), act["tool"]
    for key in ("forbidden_tools", "approvals"):
        for index, name in enumerate(case.expected.get(key) or ()):
            yield ("expected", key, index), name
    for key in case.approvals:
        yield ("approvals", key), key
    for key in case.tools:
        yield ("tools", key), key
