"""evalkit.yaml: everything wrong with it is said at once, and what is right has its value."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.config.load import load_config
from evalkit.errors import ConfigError, Problem
from tests.seed import ROUTES_ONLY

Broken = Callable[..., list[Problem]]


def test_a_file_of_routes_alone_loads_with_every_key() -> None:
    loaded = load_config(ROUTES_ONLY.encode())
    triage, review = loaded.config.routes
    assert triage.models.order == ("gpt-4.1-mini", "claude-3.7-sonnet")
    assert (triage.max_tokens, triage.max_tool_calls) == (1200, 6)
    assert triage.retrieval.max_chunks == 6
    assert triage.retrieval.allow_indexes == ["zendesk_kb", "internal_runbooks"]
    assert triage.policies.pii_redaction
    assert triage.policies.disallow_actions == ["send_email", "refund_customer"]
    assert review.require_citations
    assert review.approvals.on_execute == "legal_ops"
    assert loaded.config.version == 1


def test_models_without_an_entry_are_warnings_at_their_place() -> None:
    warnings = [
        each for each in load_config(ROUTES_ONLY.encode()).warnings if "price" in each.message
    ]
    assert [(each.line, each.value) for each in warnings] == [
        (4, '"gpt-4.1-mini"'),
        (5, '"claude-3.7-sonnet"'),
        (16, '"gpt-4.1"'),
        (17, '"claude-3.7-opus"'),
    ]
    assert {each.severity for each in warnings} == {"warning"}


def test_a_configuration_in_order_has_no_warning(good: str) -> None:
    loaded = load_config(good.encode())
    assert loaded.warnings == ()
    assert loaded.config.suites["triage"].gate.max_drop_pp == 3
    assert loaded.config.suites["review"].gate.on_inconclusive == "escalate"


def test_all_kinds_of_problems_are_reported_together_in_the_order_of_the_file(
    broken: Broken,
) -> None:
    problems = broken(
        ("provider: hosted, price", "provider: hoisted, price"),
        ("fallback: small-1.5}", "fallbck: small-1.5}"),
        ("route: triage\n", "route: trage\n"),
        ("{max_drop_pp: 3}", "{max_drop_pp: three, alpha: .7}"),
        ("[{citations: {}}]", "[{citations: {}, gate: false}]"),
    )
    assert [(each.line, each.key) for each in problems] == [
        (6, "models.big.provider"),
        (10, "routes.triage.models.fallbck"),
        (22, "suites.triage.gate.max_drop_pp"),
        (22, "suites.triage.gate.alpha"),
        (27, "suites.review.scorers"),
    ]


def test_a_broken_route_does_not_make_its_suites_dangling(broken: Broken) -> None:
    problems = broken(("models: {primary: big, fallback: small-1.5}", "models: {}"))
    assert [each.key for each in problems] == ["routes.triage.models"]
    assert "a `primary`, or a `tier`" in problems[0].message


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ("route: review", "route: reviw", "suites.review.route", "no route"),
        ("without_key: written", "without_key: x", "providers.hosted.without_key", "no provider"),
        (
            'path: "scripted/{suite}.jsonl"',
            "recordings: r",
            "providers.written",
            "a scripted provider has a `path`",
        ),
        ("kind: openai,", "kind: local,", "providers.hosted", "is reached over HTTP"),
        ("suites:\n", "run: {suites: [triage, tirage]}\nsuites:\n", "run.suites[1]", "no suite"),
        ("suites:\n", "run: {suites: [triage, triage]}\nsuites:\n", "run.suites[1]", "twice"),
        ("suites:\n", "run: {suites: []}\nsuites:\n", "run.suites", "wrong value"),
        ("fallback: [small-1.5]", "fallback: [big]", "routes.review.models.fallback[0]", "already"),
        (
            "- {exact: {fields: [intent]}}",
            "- {exact: {}}\n      - {exact: {fields: [a]}}",
            "suites.triage.scorers[1]",
            "called 'exact' already",
        ),
        ("{max_drop_pp: 3}", "{max_drop_pp: null}", "suites.triage.gate", "requires nothing"),
        (
            "{max_drop_pp: 3}",
            "{max_drop_pp: null, slices: {a: {min_pass_rate: .9, required: false}}}",
            "suites.triage.gate",
            "requires nothing",
        ),
        (
            "{max_drop_pp: 3}",
            "{max_drop_pp: null, min_pass_rate: .9, slices: {a: {}}}",
            "suites.triage.gate.slices.a",
            "the slice requires nothing",
        ),
        (
            "{max_drop_pp: 3}",
            "{metrics: {guardrail_rate: {max_increase_pct: 3}}}",
            "suites.triage.gate.metrics.guardrail_rate",
            "is a rate",
        ),
        (
            "{max_drop_pp: 3}",
            "{metrics: {latency_s: {max_increase_pp: 3}}}",
            "suites.triage.gate.metrics.latency_s",
            "is no rate",
        ),
        (
            "{max_drop_pp: 3}",
            "{metrics: {success_rate: {max_increase_pp: 3}}}",
            "suites.triage.gate.metrics.success_rate",
            "should not fall",
        ),
        (
            "{max_drop_pp: 3}",
            "{metrics: {judge_disagreement: {max_drop_pp: 3}}}",
            "suites.triage.gate.metrics.judge_disagreement",
            "should not rise",
        ),
        (
            "{max_drop_pp: 3}",
            "{anchor: {to: {set: {suites.triage.targt: x}}, max_drop_pp: 5}}",
            "suites.triage.gate.anchor.to.set.suites.triage.targt",
            "there is no such key",
        ),
        (
            "{max_drop_pp: 3}",
            "{}\n    quarantine: {cases: {a: {until: 2026-02-30, reason: flaky}}}",
            "suites.triage.quarantine.cases.a.until",
            "there is no such day",
        ),
        ("version: 1", "version: true", "version", "wrong value"),
        ("version: 1", "baseline: ''", "baseline", "wrong value"),
        ("golden: triage@v1", "golden: triage@1", "suites.triage.golden", "wrong value"),
        ("golden: triage@v1", "golden: triage@v0", "suites.triage.golden", "wrong value"),
        ("- {exact: {fields: [intent]}}", "[]", "suites.triage.scorers", "wrong value"),
        ("{exact: {fields: [intent]}}", "{policy: }", "suites.triage.scorers[0]", "policy: {}"),
        ("{exact: {fields: [intent]}}", "{gate: true}", "suites.triage.scorers[0]", "exactly one"),
        (
            "{exact: {fields: [intent]}}",
            "{judge: tone}",
            "suites.triage.scorers[0].judge",
            "wrong value",
        ),
        (
            "{exact: {fields: [intent]}}",
            "{judge: {rubric: tone@v1, min_pass_rate: 80}}",
            "suites.triage.scorers[0].judge.min_pass_rate",
            "wrong value",
        ),
        (
            "{exact: {fields: [intent]}}",
            "{similarity: {min: 0}}",
            "suites.triage.scorers[0].similarity.min",
            "wrong value",
        ),
        ("{citations: {}}", "{exact: {}, policy: {}}", "suites.review.scorers[0]", "exactly one"),
        ("suites:\n", "budgets: [{scope: run}]\nsuites:\n", "budgets[0]", "caps something"),
        (
            "{citations: {}}",
            "{json_schema: ../outside.json}",
            "suites.review.scorers[0].json_schema",
            "no path inside the project",
        ),
    ],
)  # fmt: skip
def test_one_thing_wrong_is_one_problem(
    broken: Broken, old: str, new: str, key: str, words: str
) -> None:
    (problem,) = broken((old, new))
    assert problem.key == key
    assert words in problem.message
    assert problem.line is not None and problem.column is not None


def test_stand_ins_that_lead_round_in_a_circle_are_refused(broken: Broken) -> None:
    circle = "written: {kind: openai, api_key_env: B, without_key: hosted}"
    problems = broken(('written: {kind: scripted, path: "scripted/{suite}.jsonl"}', circle))
    assert [each.key for each in problems] == [
        "providers.hosted.without_key",
        "providers.written.without_key",
    ]


def test_a_second_route_of_one_name_is_refused(broken: Broken) -> None:
    problems = broken(("- name: review", "- name: triage"), ("route: review", "route: triage"))
    assert [(each.line, each.key) for each in problems] == [(11, "routes.triage.name")]
    assert problems[0].message == "a route of this name stands in line 9 already"


def test_a_suite_needs_no_margin_where_something_else_is_required(good: str) -> None:
    for gate in ("min_pass_rate: .9", "invariants: [policy]", "slices: {a: {min_pass_rate: .9}}"):
        text = good.replace("{max_drop_pp: 3}", f"{{max_drop_pp: null, {gate}}}")
        assert load_config(text.encode()).config.suites["triage"].gate.max_drop_pp is None


def test_keys_that_yaml_1_1_would_turn_into_booleans_work(good: str) -> None:
    text = good.replace("{max_drop_pp: 3}", "{on_inconclusive: warn}")
    text = text.replace("- name: review\n", "- name: review\n  approvals: {on_execute: legal}\n")
    config = load_config(text.encode()).config
    assert config.suites["triage"].gate.on_inconclusive == "warn"
    assert config.routes[1].approvals.on_execute == "legal"


def test_a_baseline_that_changes_nothing_that_exists_is_refused(broken: Broken) -> None:
    baseline = "baseline: {set: {suites.triage.target.promt: triage@v0}}\n    golden: triage@v1"
    (problem,) = broken(("golden: triage@v1", baseline))
    assert problem.line == 17
    assert problem.suggestion == "did you mean 'suites.triage.target.prompt'?"


def test_a_baseline_may_not_change_the_yardstick(broken: Broken) -> None:
    (problem,) = broken(("version: 1", "baseline: {set: {suites.triage.gate.max_drop_pp: 9}}"))
    assert "yardsticks" in problem.message


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "12\n"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="holds no mapping"):
        load_config(text.encode())


def test_sections_of_the_wrong_kind_do_not_hide_each_other(broken: Broken) -> None:
    problems = broken(("version: 1", "budgets: 3\nrun: fast"), ("route: review", "route: nobody"))
    assert [each.key for each in problems] == ["budgets", "run", "suites.review.route"]


def test_no_more_than_fifty_problems_are_listed() -> None:
    text = "\n".join(f"key_{index}: 1" for index in range(80))
    with pytest.raises(ConfigError) as raised:
        load_config(text.encode())
    assert len(raised.value.problems) == 51
    assert raised.value.problems[-1].message == "and 30 more"


class TestAdvice:
    def test_a_route_without_a_fallback_is_a_warning(self, good: str) -> None:
        text = good.replace("    fallback: [small-1.5]\n", "")
        (warning,) = load_config(text.encode()).warnings
        assert (warning.line, warning.key) == (13, "routes.review.models")

    def test_a_model_without_a_price_is_a_warning_that_names_the_cap(self, good: str) -> None:
        text = good.replace(", price: {input_usd_per_mtok: 2, output_usd_per_mtok: 8}", "")
        (plain,) = load_config(text.encode()).warnings
        (capped,) = load_config(f"{text}budgets: [{{scope: run, max_usd: 1}}]".encode()).warnings
        assert plain.key == capped.key == "models.big"
        assert "cap" in capped.message and "cap" not in plain.message


KEYS = st.sampled_from(
    [
        "name", "models", "primary", "fallback", "provider", "kind", "path", "route", "golden",
        "target", "prompt", "scorers", "exact", "fields", "gate", "slices", "metrics", "set",
        "max_drop_pp", "baseline", "without_key", "price", "judge", "json_schema", "scope",
        "suites",
    ]
)  # fmt: skip
SCALARS = st.sampled_from(
    [None, 0, 1, -1, 0.5, True, "", "x", "a b", "desk@v1", "openai", "scripted", "a.b"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
SECTIONS = st.sampled_from(
    ["version", "providers", "models", "routes", "budgets", "suites", "baseline", "run", "other"]
)


@settings(deadline=None)
@given(data=st.dictionaries(SECTIONS, VALUES, max_size=5))
def test_whatever_the_file_holds_ends_in_a_configuration_or_in_problems(data: object) -> None:
    try:
        load_config(json.dumps(data).encode())
    except ConfigError as error:
        assert error.problems
        assert all(problem.message and problem.file for problem in error.problems)
