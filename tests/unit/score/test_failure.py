"""Every attempt that did not pass has one code of the published list, and every other has none."""

from itertools import product
from typing import Any, Literal, get_args

import msgspec
import pytest

from evalkit.config.scorers import SCORER_KEYS
from evalkit.records.attempt import (
    FAILURE_MODES,
    WITHOUT_RESULT,
    Attempt,
    AttemptState,
    FailureMode,
)
from evalkit.records.call import Decision
from evalkit.records.case import Case
from evalkit.records.score import Score
from evalkit.score.failure import BY_KIND, failure_mode_of
from evalkit.score.registry import build_scorers
from evalkit.score.scoring import attempt_passed, score_attempt
from tests.unit.score.samples import answer, answer_calls, answer_json, call, case

Fallback = Literal["error", "accept"]
SCHEMA = {"answer.json": {"type": "object"}}


def scored(entries: list[dict[str, Any]], attempt: Attempt, expecting: Case) -> tuple[Score, ...]:
    """Every score of the attempt."""
    return score_attempt(build_scorers(entries, SCHEMA), attempt, expecting)


def mode(
    entry: dict[str, Any], attempt: Attempt, expecting: Case, fallback: Fallback = "error"
) -> FailureMode | None:
    """The code of an attempt under one scorer."""
    return failure_mode_of(attempt, scored([entry], attempt, expecting), fallback=fallback)


def test_every_kind_of_scorer_has_a_code() -> None:
    assert set(SCORER_KEYS) <= set(BY_KIND)


def test_every_code_is_described_in_one_line() -> None:
    assert list(FAILURE_MODES) == list(FailureMode)
    for words in FAILURE_MODES.values():
        assert words.endswith(".") and "\n" not in words and "|" not in words


@pytest.mark.parametrize(
    ("entry", "attempt", "expecting", "code"),
    [
        ({"exact": {}}, answer("no"), case(output="yes"), "wrong_output"),
        ({"contains": {}}, answer("no"), case(contains="yes"), "wrong_output"),
        ({"regex": {}}, answer("no"), case(regex="yes"), "wrong_output"),
        ({"numeric": {}}, answer("2"), case(output=3), "wrong_output"),
        ({"similarity": {"min": 0.9}}, answer("no"), case(reference="yes"), "wrong_output"),
        ({"token_f1": {"min": 0.9}}, answer("no"), case(reference="yes"), "wrong_output"),
        ({"json_schema": "answer.json"}, answer_json([1]), case(), "schema_violation"),
        ({"tool_calls": {}}, answer_calls(call("a")), case(tool_calls=[]), "wrong_tool_calls"),
        ({"citations": {}}, answer("x"), case(citations=["kb-1"]), "wrong_citations"),
        (
            {"policy": {}},
            answer("x", allowed_tools=("wipe",)),
            case(forbidden_tools=["wipe"]),
            "forbidden_tool",
        ),
        ({"policy": {}}, answer("x"), case(blocked=True), "not_blocked"),
        ({"exact": {}}, answer("x"), case(output="x", blocked=True), "not_blocked"),
    ],
)
def test_what_a_scorer_finds_has_the_code_of_its_kind(
    entry: dict[str, Any], attempt: Attempt, expecting: Case, code: str
) -> None:
    assert mode(entry, attempt, expecting) == code


@pytest.mark.parametrize(
    ("state", "own", "code"),
    [
        ("error", FailureMode.TIMEOUT, "timeout"),
        ("error", FailureMode.NOT_RECORDED, "not_recorded"),
        ("refused", FailureMode.REFUSAL, "refusal"),
        ("refused", FailureMode.CONTENT_FILTER, "content_filter"),
        ("invalid", FailureMode.TRUNCATED, "truncated"),
        ("invalid", FailureMode.INVALID_OUTPUT, "invalid_output"),
        ("blocked", FailureMode.POLICY, "policy"),
    ],
)
def test_how_an_attempt_ended_comes_before_what_scorers_find(
    state: AttemptState, own: FailureMode, code: str
) -> None:
    attempt = answer("no", state=state, failure_mode=own)
    assert mode({"exact": {}}, attempt, case(output="yes")) == code


def test_a_cut_answer_fails_as_truncated_although_it_holds_what_is_asked_for() -> None:
    attempt = answer("yes, and", state="invalid", failure_mode=FailureMode.TRUNCATED)
    assert mode({"contains": {}}, attempt, case(contains="yes")) == "truncated"


def test_a_block_that_was_expected_is_no_failure() -> None:
    attempt = answer(state="blocked", failure_mode=FailureMode.POLICY, rule="policies.x")
    assert mode({"policy": {}}, attempt, case(blocked=True)) is None


def test_a_block_by_another_rule_than_the_expected_one_is_a_failure() -> None:
    expecting = case(blocked=True, blocked_by="policies.disallow_actions")
    attempt = answer(state="blocked", failure_mode=FailureMode.POLICY, rule="max_tokens")
    assert mode({"policy": {}}, attempt, expecting) == "policy"
    denied = Decision(
        act="authorize",
        outcome="denied",
        rule="policies.disallow_actions",
        message="never",
        at="2026-11-24T12:00:00Z",
    )
    both = msgspec.structs.replace(attempt, decisions=(denied,))
    assert mode({"policy": {}}, both, expecting) is None


def test_an_answer_of_another_model_is_that_unless_it_is_accepted() -> None:
    attempt = answer("no", model="backup")
    assert mode({"exact": {}}, attempt, case(output="yes")) == "other_model"
    assert mode({"exact": {}}, attempt, case(output="no")) == "other_model"
    assert mode({"exact": {}}, attempt, case(output="yes"), "accept") == "wrong_output"
    assert mode({"exact": {}}, attempt, case(output="no"), "accept") is None


def test_a_scorer_that_cannot_judge_and_scores_that_were_never_made_are_scorer_errors() -> None:
    assert mode({"contains": {}}, answer("x"), case(contains=3)) == "scorer_error"
    assert failure_mode_of(answer("x"), (), fallback="error") == "scorer_error"


def test_the_first_gating_scorer_that_failed_gives_the_code() -> None:
    entries: list[dict[str, Any]] = [
        {"contains": {"any": ["z"]}, "gate": False},
        {"json_schema": "answer.json"},
        {"exact": {}},
    ]
    attempt = answer("no")
    scores = scored(entries, attempt, case(output="yes"))
    assert failure_mode_of(attempt, scores, fallback="error") == "schema_violation"


def test_a_forbidden_tool_comes_before_what_scorers_ahead_of_it_find() -> None:
    attempt = answer("no", allowed_tools=("wipe",))
    scores = scored(
        [{"exact": {}}, {"policy": {}}], attempt, case(output="y", forbidden_tools="wipe")
    )
    assert failure_mode_of(attempt, scores, fallback="error") == "forbidden_tool"


@pytest.mark.parametrize("fallback", ["error", "accept"])
def test_each_attempt_has_a_code_exactly_when_it_did_not_pass(fallback: Fallback) -> None:
    expectations = (
        case(output="yes"),
        case(output="no"),
        case(blocked=True, output="yes"),
        case(blocked=True, blocked_by="p"),
        case(contains=3, output="no"),
        case(output="no", forbidden_tools=["wipe"]),
    )
    entries: list[dict[str, Any]] = [{"exact": {}}, {"contains": {}}, {"policy": {}}]
    seen = set()
    for state, model, expecting, own in product(
        get_args(AttemptState), ("tiny", "backup", ""), expectations, (None, FailureMode.POLICY)
    ):
        mode_given = own if state == "blocked" else None
        attempt = answer(
            "no", state=state, model=model, failure_mode=mode_given, allowed_tools=("wipe",)
        )
        scores = scored(entries, attempt, expecting)
        passed = attempt_passed(scores, attempt, fallback=fallback)
        found = failure_mode_of(attempt, scores, fallback=fallback)
        assert (found is None) is (passed is True)
        assert (found in WITHOUT_RESULT) is (passed is None)
        seen.add(found)
    assert {None, FailureMode.POLICY, FailureMode.NOT_BLOCKED, FailureMode.FORBIDDEN_TOOL} <= seen
