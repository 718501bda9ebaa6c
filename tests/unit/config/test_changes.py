"""`--set`: reaches what differs between variants, by names as people write them."""

from typing import Any

import pytest
import yaml

from evalkit.config.changes import apply_changes, parse_change
from evalkit.config.load import load_config
from evalkit.errors import ConfigError, Problem, UsageError


@pytest.fixture
def data(good: str) -> Any:
    """The plain data of a good configuration."""
    return yaml.safe_load(good)


def _refused(data: Any, key: str, value: Any = "x") -> Problem:
    with pytest.raises(ConfigError) as raised:
        apply_changes(data, {key: value})
    (problem,) = raised.value.problems
    assert problem.key == key
    return problem


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("a.b=c", ("a.b", "c")),
        ("a.b=3", ("a.b", 3)),
        ("a.b=true", ("a.b", True)),
        ("a.b=no", ("a.b", "no")),
        ("a.b=null", ("a.b", None)),
        ("a.b='3'", ("a.b", "3")),
        ("a.b=[x, y]", ("a.b", ["x", "y"])),
        ("a.b={x: 1}", ("a.b", {"x": 1})),
        ("a.b=x=y", ("a.b", "x=y")),
        (" a.b =c", ("a.b", "c")),
    ],
)
def test_a_change_is_a_key_and_a_yaml_value(text: str, change: tuple[str, Any]) -> None:
    assert parse_change(text) == change


@pytest.mark.parametrize("text", ["", "a.b", "=c", "a..b=c", ".a=c", "a.b=", "a=[1", "a=.nan"])
def test_nonsense_is_a_usage_error_that_names_the_flag(text: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        parse_change(text)


def test_routes_are_found_by_name_and_the_data_stays_as_it_was(data: Any) -> None:
    changed = apply_changes(data, {"routes.review.models.primary": "small-1.5"})
    assert changed["routes"][1]["models"]["primary"] == "small-1.5"
    assert data["routes"][1]["models"]["primary"] == "big"


def test_names_with_dots_match_as_a_whole(data: Any) -> None:
    changed = apply_changes(data, {"models.small-1.5.id": "small-1.5-2026"})
    assert changed["models"]["small-1.5"]["id"] == "small-1.5-2026"


def test_the_longest_name_wins(data: Any) -> None:
    data["models"]["small-1"] = {"provider": "hosted"}
    changed = apply_changes(data, {"models.small-1.5.tier": "small", "models.small-1.tier": "mid"})
    assert changed["models"]["small-1.5"]["tier"] == "small"
    assert changed["models"]["small-1"]["tier"] == "mid"


def test_keys_that_the_file_leaves_out_can_be_set(data: Any) -> None:
    changed = apply_changes(
        data,
        {
            "routes.review.policies.pii_redaction": True,
            "routes.review.retrieval.max_chunks": 2,
            "routes.triage.max_tokens": 10,
        },
    )
    assert changed["routes"][1]["policies"] == {"pii_redaction": True}
    assert changed["routes"][1]["retrieval"] == {"max_chunks": 2}
    assert changed["routes"][0]["max_tokens"] == 10


def test_a_whole_new_model_can_be_set(data: Any) -> None:
    changed = apply_changes(
        data,
        {"models.tiny-0.5": {"provider": "hosted"}, "routes.triage.models.primary": "tiny-0.5"},
    )
    assert changed["models"]["tiny-0.5"] == {"provider": "hosted"}


def test_the_target_of_a_suite_can_be_set(good: str) -> None:
    loaded = load_config(good.encode(), changes={"suites.triage.target.prompt": "triage@v2"})
    assert loaded.config.suites["triage"].target.prompt == "triage@v2"


@pytest.mark.parametrize(
    "key",
    [
        "suites.triage.gate.max_drop_pp",
        "suites.triage.golden",
        "suites.triage.scorers.0.exact.fields",
        "suites.triage.baseline",
        "suites.triage.trials",
        "budgets.0.max_usd",
        "run.concurrency",
        "version",
        "baseline",
    ],
)
def test_what_both_variants_share_is_out_of_reach(data: Any, key: str) -> None:
    data["budgets"] = [{"scope": "run", "max_usd": 1}]
    assert "both variants" in _refused(data, key, 9).message


@pytest.mark.parametrize(
    "key", ["routes", "routes.triage", "suites.triage", "suites.triage.target"]
)
def test_a_whole_section_cannot_be_set(data: Any, key: str) -> None:
    if key == "routes.triage":
        assert apply_changes(data, {key: {"name": "triage"}})["routes"][0] == {"name": "triage"}
    else:
        assert "section" in _refused(data, key).message


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("routes.trage.models.primary", "routes.triage.models.primary"),
        ("route.triage.models.primary", "routes.triage.models.primary"),
        ("routes.triage.model.primary", "routes.triage.models.primary"),
        ("models.small-1.4.id", "models.small-1.5.id"),
        ("suites.triage.target.promt", "suites.triage.target.prompt"),
        ("providers.hostd.base_url", "providers.hosted.base_url"),
    ],
)
def test_an_unknown_key_suggests_the_whole_key_that_was_meant(
    data: Any, key: str, meant: str
) -> None:
    assert _refused(data, key).suggestion == f"did you mean {meant!r}?"


def test_nothing_can_be_set_inside_a_plain_value(data: Any) -> None:
    assert "nothing inside" in _refused(data, "routes.triage.models.primary.name").message


def test_a_route_cannot_be_renamed(data: Any) -> None:
    assert "suites find it by" in _refused(data, "routes.triage.name").message


def test_every_change_that_fails_is_reported(data: Any) -> None:
    with pytest.raises(ConfigError) as raised:
        apply_changes(data, {"routes.x.y": 1, "suites.triage.gate": 2, "models.big.id": "ok"})
    assert [each.key for each in raised.value.problems] == ["routes.x.y", "suites.triage.gate"]


def test_a_changed_value_that_is_wrong_has_no_place_in_the_file(good: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(good.encode(), changes={"routes.triage.max_tokens": "many"})
    (problem,) = raised.value.problems
    assert (problem.line, problem.key) == (None, "routes.triage.max_tokens")
    assert "changed value" in problem.message
