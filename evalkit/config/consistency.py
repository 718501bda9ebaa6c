"""What no single value of evalkit.yaml shows: dangling names, gates that require nothing."""

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any

from evalkit.config.budget_consistency import budget_problems
from evalkit.config.changes import apply_changes
from evalkit.config.problems import Locator, Path, listed, suggest
from evalkit.config.route_consistency import local_problems, route_problems, shared_work
from evalkit.config.suites import Gate, Quarantine, SetBaseline, Suite
from evalkit.config.written import Written
from evalkit.errors import ConfigError, Problem

# Which limit a metric takes; every other one is an amount.
_RISING_RATES = ("guardrail_rate", "judge_disagreement")
_FALLING_RATES = ("success_rate", "tool_call_accuracy", "policy_compliance")


def inconsistencies(written: Written) -> list[Problem]:
    """Every problem between the parts of a configuration; warnings among them."""
    return [
        *_routes(written),
        *_models(written),
        *_providers(written),
        *_indexes(written),
        *_run(written),
        *budget_problems(written),
        *(
            problem
            for name, suite in written.config.suites.items()
            for problem in _suite(written, name, suite)
        ),
        *_baseline(written, ("baseline",), written.config.baseline),
    ]


def _routes(written: Written) -> Iterator[Problem]:
    first: dict[str, int] = {}
    locate = written.locator
    for route, index in zip(written.config.routes, written.routes_at, strict=True):
        path: Path = ("routes", index)
        if first.setdefault(route.name, index) != index:
            line, _ = locate.document.position(("routes", first[route.name], "name"))
            yield locate.problem(
                (*path, "name"), f"a route of this name stands in line {line} already"
            )
        yield from route_problems(written, path, route)
    yield from shared_work(written)


def _models(written: Written) -> Iterator[Problem]:
    for name, model in written.config.models.items():
        yield from _known(
            written, ("models", name, "provider"), model.provider, "provider", written.providers
        )
        yield from local_problems(written, name)


def _providers(written: Written) -> Iterator[Problem]:
    providers = written.config.providers
    for name, provider in providers.items():
        path: Path = ("providers", name, "without_key")
        if provider.without_key is None:
            continue
        yield from _known(written, path, provider.without_key, "provider", written.providers)
        seen = {name}
        following: str | None = provider.without_key
        while following in providers and following not in seen:
            seen.add(following)
            following = providers[following].without_key
        if following in seen:
            yield written.locator.problem(
                path, f"leads back to {following}, so without a key there is no provider"
            )


def _indexes(written: Written) -> Iterator[Problem]:
    for name, index in written.config.indexes.items():
        if index.http is not None:
            yield written.locator.problem(
                ("indexes", name, "http"),
                "what the service holds is not versioned: when it changes, both variants change "
                "alike, and no gate sees it",
                severity="warning",
            )


def _run(written: Written) -> Iterator[Problem]:
    names = written.config.run.suites or []
    for index, name in enumerate(names):
        path: Path = ("run", "suites", index)
        yield from _known(written, path, name, "suite", written.suites)
        if name in names[:index]:
            yield written.locator.problem(path, "the suite is named twice", value=name)


def _suite(written: Written, name: str, suite: Suite) -> Iterator[Problem]:
    path: Path = ("suites", name)
    yield from _known(written, (*path, "route"), suite.route, "route", written.routes)
    yield from _step(written, (*path, "target"), suite)
    yield from _scorers(written.locator, (*path, "scorers"), suite)
    yield from _gate(written.locator, (*path, "gate"), suite.gate)
    yield from _baseline(written, (*path, "baseline"), suite.baseline)
    if suite.gate.anchor is not None:
        yield from _baseline(written, (*path, "gate", "anchor", "to"), suite.gate.anchor.to)
    yield from _quarantine(written.locator, (*path, "quarantine", "cases"), suite.quarantine)


def _step(written: Written, path: Path, suite: Suite) -> Iterator[Problem]:
    """A step that the route does not have; or none, where nothing may be used outside of one."""
    route, step = written.config.route(suite.route), suite.target.step
    if route is None:
        return
    names = listed(route.steps)
    if step is not None and step not in route.steps:
        yield written.locator.problem(
            (*path, "step"),
            f"route {route.name} has no such step",
            value=step,
            expected=f"one of {names}" if route.steps else "a route with `steps`",
            suggestion=suggest(step, route.steps),
        )
    elif step is None and route.steps and suite.target.prompt is not None:
        yield written.locator.problem(
            path,
            f"route {route.name} has steps and the target is in none of them, so its tools and its "
            "retrieval are denied",
            expected=f"`step`, one of {names}",
            severity="warning",
        )


def _scorers(locate: Locator, path: Path, suite: Suite) -> Iterator[Problem]:
    labels: list[str] = []
    for index, entry in enumerate(suite.scorers):
        if entry.label in labels:
            yield locate.problem(
                (*path, index),
                f"a scorer of this suite is called {entry.label!r} already",
                suggestion="tell them apart with `name`",
            )
        labels.append(entry.label)
    if not any(entry.gate for entry in suite.scorers):
        yield locate.problem(
            path,
            "no scorer gates, so nothing decides whether a case passes",
            expected="at least one scorer without `gate: false`",
        )


def _gate(locate: Locator, path: Path, gate: Gate) -> Iterator[Problem]:
    for name, metric in gate.metrics.items():
        words, right = "is no rate", "max_increase_pct"
        if name in _RISING_RATES:
            words, right = "is a rate that should not rise", "max_increase_pp"
        elif name in _FALLING_RATES:
            words, right = "is a rate that should not fall", "max_drop_pp"
        if getattr(metric, right) is None:
            yield locate.problem((*path, "metrics", name), words, expected=f"a limit in {right}")
    for tag, rules in gate.slices.items():
        if (rules.min_pass_rate, rules.max_drop_pp, gate.max_drop_pp) == (None, None, None):
            yield locate.problem(
                (*path, "slices", tag),
                "the slice requires nothing",
                expected="min_pass_rate, max_drop_pp, or a max_drop_pp of the suite",
            )
    required = (
        gate.max_drop_pp is not None
        or gate.min_pass_rate is not None
        or bool(gate.invariants)
        or gate.anchor is not None
        or any(rules.required for rules in gate.slices.values())
        or any(rules.required for rules in gate.metrics.values())
    )
    if not required:
        yield locate.problem(
            path,
            "the gate requires nothing, so every run would pass",
            expected="max_drop_pp, min_pass_rate, an anchor, an invariant, a required slice or "
            "metric",
        )


def _quarantine(locate: Locator, path: Path, quarantine: Quarantine) -> Iterator[Problem]:
    for case, entry in quarantine.cases.items():
        try:
            date.fromisoformat(entry.until)
        except ValueError:
            at = (*path, case, "until")
            yield locate.problem(at, "there is no such day", value=entry.until)


def _baseline(written: Written, path: Path, baseline: Any) -> Iterator[Problem]:
    """A baseline's changes have to reach something, or both variants would be the same."""
    if not isinstance(baseline, SetBaseline):
        return
    for key, value in baseline.set.items():
        try:
            apply_changes(written.locator.data, {key: value})
        except ConfigError as error:
            for problem in error.problems:
                yield written.locator.problem(
                    (*path, "set", key),
                    problem.message,
                    at_key=True,
                    suggestion=problem.suggestion,
                )


def _known(
    written: Written, path: Path, name: str, kind: str, names: Collection[str]
) -> Iterator[Problem]:
    if name not in names:
        yield written.locator.problem(
            path,
            f"there is no {kind} of this name",
            value=name,
            expected=f"one of {listed(names)}" if names else f"a {kind}; there is none",
            suggestion=suggest(name, names),
        )
