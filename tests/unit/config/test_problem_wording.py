"""Problems are written for the person who wrote the file."""

from collections.abc import Callable

import pytest

from evalkit.config.problems import capped, dotted, listed, shown, suggest
from evalkit.errors import Problem

Broken = Callable[..., list[Problem]]


def test_an_unknown_key_lists_what_is_known_and_what_was_meant(broken: Broken) -> None:
    (problem,) = broken(("{max_drop_pp: 3}", "{max_drop: 3}"))
    assert str(problem).startswith("evalkit.yaml:22:12: suites.triage.gate.max_drop: unknown key")
    assert "max_drop_pp, rule, alpha" in str(problem.expected)
    assert problem.suggestion == "did you mean 'max_drop_pp'?"


def test_a_value_off_a_list_names_the_list_and_what_was_meant(broken: Broken) -> None:
    (problem,) = broken(("{max_drop_pp: 3}", "{rule: statistcal}"))
    assert problem.value == '"statistcal"'
    assert problem.expected == "one of statistical, strict, simple"
    assert problem.suggestion == "did you mean 'statistical'?"


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ("{max_drop_pp: '3'}", "a number"),
        ("{max_drop_pp: 0}", "more than 0"),
        ("{alpha: .5}", "less than 0.5"),
        ("{min_pass_rate: 95}", "at most 1"),
        ("{max_error_share: -1}", "at least 0"),
        ("{invariants: policy}", "a list"),
        ("{slices: [high_risk]}", "a mapping (key: value)"),
        ("{slices: {a: {required: 1}}}", "true or false"),
        ("{slices: {a: 3}}", "a mapping (key: value)"),
    ],
)
def test_what_was_expected_is_said_in_plain_words(broken: Broken, gate: str, expected: str) -> None:
    (problem,) = broken(("{max_drop_pp: 3}", gate))
    assert problem.expected == expected
    assert problem.message == "wrong value"


def test_a_choice_of_types_is_one_problem(broken: Broken) -> None:
    (problem,) = broken(("fallback: small-1.5}", "fallback: 7}"))
    assert problem.expected == (
        "a text (in quotes if it looks like something else), or a mapping (key: value), or a list"
    )


def test_a_choice_of_types_complains_inside_the_type_that_was_chosen(broken: Broken) -> None:
    (problem,) = broken(("fallback: [small-1.5]", "fallback: [small-1.5, 7]"))
    assert problem.key == "routes.review.models.fallback[1]"


def test_a_name_that_is_none_is_placed_at_the_key(broken: Broken) -> None:
    problems = broken(("  big: {provider: hosted", "  a b: {provider: hosted"))
    assert (problems[0].line, problems[0].column) == (6, 3)
    assert problems[0].message == "wrong name"


@pytest.mark.parametrize("key", ["api_key", "api_key_env", "auth_token"])
def test_what_may_be_a_secret_is_never_shown(broken: Broken, key: str) -> None:
    secret = "sk-test-0123456789"
    problems = broken(("kind: openai, api_key_env: HOSTED_KEY", f"kind: openai, {key}: {secret}"))
    assert problems
    assert secret not in "\n".join(str(problem) for problem in problems)


def test_no_jargon_of_the_validator_reaches_the_user(broken: Broken) -> None:
    text = "\n".join(
        str(each)
        for each in broken(
            ("golden: triage@v1", "golden: 1\n    trials: 0\n    evidence: [x]"),
            ("target: {prompt: triage@v1}", "target: []"),
            ("scorers: [{citations: {}}]", "scorers: {}"),
        )
    )
    for word in ("Input", "pydantic", "str_type", "instance", "dictionary", "valid string"):
        assert word not in text


def test_long_values_are_cut() -> None:
    assert len(shown("x" * 500)) == 60


def test_paths_are_written_as_people_write_them() -> None:
    data = {"routes": [{"name": "x", "models": {"fallback": ["a"]}}], "suites": {"s": [1]}}
    assert dotted(("routes", 0, "models", "fallback", 0), data) == "routes.x.models.fallback[0]"
    assert dotted(("suites", "s", 0), data) == "suites.s[0]"


def test_nothing_alike_suggests_nothing() -> None:
    assert suggest("zebra", ["route", "golden"]) is None


def test_a_suggestion_does_not_depend_on_case() -> None:
    assert suggest("Golden", ["route", "golden"]) == "did you mean 'golden'?"


def test_a_list_of_names_is_short_and_without_repeats() -> None:
    assert listed(["a", "b", "a"]) == "a, b"
    assert listed([]) == "none"
    assert listed([str(each) for each in range(20)], most=2) == "0, 1 and 18 more"


def test_errors_are_capped_apart_from_warnings_and_by_file() -> None:
    warnings = [Problem(message=str(n), file="a", severity="warning") for n in range(60)]
    errors = [Problem(message=str(n), file=file) for file in "ab" for n in range(3)]
    found = capped([*warnings, *errors], {"a": 7}, most=2)
    assert [(each.file, each.severity, each.message) for each in found] == [
        ("a", "warning", "0"),
        ("a", "warning", "1"),
        ("a", "warning", "and 58 more"),
        ("a", "error", "0"),
        ("a", "error", "1"),
        ("a", "error", "and at least 8 more"),
        ("b", "error", "0"),
        ("b", "error", "1"),
        ("b", "error", "and 1 more"),
    ]
