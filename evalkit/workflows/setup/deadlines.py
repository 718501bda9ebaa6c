"""What ends on a day, as `check` sees it: waivers and quarantines, expired or about to."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from evalkit.config.model import Config
from evalkit.config.problems import Locator, listed, suggest
from evalkit.config.suites import Suite
from evalkit.config.waivers import MAX_DAYS, parts_of
from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import Problem, Severity
from evalkit.records.verdict import Waiver
from evalkit.report.figures import count
from evalkit.sources.assets import CONFIG_FILE
from evalkit.sources.tree import WorkingTree
from evalkit.sources.waivers import WAIVERS_FILE, examine_waivers

SOON_DAYS = 7


def today_utc() -> date:
    """The day that waivers and quarantines are held against: UTC's, everywhere the same."""
    return datetime.now(UTC).date()


def deadline_problems(root: Path, config: Config | None, today: date) -> list[Problem]:
    """What is wrong with waivers.yaml, and what of it and of quarantines has ended or ends soon.

    Without `config` (it is broken) waivers.yaml alone is looked at, and not against the suites.
    """
    tree = WorkingTree(root)
    found = examine_waivers(tree, suites=None if config is None else config.suites, today=today)
    problems = list(found.problems)
    for waiver in found.waivers:
        problems += _waiver(waiver, today)
        if config is not None and waiver.suite in config.suites:
            problems += _part(waiver, config)
    if config is not None and any(suite.quarantine.cases for suite in config.suites.values()):
        locator = Locator(parse_yaml(tree.read(CONFIG_FILE), CONFIG_FILE))
        problems += _quarantines(locator, config, today)
    return problems


def ended_quarantines(suites: Mapping[str, Suite], today: date) -> list[str]:
    """A sentence for each suite with cases whose quarantine has ended, so that they count again."""
    found = []
    for name, suite in suites.items():
        held = suite.quarantine.cases
        ended = [case for case, entry in held.items() if date.fromisoformat(entry.until) < today]
        if ended:
            verb = "counts" if len(ended) == 1 else "count"
            found.append(
                f"suite {name}: the quarantine of {count(len(ended), 'case')} has ended, which "
                f"{verb} again: {listed(ended)}"
            )
    return found


def _waiver(waiver: Waiver, today: date) -> Iterator[Problem]:
    days = (date.fromisoformat(waiver.until) - today).days
    renew = (
        f'evalkit waive --suite {waiver.suite} --part "{waiver.part}" --renew …, or '
        f"evalkit waive --remove {waiver.id}"
    )
    if days < 0:
        yield _at(
            waiver,
            f"the waiver of {waiver.part!r} in suite {waiver.suite} expired "
            f"{count(-days, 'day')} ago, so the suite cannot pass",
            suggestion=renew,
        )
    elif days <= SOON_DAYS:
        when = "today" if days == 0 else f"in {count(days, 'day')}"
        yield _at(
            waiver,
            f"the waiver of {waiver.part!r} in suite {waiver.suite} ends {when}",
            suggestion=renew,
            severity="warning",
        )


def _part(waiver: Waiver, config: Config) -> Iterator[Problem]:
    parts = list(parts_of(config.suites[waiver.suite]))
    if waiver.part not in parts:
        yield _at(
            waiver,
            f"suite {waiver.suite} requires no part {waiver.part!r}",
            expected=f"one of {listed(parts)}",
            suggestion=suggest(waiver.part, parts) or f"evalkit waive --remove {waiver.id}",
        )


def _at(
    waiver: Waiver,
    message: str,
    *,
    expected: str | None = None,
    suggestion: str | None = None,
    severity: Severity = "error",
) -> Problem:
    return Problem(
        file=WAIVERS_FILE,
        line=waiver.line,
        key=waiver.id,
        message=message,
        expected=expected,
        suggestion=suggestion,
        severity=severity,
    )


def _quarantines(locator: Locator, config: Config, today: date) -> Iterator[Problem]:
    for name, suite in config.suites.items():
        for case, entry in suite.quarantine.cases.items():
            days = (date.fromisoformat(entry.until) - today).days
            if days < 0:
                message = f"the quarantine ended {count(-days, 'day')} ago: the case counts again"
                suggestion = "remove the entry"
            elif days <= SOON_DAYS:
                when = "today" if days == 0 else f"in {count(days, 'day')}"
                message, suggestion = f"the quarantine ends {when}", "mend the case, or renew it"
            elif days > MAX_DAYS:
                message = "the quarantine ends in more than a year, which is no end"
                suggestion = "drop the case from the next version of the golden set instead"
            else:
                continue
            path = ("suites", name, "quarantine", "cases", case, "until")
            yield locator.problem(
                path, message, value=entry.until, suggestion=suggestion, severity="warning"
            )
