"""What routes permit by name: tools and indexes that lead nowhere, or that cannot be used."""

from collections.abc import Iterator, Sequence

from evalkit.config.load import ExaminedConfig
from evalkit.config.problems import Path, listed, suggest
from evalkit.config.routes import Route
from evalkit.errors import Problem


def permission_problems(examined: ExaminedConfig, tools: Sequence[str]) -> Iterator[Problem]:
    """A warning for each; `tools` are the names in tools/."""
    for index, route in enumerate(examined.config.routes):
        path: Path = ("routes", index)
        yield from _allowed(examined, path, route, tools)
        for step in route.steps:
            yield from _step(examined, path, route, step, tools)
        yield from _approvers(examined, path, route)


def _allowed(
    examined: ExaminedConfig, path: Path, route: Route, tools: Sequence[str]
) -> Iterator[Problem]:
    allowed = route.policies.allowed_actions
    at: Path = (*path, "policies", "allow_actions")
    if not isinstance(route.policies.allow_actions, list):
        at = (*at, "actions")
    forbidden = {_folded(each) for each in route.policies.disallow_actions}
    for position, name in enumerate([] if allowed is None else allowed.actions):
        if _folded(name) in forbidden:
            yield _never(examined, (*at, position), name)
        elif _folded(name) not in {_folded(each) for each in tools}:
            yield _unknown(examined, (*at, position), name, tools)


def _step(
    examined: ExaminedConfig, path: Path, route: Route, name: str, tools: Sequence[str]
) -> Iterator[Problem]:
    step, at = route.steps[name], (*path, "steps", name)
    forbidden = {_folded(each) for each in route.policies.disallow_actions}
    allowed = route.policies.allowed_actions
    permitted = None if allowed is None else {_folded(each) for each in allowed.actions}
    for position, tool in enumerate(step.tools):
        where: Path = (*at, "tools", position)
        if _folded(tool) in forbidden:
            yield _never(examined, where, tool)
        elif permitted is not None and _folded(tool) not in permitted:
            yield examined.locator.problem(
                where,
                "is not one of the route's allow_actions, so the step cannot call it",
                value=tool,
                severity="warning",
            )
        elif _folded(tool) not in {_folded(each) for each in tools}:
            yield _unknown(examined, where, tool, tools)
    readable = route.retrieval.allow_indexes
    for position, index in enumerate(step.data):
        if readable is not None and index not in readable:
            yield examined.locator.problem(
                (*at, "data", position),
                "the route may not read this index, so the step cannot either",
                value=index,
                expected=f"one of {listed(readable)}" if readable else None,
                suggestion=suggest(index, readable),
                severity="warning",
            )


def _approvers(examined: ExaminedConfig, path: Path, route: Route) -> Iterator[Problem]:
    needed, approvers = route.approvals.execute, examined.config.approvers
    if needed is not None and approvers is not None and not approvers.get(needed.team):
        yield examined.locator.problem(
            (*path, "approvals", "on_execute"),
            "`approvers` lists nobody of this team, so nothing can be approved",
            value=needed.team,
            expected=f"one of {listed(list(approvers))}" if approvers else None,
            suggestion=suggest(needed.team, approvers),
            severity="warning",
        )


def _never(examined: ExaminedConfig, at: Path, tool: str) -> Problem:
    return examined.locator.problem(
        at, "is one of the route's disallow_actions, which win", value=tool, severity="warning"
    )


def _unknown(examined: ExaminedConfig, at: Path, tool: str, tools: Sequence[str]) -> Problem:
    return examined.locator.problem(
        at,
        "no tool in tools/ has this name",
        value=tool,
        expected=f"one of {listed(tools)}" if tools else None,
        suggestion=suggest(tool, tools),
        severity="warning",
    )


def _folded(name: str) -> str:
    return name.strip().casefold()
