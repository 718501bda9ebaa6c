"""A route as it is told on a terminal."""

import json

import msgspec
import pytest

from evalkit.records.route import BudgetExplained, ModelExplained, RouteExplained
from evalkit.report.route import route_json, route_text
from evalkit.report.screen import Screen

SCREEN = Screen(width=80)
MODEL = ModelExplained(
    name="large",
    id="large-2025-04-14",
    provider="hosted",
    configured="hosted",
    kind="openai",
    replies="live",
    why="the route's primary model",
    source="https://llm.example/v1",
    priced=True,
)
ROUTE = RouteExplained(
    route="ask",
    models=(MODEL,),
    falls_on=("timeout", "rate_limited"),
    never=("policy", "bad_request"),
    timeout_s=60.0,
    retries=1,
    max_tokens=4096,
    max_tokens_by="default",
)


def shown(route: RouteExplained) -> str:
    return " ".join(route_text(route, screen=SCREEN).split())


def test_without_a_fallback_a_failure_ends_the_call() -> None:
    text = shown(ROUTE)
    assert "ask a call would go to large, through hosted" in text
    assert "fallback none: timeout, rate limited end the call as an error" in text
    assert "never after" not in text
    assert "each live call may take 60 s and has 1 more try" in text


def test_limits_that_nobody_set_are_told_as_such() -> None:
    text = shown(ROUTE)
    assert "4,096 tokens out (evalkit's default: the route names none)" in text
    assert "policies none" in text
    assert "budget none: nothing caps what calls cost" in text


def test_every_limit_that_is_set_is_told() -> None:
    limited = msgspec.structs.replace(
        ROUTE,
        max_tokens_by="route",
        max_tool_calls=1,
        max_chunks=6,
        allow_indexes=(),
        require_citations=True,
        approval_by="legal_ops",
        owner="platform",
        budgets=(BudgetExplained(scope="run", max_usd=5.0, max_tokens=1000),),
    )
    text = shown(limited)
    for part in (
        "4,096 tokens out, 1 tool call, 6 chunks",
        "reads only no index; replies must cite; executing needs legal_ops",
        "$5.00 and 1,000 tokens a run",
        "owner platform",
    ):
        assert part in text


def test_a_model_with_bounds_shows_them_by_part_with_their_price() -> None:
    bounded = msgspec.structs.replace(
        MODEL, input_tokens={"system": 1200, "input": 30}, output_tokens=200, max_cost_usd=0.0123
    )
    text = shown(msgspec.structs.replace(ROUTE, models=(bounded,)))
    assert "at most 1,230 tokens in (system 1,200, input 30), 200 out: $0.0123" in text


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"missing": ("no key",)}, "a call would go to large, which cannot answer here"),
        ({"missing": ("no key",)}, "missing no key"),
        ({"priced": False}, "price none is known"),
        ({"over_budget": "budgets.run.max_usd: too much"}, "budget budgets.run.max_usd: too much"),
    ],
)
def test_what_stands_in_the_way_of_a_model_is_told(changed: dict[str, object], says: str) -> None:
    model = msgspec.structs.replace(MODEL, **changed)
    assert says in shown(msgspec.structs.replace(ROUTE, models=(model,)))


def test_a_call_that_the_budgets_refuse_goes_to_cheaper_models_or_nowhere() -> None:
    def headline(*models: dict[str, object]) -> str:
        made = tuple(msgspec.structs.replace(MODEL, **each) for each in models)
        return route_text(msgspec.structs.replace(ROUTE, models=made), screen=SCREEN).splitlines()[
            0
        ]

    full: dict[str, object] = {"over_budget": "budgets.run.max_usd: too much"}
    assert headline(full) == "ask  a call would not be made: the budgets refuse one to large"
    full["degrades_to"] = "small"
    small: dict[str, object] = {"name": "small", "asked": "degrade"}
    told = headline(full, small)
    assert told == "ask  a call would go to small: the budgets refuse one to large"
    told = headline(full, small | {"over_budget": "budgets.run.max_usd: too much"})
    assert told == "ask  a call would not be made: the budgets refuse one to large, small"


def test_a_policy_that_stops_the_case_is_the_headline() -> None:
    blocked = msgspec.structs.replace(ROUTE, blocked="retrieval.allow_indexes: not that one")
    assert "no model would be asked: retrieval.allow_indexes: not that one" in shown(blocked)


def test_no_name_reaches_the_terminal_as_a_control_sequence() -> None:
    model = msgspec.structs.replace(MODEL, why="\x1b[31mred")
    assert "\x1b" not in route_text(msgspec.structs.replace(ROUTE, models=(model,)), screen=SCREEN)


def test_lines_keep_within_a_narrow_screen() -> None:
    two = msgspec.structs.replace(ROUTE, models=(MODEL, MODEL))
    lines = route_text(two, screen=Screen(width=60)).splitlines()
    assert max(map(len, lines)) <= 60


def test_the_json_is_the_record() -> None:
    assert msgspec.json.decode(route_json(ROUTE), type=RouteExplained) == ROUTE
    assert json.loads(route_json(ROUTE))["schema"] == "evalkit.route/1"
