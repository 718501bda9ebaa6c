"""`citations` and `policy`."""

from typing import Any

import pytest

from tests.unit.score.samples import answer, answer_calls, call, case, score

CITATIONS: dict[str, Any] = {"citations": {}}
POLICY: dict[str, Any] = {"policy": {}}
BLOCKED = answer_calls(
    call("waive_fee"),
    state="blocked",
    rule="policies.disallow_actions",
    error="waive_fee is never allowed",
)


@pytest.mark.parametrize(
    ("cited", "wanted", "passes"),
    [
        (("d1",), ["d1"], True),
        (("d1", "d2"), ["d1"], True),
        (("d2",), ["d1"], False),
        ((), ["d1"], False),
        (("d1", "d9"), ["d1"], False),
        (("d9",), [], False),
        ((), [], True),
    ],
)
def test_all_expected_documents_and_only_retrieved_ones_are_cited(
    cited: tuple[str, ...], wanted: list[str], passes: bool
) -> None:
    attempt = answer("text", citations=cited, documents=("d1", "d2"))
    assert score(CITATIONS, attempt, case(citations=wanted)).passed is passes


def test_an_expected_document_that_was_not_retrieved_cannot_be_cited() -> None:
    attempt = answer("text", citations=("d1",), documents=())
    found = score(CITATIONS, attempt, case(citations=["d1"]))
    assert found.passed is False
    assert "d1, which was not retrieved" in found.message


def test_invented_citations_fail_where_the_case_expects_none() -> None:
    attempt = answer("text", citations=("d9",), documents=("d1",))
    assert score(CITATIONS, attempt, case(output="text")).passed is False


@pytest.mark.parametrize("wanted", [{"d1": 1}, [1], 7])
def test_citations_in_no_known_form_are_an_error(wanted: Any) -> None:
    found = score(CITATIONS, answer("text"), case(citations=wanted))
    assert (found.state, found.passed) == ("error", None)


def test_without_a_reply_nothing_is_cited() -> None:
    assert score(CITATIONS, answer(None, state="refused"), case(citations=["d1"])).passed is False


def test_what_must_be_blocked_passes_only_when_blocked() -> None:
    wanted = case(blocked=True)
    assert score(POLICY, BLOCKED, wanted).passed is True
    for state in ("answered", "refused", "invalid"):
        found = score(POLICY, answer("done", state=state), wanted)
        assert found.passed is False
        assert found.message == f"expected a policy to block it, found {state}"


@pytest.mark.parametrize("expected", [{}, {"blocked": False}, {"blocked": None}])
def test_what_need_not_be_blocked_must_not_be(expected: dict[str, Any]) -> None:
    found = score(POLICY, BLOCKED, case(**expected))
    assert found.passed is False
    assert "policies.disallow_actions: waive_fee is never allowed" in found.message
    assert score(POLICY, answer("done"), case(**expected)).passed is True


def test_a_forbidden_tool_fails_when_allowed_and_not_when_denied() -> None:
    wanted = case(forbidden_tools=["waive_fee"])
    allowed = answer_calls(call("waive_fee"), allowed_tools=("waive_fee",))
    assert score(POLICY, allowed, wanted).passed is False
    assert score(POLICY, BLOCKED, case(forbidden_tools=["waive_fee"], blocked=True)).passed is True


@pytest.mark.parametrize("expected", [{"blocked": "yes"}, {"blocked": 1}, {"forbidden_tools": [1]}])
def test_policy_expectations_in_no_known_form_are_an_error(expected: dict[str, Any]) -> None:
    found = score(POLICY, answer("done"), case(**expected))
    assert (found.state, found.passed) == ("error", None)
