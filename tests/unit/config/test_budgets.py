"""`budgets:` in evalkit.yaml."""

import pytest

from evalkit.config.budgets import Budget
from evalkit.config.load import load_config
from evalkit.errors import ConfigError


def loaded(line: str) -> Budget:
    (budget,) = load_config(f"budgets:\n  - {line}\n".encode()).config.budgets
    return budget


def test_the_example_of_the_contract_loads() -> None:
    budget = loaded("{scope: user, max_tokens: 200000, window: day, on_exceed: degrade}")
    assert (budget.scope, budget.period, budget.on_exceed) == ("user", "day", "degrade")
    assert (budget.max_tokens, budget.max_usd, budget.full_share) == (200000, None, 0.8)


def test_a_run_has_the_window_of_a_run_and_everything_else_that_of_a_day() -> None:
    assert loaded("{scope: run, max_usd: 5}").period == "run"
    assert loaded("{scope: team, max_usd: 5}").period == "day"
    assert loaded("{scope: team, max_usd: 5, window: month}").period == "month"
    assert loaded("{scope: user, max_usd: 5, window: run}").period == "run"


def test_a_budget_that_stops_uses_all_of_its_cap() -> None:
    assert loaded("{scope: team, max_usd: 5}").full_share == 1.0
    assert (
        loaded("{scope: team, max_usd: 5, on_exceed: degrade, degrade_at: 0.5}").full_share == 0.5
    )


def test_one_of_a_scope_is_named_with_for() -> None:
    assert loaded("{scope: team, for: support, max_usd: 5}").only == "support"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{scope: run, max_usd: 5, window: day}", "its window is run"),
        ("{scope: run, max_usd: 5, for: nightly}", "names nothing there"),
        ("{scope: user}", "give max_usd or max_tokens"),
        ("{scope: user, max_usd: 0}", "more than 0"),
        ("{scope: user, max_usd: 5, degrade_at: 0.5}", "belongs to a budget"),
        ("{scope: person, max_usd: 5}", "workflow"),
        ("{scope: user, max_usd: 5, window: week}", "month"),
        ("{scope: user, max_usd: 5, on_exceed: warn}", "degrade"),
        ("{scope: user, max_usd: 5, windows: day}", "window"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_line(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(line)
    (problem,) = caught.value.problems
    assert problem.line == 2
    assert words in str(problem)


ROUTES = "routes: [{name: triage, models: {primary: gpt-4.1-mini}}]\n"


def test_a_budget_for_a_route_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(f"{ROUTES}budgets:\n  - {{scope: route, for: triag, max_usd: 5}}\n".encode())
    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (3, "budgets[0].for")
    assert "did you mean 'triage'" in str(problem)


def test_a_budget_for_a_workflow_without_a_suite_is_a_warning() -> None:
    found = load_config(b"budgets:\n  - {scope: workflow, for: desk, max_usd: 5}\n")
    assert [(each.line, each.severity) for each in found.warnings] == [(2, "warning")]


@pytest.mark.parametrize(
    ("degrade", "warned"),
    [
        ("", True),
        (", degrade: {to: tiny, on: [load]}", True),
        (", degrade: {to: tiny, on: [budget]}", False),
    ],
)
def test_a_budget_that_degrades_where_no_route_does_is_a_warning(
    degrade: str, warned: bool
) -> None:
    routes = f"routes: [{{name: triage, models: {{primary: big}}{degrade}}}]\n"
    budgets = "budgets:\n  - {scope: user, max_usd: 5, on_exceed: degrade}\n"
    found = load_config((routes + budgets).encode())
    assert any("cheaper model" in each.message for each in found.warnings) == warned
