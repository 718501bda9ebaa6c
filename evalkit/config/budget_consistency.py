"""Budgets that cap nothing: named after what the project does not have."""

from collections.abc import Iterator

from evalkit.config.problems import Path, listed, suggest
from evalkit.config.written import Written
from evalkit.errors import Problem


def budget_problems(written: Written) -> Iterator[Problem]:
    """A route that is not there is an error; a workflow may be a program's, so it is a warning."""
    entries = written.locator.data.get("budgets")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(entry, dict) or not isinstance(name := entry.get("for"), str):
            continue
        path: Path = ("budgets", index, "for")
        if entry.get("scope") == "route" and name not in written.routes:
            yield written.locator.problem(
                path,
                "there is no route of this name, so nothing would be capped",
                value=name,
                expected=f"one of {listed(written.routes)}" if written.routes else "a route",
                suggestion=suggest(name, written.routes),
            )
        elif entry.get("scope") == "workflow" and name not in written.suites:
            yield written.locator.problem(
                path,
                "no suite has this name, so only sessions of programs that say "
                "`workflow=` so are capped",
                value=name,
                suggestion=suggest(name, written.suites),
                severity="warning",
            )
    degrading = any(each.on_exceed == "degrade" for each in written.config.budgets)
    can = any(
        route.degrade is not None and "budget" in route.degrade.on
        for route in written.config.routes
    )
    if degrading and written.config.routes and not can:
        index = next(
            place
            for place, entry in enumerate(entries if isinstance(entries, list) else ())
            if isinstance(entry, dict) and entry.get("on_exceed") == "degrade"
        )
        yield written.locator.problem(
            ("budgets", index, "on_exceed"),
            "no route has a cheaper model for it, so calls stop where the budget is used up; give "
            "a route `degrade: {to: MODEL, on: [budget]}`",
            severity="warning",
        )
