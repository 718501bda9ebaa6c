"""waivers.yaml: the accepted parts of a project's gates, checked against each other."""

from collections.abc import Collection, Iterator
from datetime import date, timedelta

import msgspec

from evalkit.config.problems import Locator, Path, capped, listed, suggest, validate
from evalkit.config.waivers import (
    COVERS,
    MAX_DAYS,
    MIN_REASON,
    WaiverEntry,
    WaiversFile,
    cover_of,
)
from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.records.verdict import Waiver

WAIVERS_FILE = "waivers.yaml"
_COVERED_BY = {
    "up_to": "up_to (the largest drop in pp, or increase, that is accepted)",
    "at_least": "at_least (the smallest pass rate that is accepted, as a share)",
    "cases": "cases (those that may break the invariant)",
    "text": "text (what the gate said of itself)",
}


class ExaminedWaivers(msgspec.Struct, frozen=True):
    """What stands in the file: the waivers that are in order, and what is wrong with the others."""

    waivers: tuple[Waiver, ...] = ()
    problems: tuple[Problem, ...] = ()


def load_waivers(
    tree: FileTree, *, suites: Collection[str] | None = None, today: date | None = None
) -> tuple[Waiver, ...]:
    """The waivers of a tree, in the order of the file; none where there is no file.

    With `suites`, the names of all that the project has, a waiver of another one is a problem;
    with `today`, one that starts later. One that has expired is none: the gate says so where it
    matters. Raises ConfigError with every problem.
    """
    found = examine_waivers(tree, suites=suites, today=today)
    if found.problems:
        raise ConfigError(capped(found.problems))
    return found.waivers


def examine_waivers(
    tree: FileTree, *, suites: Collection[str] | None = None, today: date | None = None
) -> ExaminedWaivers:
    """Everything that `load_waivers` would raise, with the waivers that are in order."""
    try:
        document = parse_yaml(tree.read(WAIVERS_FILE), WAIVERS_FILE)
    except FileNotFoundError:
        return ExaminedWaivers()
    except ConfigError as error:
        return ExaminedWaivers(problems=error.problems)
    locator = Locator(document)
    file, problems = validate(WaiversFile, locator)
    if file is None:
        return ExaminedWaivers(problems=tuple(problems))
    waivers: list[Waiver] = []
    first: dict[str, int] = {}
    for index, entry in enumerate(file.waivers):
        path: Path = ("waivers", index)
        line, _ = document.position(path)
        wrong = [
            *_twice(locator, path, entry, first.setdefault(entry.id, line), line),
            *_suite(locator, path, entry, suites),
            *_cover(locator, path, entry),
            *_texts(locator, path, entry),
            *_dates(locator, path, entry, today),
        ]
        problems += wrong
        if not wrong:
            waivers.append(_waiver(entry, line))
    return ExaminedWaivers(tuple(waivers), tuple(problems))


def _waiver(entry: WaiverEntry, line: int) -> Waiver:
    fields = entry.model_dump(exclude={"cases"})
    return Waiver(**fields, cases=tuple(entry.cases or ()), line=line)


def _twice(
    locator: Locator, path: Path, entry: WaiverEntry, first: int, line: int
) -> Iterator[Problem]:
    if first != line:
        yield locator.problem(
            (*path, "id"), f"a waiver of this id stands in line {first} already", value=entry.id
        )


def _suite(
    locator: Locator, path: Path, entry: WaiverEntry, suites: Collection[str] | None
) -> Iterator[Problem]:
    if suites is not None and entry.suite not in suites:
        yield locator.problem(
            (*path, "suite"),
            "there is no suite of this name",
            value=entry.suite,
            expected=f"one of {listed(suites)}",
            suggestion=suggest(entry.suite, suites)
            or f"remove it if the suite is gone: evalkit waive --remove {entry.id}",
        )


def _cover(locator: Locator, path: Path, entry: WaiverEntry) -> Iterator[Problem]:
    """One key says how far it reaches, and it is the part's."""
    fits = cover_of(entry.part)
    if fits is None:
        yield locator.problem(
            (*path, "part"),
            "no part of a gate is called so",
            value=entry.part,
            expected="drop, anchor drop, floor, slice:TAG drop, slice:TAG floor, metric:NAME, "
            "invariant:NAME or gate change",
        )
        return
    if getattr(entry, fits) is None:
        yield locator.problem(
            path,
            f"does not say how much of {entry.part!r} is accepted",
            expected=_COVERED_BY[fits],
        )
    for key in COVERS:
        if key != fits and getattr(entry, key) is not None:
            yield locator.problem(
                (*path, key),
                f"does not belong to a waiver of {entry.part!r}",
                at_key=True,
                expected=_COVERED_BY[fits],
            )


def _texts(locator: Locator, path: Path, entry: WaiverEntry) -> Iterator[Problem]:
    """A reason and a name that are more than white space, and cases that are told apart."""
    if len(entry.reason.strip()) < MIN_REASON:
        yield locator.problem(
            (*path, "reason"),
            "says nothing",
            value=entry.reason,
            expected=f"at least {MIN_REASON} characters",
        )
    if not entry.accepted_by.strip():
        yield locator.problem((*path, "accepted_by"), "names nobody", value=entry.accepted_by)
    cases = entry.cases or []
    for index, case in enumerate(cases):
        if case in cases[:index]:
            yield locator.problem((*path, "cases", index), "stands here twice", value=case)


def _dates(
    locator: Locator, path: Path, entry: WaiverEntry, today: date | None
) -> Iterator[Problem]:
    days: dict[str, date] = {}
    for key in ("on", "until"):
        written = getattr(entry, key)
        try:
            days[key] = date.fromisoformat(written)
        except ValueError:
            yield locator.problem((*path, key), "there is no such day", value=written)
    if len(days) < 2:
        return
    start, end = days["on"], days["until"]
    if end < start:
        yield locator.problem(
            (*path, "until"),
            "ends before it was accepted",
            value=entry.until,
            expected=f"{entry.on} or later",
        )
    if end > start + timedelta(days=MAX_DAYS):
        yield locator.problem(
            (*path, "until"),
            "is more than a year after `on`, and a waiver ends",
            value=entry.until,
            expected=f"{start + timedelta(days=MAX_DAYS)} or earlier",
            suggestion="what is accepted for good belongs into the gate itself",
        )
    # a day of slack: whoever wrote it may live east of UTC
    if today is not None and start > today + timedelta(days=1):
        yield locator.problem(
            (*path, "on"),
            "was accepted on a day that has not come yet",
            value=entry.on,
            expected=f"{today} or earlier",
        )
