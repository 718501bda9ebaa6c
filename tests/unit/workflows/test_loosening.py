"""What counts as a weaker gate, a wider policy, a milder tool."""

from typing import Any

import pytest

from evalkit.config.model import Config
from evalkit.config.routes import Route
from evalkit.config.suites import Suite
from evalkit.config.targets import Target
from evalkit.records.asset import Tool
from evalkit.workflows.guards.loosening import weaker_suite, wider_route, wider_tools
from evalkit.workflows.guards.permissions import (
    changed_answer_schema,
    changed_step,
    wider_approvers,
)

SUITE: dict[str, Any] = {
    "golden": "g@v1",
    "route": "r",
    "target": {"prompt": "p@v1"},
    "trials": 2,
    "scorers": [{"exact": {}}, {"contains": {"any": ["a"]}, "gate": False}],
    "gate": {
        "max_drop_pp": 3.0,
        "min_pass_rate": 0.8,
        "invariants": ["policy"],
        "slices": {
            "high_risk": {"min_pass_rate": 0.95},
            "tight": {"max_drop_pp": 2.0},
            "plain": {},
            "seen": {"required": False},
        },
        "metrics": {
            "cost_usd": {"max_increase_pct": 10.0},
            "guardrail_rate": {"max_increase_pp": 2.0},
            "success_rate": {"max_drop_pp": 2.0},
        },
        "anchor": {"to": "v1.0", "max_drop_pp": 4.0},
        "baseline_max_age_days": 3.0,
        "max_trials": 4,
    },
    "quarantine": {"max_share": 0.02, "cases": {"c-1": {"until": "2026-08-01", "reason": "flaky"}}},
    "evidence": "live",
}
ROUTE: dict[str, Any] = {
    "name": "r",
    "models": {"primary": "m"},
    "max_tool_calls": 6,
    "retrieval": {"max_chunks": 6, "max_tokens": 900, "allow_indexes": ["kb"]},
    "policies": {"pii_redaction": True, "disallow_actions": ["refund"]},
    "require_citations": True,
    "approvals": {"on_execute": "legal"},
}


def changed(base: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A deep copy with one dotted key replaced, or removed where the value is None."""
    copy = {k: dict(v) if isinstance(v, dict) else v for k, v in base.items()}
    head, _, rest = path.partition(".")
    if rest:
        copy[head] = changed(base[head], rest, value)
    elif value is None:
        copy.pop(head)
    else:
        copy[head] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("gate.max_drop_pp", 5.0, "max_drop_pp went from 3 to 5"),
        ("gate.min_pass_rate", 0.7, "min_pass_rate went from 0.8 to 0.7"),
        ("gate.min_pass_rate", None, "min_pass_rate went from 0.8 to none"),
        ("gate.rule", "simple", "rule went from statistical to simple"),
        ("gate.on_inconclusive", "warn", "on_inconclusive"),
        ("gate.alpha", 0.1, "alpha"),
        ("gate.max_error_share", 0.1, "max_error_share"),
        ("gate.invariants", [], "invariant policy is gone"),
        ("gate.slices", {}, "slice high_risk is no longer required"),
        ("gate.slices.high_risk", {"min_pass_rate": 0.9}, "slice high_risk requires less"),
        ("gate.slices.high_risk", {}, "slice high_risk requires less"),
        ("gate.slices.tight", {"max_drop_pp": 3.0}, "slice tight requires less"),
        ("gate.slices.tight", {"min_pass_rate": 0.1}, "slice tight requires less"),
        ("gate.slices.tight", {}, "slice tight requires less"),
        ("gate.slices.plain", {"max_drop_pp": 4.0}, "slice plain requires less"),
        ("gate.slices.plain", {"min_pass_rate": 0.1}, "slice plain requires less"),
        ("gate.metrics", {}, "metric cost_usd is no longer gated"),
        ("gate.metrics.cost_usd", {"max_increase_pct": 20.0}, "cost_usd may rise more"),
        ("gate.metrics.guardrail_rate", {"max_increase_pp": 3.0}, "guardrail_rate may rise more"),
        ("gate.metrics.success_rate", {"max_drop_pp": 3.0}, "success_rate may fall more"),
        (
            "gate.metrics.cost_usd",
            {"max_increase_pp": 5.0},
            "cost_usd went from max_increase_pct 10 to max_increase_pp 5",
        ),
        (
            "gate.metrics.success_rate",
            {"max_drop_pp": 1.0, "required": False},
            "success_rate is no longer gated",
        ),
        ("gate.anchor", None, "gate.anchor is gone"),
        ("gate.anchor.to", "v1.1", "gate.anchor.to went from v1.0 to v1.1"),
        ("gate.anchor.max_drop_pp", 5.0, "gate.anchor.max_drop_pp went from 4 to 5"),
        ("gate.baseline_max_age_days", 30.0, "baseline_max_age_days went from 3 to 30"),
        ("gate.baseline_max_age_days", None, "baseline_max_age_days went from 3 to the default"),
        (
            "quarantine.cases.c-2",
            {"until": "2026-08-01", "reason": "flaky"},
            "1 case went into quarantine: c-2",
        ),
        (
            "quarantine.cases.c-1",
            {"until": "2026-09-01", "reason": "flaky"},
            "the quarantine lasts longer for c-1 (to 2026-09-01)",
        ),
        ("quarantine.max_share", 0.05, "max_share went from 0.02 to 0.05"),
        ("trials", 1, "trials went from 2 to 1"),
        ("fallback", "accept", "fallback model count"),
        ("evidence", "any", "count as evidence"),
        ("scorers", [{"contains": {"any": ["a"]}}], "scorer exact is gone"),
        ("scorers", [{"exact": {}, "gate": False}, {"policy": {}}], "exact no longer gates"),
        ("scorers", [{"exact": {"normalise": ["casefold"]}}], "exact was changed"),
    ],
)
def test_a_weaker_suite_is_told(path: str, value: object, says: str) -> None:
    old, new = Suite.model_validate(SUITE), Suite.model_validate(changed(SUITE, path, value))
    assert [sentence for sentence in weaker_suite(old, new) if says in sentence]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("gate.max_drop_pp", 2.0),
        ("gate.min_pass_rate", 0.9),
        ("gate.rule", "strict"),
        ("gate.on_inconclusive", "fail"),
        ("gate.max_error_share", 0.01),
        ("gate.slices.high_risk", {"min_pass_rate": 0.99}),
        ("gate.slices.high_risk", {"min_pass_rate": 0.95, "max_drop_pp": 9.0}),
        ("gate.slices.tight", {"max_drop_pp": 1.0}),
        ("gate.slices.plain", {"max_drop_pp": 3.0, "min_pass_rate": 0.5}),
        ("gate.metrics.cost_usd", {"max_increase_pct": 5.0}),
        ("gate.metrics.success_rate", {"max_drop_pp": 1.0}),
        ("gate.metrics.tokens", {"max_increase_pct": 5.0}),
        ("gate.anchor.max_drop_pp", 3.0),
        ("gate.baseline_max_age_days", 1.0),
        ("gate.max_trials", 1),
        ("gate.max_trials", 16),
        ("quarantine", {}),
        ("quarantine.cases.c-1", {"until": "2026-07-01", "reason": "other words"}),
        ("quarantine.max_share", 0.01),
        ("trials", 4),
        ("owner", "somebody"),
        ("scorers", [{"exact": {}}, {"policy": {}}]),
    ],
)
def test_a_stricter_suite_is_no_loosening(path: str, value: object) -> None:
    old, new = Suite.model_validate(SUITE), Suite.model_validate(changed(SUITE, path, value))
    assert list(weaker_suite(old, new)) == []


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("policies.disallow_actions", [], "no longer disallows refund"),
        ("policies.pii_redaction", False, "no longer redacts"),
        ("require_citations", False, "no longer requires citations"),
        ("approvals", {}, "from legal to nobody"),
        ("retrieval.allow_indexes", ["kb", "wiki"], "may also read wiki"),
        ("retrieval.allow_indexes", None, "may read every index"),
        ("retrieval.max_chunks", 20, "more chunks"),
        ("retrieval.max_tokens", 901, "more tokens"),
        ("retrieval.max_tokens", None, "more tokens"),
        ("max_tool_calls", None, "more tools"),
    ],
)
def test_a_wider_route_is_told(path: str, value: object, says: str) -> None:
    old, new = Route.model_validate(ROUTE), Route.model_validate(changed(ROUTE, path, value))
    assert [sentence for sentence in wider_route(old, new) if says in sentence]
    assert list(wider_route(new, old)) == []


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ({"pii_redaction": True}, {}, "no longer redacts personal data and secrets"),
        ({"pii_redaction": True}, {"pii": {}}, "no longer redacts SECRET"),
        (
            {"pii_redaction": True},
            {"pii_redaction": True, "secrets": {"mode": "warn"}},
            "goes from redact to warn for SECRET",
        ),
        ({"pii": {"mode": "block"}}, {"pii": {}}, "goes from block to redact for"),
        ({"pii": {"kinds": ["ip", "email"]}}, {"pii": {"kinds": ["ip"]}}, "redacts EMAIL"),
        ({"secrets": {"mode": "warn"}}, {}, "no longer warns of"),
    ],
)
def test_a_milder_mode_is_told_and_a_stricter_one_is_not(
    before: dict[str, object], after: dict[str, object], says: str
) -> None:
    old, new = (
        Route.model_validate(changed(ROUTE, "policies", policies)) for policies in (before, after)
    )
    assert [sentence for sentence in wider_route(old, new) if says in sentence]
    assert list(wider_route(new, old)) == []


def test_two_ways_to_say_redact_are_one() -> None:
    old, new = (
        Route.model_validate(changed(ROUTE, "policies", policies))
        for policies in ({"pii_redaction": True}, {"pii": {}, "secrets": {}})
    )
    assert list(wider_route(old, new)) == []


STRICT: dict[str, Any] = {
    "name": "work",
    "models": {"primary": "one"},
    "max_tool_retries": 1,
    "max_repeats": 1,
    "max_steps": 4,
    "max_total_tokens": 1_000,
    "require_citations": True,
    "steps": {"triage": {"tools": ["look"], "data": ["kb"], "ttl_s": 60.0}},
    "approvals": {"on_execute": {"team": "legal", "expires_s": 600.0}},
    "policies": {
        "allow_actions": {"actions": ["look"], "mode": "block"},
        "tool_arguments": {"mode": "block"},
        "output_schema": {"schema": "schemas/a.json", "mode": "block"},
        "blocked_phrases": [{"text": "falcon", "where": "both", "mode": "redact"}],
    },
}
PHRASE = {"text": "falcon", "where": "both", "mode": "redact"}


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("max_tool_retries", None, "again more often"),
        ("max_tool_retries", 2, "again more often"),
        ("max_repeats", 2, "repeat its calls more often"),
        ("max_steps", None, "take more turns"),
        ("max_total_tokens", 1_001, "use more tokens"),
        ("require_citations", {"mode": "warn"}, "from mode block to warn"),
        ("steps", {}, "no longer has steps"),
        ("steps.triage.tools", ["look", "wipe"], "may also use wipe"),
        ("steps.triage.data", ["kb", "KB"], "may also use KB"),
        ("steps.triage.ttl_s", 61.0, "for 61 s instead of 60 s"),
        ("steps.act", {"tools": ["wipe"]}, "step act of route work is new and may use wipe"),
        ("approvals.on_execute", "legal", "for 3600 s instead of 600 s"),
        ("approvals.on_execute", {"team": "sales", "expires_s": 1.0}, "from legal to sales"),
        ("policies.allow_actions", None, "every tool"),
        ("policies.allow_actions.actions", ["look", "wipe"], "may also call wipe"),
        ("policies.allow_actions.mode", "warn", "from mode block to warn"),
        ("policies.tool_arguments.mode", "warn", "from mode block to warn"),
        ("policies.output_schema", None, "no longer holds its replies to schemas/a.json"),
        ("policies.output_schema", "schemas/b.json", "to schemas/b.json"),
        ("policies.output_schema.mode", "warn", "from mode block to warn"),
        ("policies.blocked_phrases", [], "phrase 1 of route work is no longer blocked"),
        ("policies.blocked_phrases", [PHRASE | {"where": "reply"}], "in the reply only"),
        ("policies.blocked_phrases", [PHRASE | {"mode": "warn"}], "from mode redact to warn"),
    ],
)
def test_a_wider_permission_is_told(path: str, value: object, says: str) -> None:
    old, new = Route.model_validate(STRICT), Route.model_validate(changed(STRICT, path, value))
    assert [sentence for sentence in wider_route(old, new) if says in sentence]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("max_steps", 3),
        ("steps.triage.tools", ["Look"]),
        ("steps.triage.ttl_s", 59.0),
        ("steps.act", {"ttl_s": 5.0}),
        ("approvals.on_execute.expires_s", 1.0),
        ("policies.allow_actions", ["look"]),
        ("policies.allow_actions.actions", []),
        ("policies.output_schema", "schemas/a.json"),
        ("policies.blocked_phrases", [PHRASE | {"mode": "block"}, "falcon crest"]),
    ],
)
def test_a_narrower_permission_is_none(path: str, value: object) -> None:
    old, new = Route.model_validate(STRICT), Route.model_validate(changed(STRICT, path, value))
    assert list(wider_route(old, new)) == []


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (None, None, []),
        (None, {"legal": ["kim"]}, []),
        ({"legal": ["kim"]}, None, ["evalkit.yaml no longer lists who may approve for legal"]),
        ({"legal": ["kim"]}, {"legal": ["kim", "lee"]}, ["lee may also approve for legal"]),
        ({"legal": ["kim", "lee"]}, {"legal": ["lee"]}, []),
        ({"legal": ["kim"]}, {"legal": ["kim"], "sales": ["lee"]}, []),
        ({"legal": ["kim"]}, {}, []),
    ],
)
def test_more_people_who_may_approve_are_told(
    before: object, after: object, says: list[str]
) -> None:
    old, new = (Config.model_validate({"approvers": each}) for each in (before, after))
    assert list(wider_approvers(old, new, Route.model_validate(STRICT))) == says


def test_a_tool_whose_arguments_are_held_to_something_else_is_told() -> None:
    before = Tool(name="sign", parameters={"properties": {"a": {"type": "string"}}})
    remark = {"properties": {"a": {"type": "string", "description": "Which one."}}}
    assert list(wider_tools([before], [Tool(name="sign", parameters=remark)])) == []
    [said] = wider_tools([before], [Tool(name="sign", parameters={})])
    assert said == "arguments of tool sign are held to another schema than they were"


def test_an_age_beyond_the_default_of_a_floating_model_is_told() -> None:
    free = changed(SUITE, "gate.baseline_max_age_days", None)
    old = Suite.model_validate(free)
    for days, said in ((7.0, []), (8.0, ["the default to 8"])):
        new = Suite.model_validate(changed(free, "gate.baseline_max_age_days", days))
        found = [each.partition("went from ")[2] for each in weaker_suite(old, new)]
        assert found == said


def test_a_new_anchor_is_no_loosening() -> None:
    old = Suite.model_validate(changed(SUITE, "gate.anchor", None))
    assert list(weaker_suite(old, Suite.model_validate(SUITE))) == []


def test_a_tool_that_the_prompt_did_not_have_is_told_with_its_effect() -> None:
    before = [Tool(name="look", effect="read")]
    after = [*before, Tool(name="sign"), Tool(name="note", effect="draft")]
    assert list(wider_tools(before, after)) == [
        "tool sign is new, with effect execute",
        "tool note is new, with effect draft",
    ]
    assert list(wider_tools(after, before)) == []


def test_a_tool_that_is_declared_milder_is_told() -> None:
    before = [Tool(name="sign"), Tool(name="look", effect="read")]
    after = [Tool(name="sign", effect="draft"), Tool(name="look", effect="execute")]
    assert list(wider_tools(before, after)) == ["tool sign went from effect execute to draft"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [({"type": "object"}, {"type": "object"}, 0), ({"type": "object"}, {}, 1), (None, {}, 1)],
)
def test_answers_that_are_held_to_something_else_are_told(
    before: Any, after: Any, said: int
) -> None:
    route = Route.model_validate(STRICT)
    assert len(list(changed_answer_schema(route, route, before, after))) == said


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (None, "act", []),
        ("act", "act", []),
        ("act", "triage", ["the target is played in step triage instead of step act"]),
        ("act", None, ["the target is played in no step instead of step act"]),
    ],
)
def test_another_step_is_told(before: str | None, after: str | None, said: list[str]) -> None:
    old, new = (Target.model_validate({"prompt": "p@v1", "step": each}) for each in (before, after))
    assert list(changed_step(old, new)) == said
