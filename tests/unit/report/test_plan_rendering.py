"""`evalkit plan`: what a run would do, cost and see."""

import json
from collections import Counter
from typing import Any

from evalkit.records.plan import PlannedAttempt, PlannedSuite, RunPlan
from evalkit.report.plan import plan_json, plan_text
from evalkit.report.screen import Screen

WIDE = Screen(width=100)


def planned(variant: str, case: str, **changes: Any) -> PlannedAttempt:
    values: dict[str, Any] = {
        "suite": "routing",
        "variant": variant,
        "case": case,
        "trial": 1,
        "model": "tiny",
        "origin": "live",
        "input_tokens": {"system": 40, "examples": 900 if variant == "baseline" else 300},
        "output_tokens": 16,
        "max_cost_usd": 0.01,
    }
    return PlannedAttempt(**{**values, **changes})


def plan_of(*attempts: PlannedAttempt, **changes: Any) -> RunPlan:
    values: dict[str, Any] = {
        "suite": "routing",
        "variants": ("baseline", "candidate"),
        "cases": 2,
        "trials": 1,
        "calls": 4,
        "replayed": 0,
        "tokens": {},
        "max_cost_usd": 1.5,
        "expected_cost_usd": 0.9,
        "origins": {"live": 4},
        "detectable_drop": 0.0712,
        "flip_share": 0.1,
        "cases_to_pass": 88,
    }
    tokens: dict[str, Counter[str]] = {}
    for each in attempts:
        of_variant = tokens.setdefault(each.variant, Counter())
        of_variant.update(each.input_tokens)
        of_variant["output"] += each.output_tokens
    values["tokens_by_variant"] = {name: dict(counted) for name, counted in tokens.items()}
    return RunPlan(attempts=attempts, suites=(PlannedSuite(**{**values, **changes}),))


FOUR = [planned(variant, case) for case in ("a", "b") for variant in ("baseline", "candidate")]


def test_a_plan_is_counted_priced_and_says_what_it_can_see() -> None:
    assert plan_text(plan_of(*FOUR), budget_usd=5.0, screen=WIDE) == (
        """\
4 attempts: 4 calls to a provider, 0 replayed
At most $1.50, about $0.9000 expected; the budget is $5.00

routing  2 cases × 2 variants × 1 trial = 4 attempts
  calls      4 to a provider
  replies    4 live
  USD        At most $1.50, about $0.9000 expected
  can see    a true drop of 7.12 pp or more, in 80 % of runs, if 10.0 % of cases flip by chance
  cannot     pass: its margin needs at least 88 cases, even when nothing changed
  tokens, at most  baseline  candidate
  system                 80         80
  examples            1,800        600
  output                 32         32
  together            1,912        712
"""
    )


def test_replays_and_refusals_are_counted_apart_from_calls() -> None:
    plan = plan_of(
        *FOUR, calls=0, replayed=3, refused=1, origins={"recording": 2, "cache": 1}, max_cost_usd=0
    )
    page = plan_text(plan, screen=WIDE)
    assert page.startswith("4 attempts: 0 calls to a provider, 3 replayed\nAt most $0, about")
    assert "  replies    2 recorded, 1 from the cache\n" in page
    assert "  policy     1 attempt stopped before any call\n" in page


def test_a_model_without_a_price_makes_the_cost_unknown() -> None:
    plan = plan_of(*FOUR, max_cost_usd=None, expected_cost_usd=None, unpriced_models=("huge",))
    page = plan_text(plan, screen=WIDE)
    assert "No one knows what it costs: no price for huge\n" in page
    assert json.loads(plan_json(plan))["max_cost_usd"] is None


def test_missing_recordings_are_named_as_far_as_a_few_lines_go() -> None:
    attempts = [planned("candidate", f"c{n}", missing="no recording of tiny") for n in range(8)]
    plan = plan_of(*attempts, calls=0, missing=8, origins={})
    page = plan_text(plan, screen=WIDE)
    assert "  missing    candidate c0: no recording of tiny\n" in page
    assert "and 3 more replies that are not recorded" in page
    assert "  replies    none, 8 missing\n" in page
    value = json.loads(plan_json(plan))
    assert (value["missing"], value["suites"][0]["missing"]) == (8, 8)


def test_a_plan_that_a_run_would_refuse_says_so_first_and_how_to_go_on() -> None:
    lacking = planned("candidate", "c0", origin="recording", missing="no reply; record it")
    page = plan_text(plan_of(lacking, *FOUR, missing=1), screen=WIDE)
    assert page.startswith(
        """\
not measured: 1 reply is not recorded, and `evalkit run` refuses to start without it
  record    evalkit record routing; --prompt NAME@vN for a version that only --set names
  or ask    the model itself, with --live

5 attempts: 4 calls to a provider, 0 replayed, 1 missing
"""
    )
    assert "  missing    candidate c0: no reply\n" in page  # the way out is told once


def test_a_script_is_written_and_not_recorded() -> None:
    lacking = planned("candidate", "c0", origin="scripted", missing="no reply to c0")
    page = plan_text(plan_of(lacking, missing=1), screen=WIDE)
    assert "evalkit record" not in page
    assert "  write     the replies to routing by hand" in page


def test_a_plan_that_lacks_nothing_warns_of_nothing() -> None:
    page = plan_text(plan_of(*FOUR), screen=WIDE)
    assert "not measured" not in page
    assert "missing" not in page


def test_a_suite_too_small_to_see_any_drop_says_so() -> None:
    page = plan_text(plan_of(*FOUR, detectable_drop=None), screen=WIDE)
    assert "  can see    no drop, of any size: it has too few cases\n" in page


def test_scripted_replies_are_called_scripted() -> None:
    page = plan_text(plan_of(*FOUR, origins={"scripted": 4}), screen=WIDE)
    assert "4 scripted" in page
    assert "measure no model" in page.replace("\n          ", " ")


def test_json_has_the_sums_and_no_single_attempt() -> None:
    value = json.loads(plan_json(plan_of(*FOUR), budget_usd=5.0))
    assert value["schema"] == "evalkit.plan/1"
    assert (value["attempts"], value["calls"], value["budget_usd"]) == (4, 4, 5.0)
    assert value["suites"][0]["tokens_by_variant"]["candidate"] == {
        "system": 80,
        "examples": 600,
        "output": 32,
    }
