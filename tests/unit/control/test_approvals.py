"""Approvals in a session: what they cover, what waits for one, and what cannot be asked."""

from pathlib import Path
from typing import Any

import pytest

from evalkit.control.session import ControlSession
from evalkit.errors import PolicyBlocked, StoreError
from evalkit.ports import Approvals
from evalkit.records.approval import ApprovalAsked, ApprovalClaim
from evalkit.records.case import Case
from evalkit.store.approvals import ApprovalStore
from tests.unit.control.fakes import FakeClock, World, ask, call, route_with, tool, traced

ROUTE = {"approvals": {"on_execute": {"team": "legal", "expires_s": 600.0}}}
ANA = {"user": "ana", "team": "support"}
TOOLS = [tool("sign", "execute"), tool("note", "draft"), tool("look", "read")]


class Broken:
    """A store that cannot be read."""

    def claim(self, asked: ApprovalAsked) -> ApprovalClaim:
        raise StoreError("the approvals are damaged")


class Untouched:
    """A store that nobody may ask."""

    def claim(self, asked: ApprovalAsked) -> ApprovalClaim:
        raise AssertionError("nobody asks")


def world(store: Approvals | None, **keys: Any) -> World:
    return World(route=route_with(**(ROUTE | keys)), approvals=store)


def opened(made: World, identity: dict[str, str] = ANA, **keys: Any) -> ControlSession:
    session = made.plane.open_for(identity, **keys)
    ask(session, tools=TOOLS)
    return session


def blocked(session: ControlSession, **arguments: Any) -> PolicyBlocked:
    with pytest.raises(PolicyBlocked) as caught:
        session.authorize(call("sign", **arguments))
    return caught.value


@pytest.fixture
def store(tmp_path: Path) -> ApprovalStore:
    return ApprovalStore(tmp_path, now=FakeClock().now)


def test_a_call_waits_for_an_approval_and_passes_once_it_is_granted(store: ApprovalStore) -> None:
    session = opened(world(store))
    waiting = blocked(session, doc="d-1")
    assert waiting.rule == "approvals.on_execute"
    assert waiting.approval is not None
    assert waiting.approval in str(waiting)
    store.grant(waiting.approval, by="kim", team="legal")
    session.authorize(call("sign", doc="d-1"))
    [_, allowed] = traced(session, "approvals.on_execute")
    assert allowed.outcome == "allowed"
    assert allowed.data["approval"] == waiting.approval
    again = blocked(session, doc="d-1")
    assert again.approval != waiting.approval


def test_another_session_of_the_same_identity_may_use_it(store: ApprovalStore) -> None:
    made = world(store)
    waiting = blocked(opened(made), doc="d-1")
    assert waiting.approval is not None
    store.grant(waiting.approval, by="kim", team="legal")
    blocked(opened(made, {"user": "ben", "team": "support"}), doc="d-1")
    blocked(opened(made), doc="d-2")
    opened(made).authorize(call("sign", doc="d-1"))


def test_what_was_denied_says_why(store: ApprovalStore) -> None:
    session = opened(world(store))
    waiting = blocked(session)
    assert waiting.approval is not None
    store.deny(waiting.approval, by="kim", team="legal", reason="no ticket")
    assert "no ticket" in str(blocked(session))


@pytest.mark.parametrize("name", ["note", "look"])
def test_drafting_and_reading_ask_nobody(name: str) -> None:
    opened(world(Untouched())).authorize(call(name))


def test_a_route_that_names_no_team_asks_nobody() -> None:
    opened(world(Untouched(), approvals={})).authorize(call("sign"))


@pytest.mark.parametrize(
    "keys",
    [
        {"policies": {"disallow_actions": ["sign"]}},
        {"policies": {"allow_actions": ["look"]}},
        {"max_tool_calls": 0},
        {"steps": {"triage": {"tools": ["look"]}}},
    ],
)
def test_nobody_is_asked_for_what_may_not_run_anyway(keys: dict[str, Any]) -> None:
    blocked(opened(world(Untouched(), **keys)))


def test_an_approval_that_came_with_the_session_is_not_looked_for() -> None:
    given = {"sign": {"granted_by": "kim", "team": "legal"}}
    opened(world(Untouched()), approvals=given).authorize(call("sign"))


def test_one_of_another_team_that_came_with_it_does_not_keep_from_asking(
    store: ApprovalStore,
) -> None:
    given = {"sign": {"granted_by": "kim", "team": "sales"}}
    assert blocked(opened(world(store), approvals=given)).approval is not None


def test_a_store_that_cannot_be_asked_denies() -> None:
    session = opened(world(Broken()))
    error = blocked(session)
    assert error.rule == "policy.error"
    assert "damaged" not in str(error), "whoever asks is not told about this machine"
    (decision,) = traced(session, "policy.error")
    assert decision.outcome == "denied"
    assert "damaged" in decision.data["error"]


def test_a_case_of_a_golden_set_knows_its_own_approvals_only() -> None:
    made = World(
        route=route_with(**ROUTE),
        approvals=Untouched(),
        case=Case(id="c", input={}, approvals={}, identity=ANA),
    )
    session = made.open()
    ask(session, tools=TOOLS)
    assert blocked(session).approval is None


@pytest.mark.parametrize(
    ("expires", "rule"),
    [
        ("2026-11-24T09:00:00.001Z", None),
        ("2026-11-24T09:00:00Z", "approvals.on_execute"),
        ("2026-11-24T10:00:00+02:00", "approvals.on_execute"),
        ("2020-01-01T00:00:00Z", "approvals.on_execute"),
        ("2026-12-01T00:00:00", "policy.error"),
        ("soon", "policy.error"),
    ],
)
def test_an_approval_of_a_case_may_expire(expires: str, rule: str | None) -> None:
    given = {"sign": {"granted_by": "kim", "team": "legal", "expires": expires}}
    made = World(route=route_with(**ROUTE), case=Case(id="c", input={}, approvals=given))
    session = made.open()
    ask(session, tools=TOOLS)
    if rule is None:
        session.authorize(call("sign"))
    else:
        assert blocked(session).rule == rule


def test_what_waits_holds_no_personal_data(store: ApprovalStore) -> None:
    session = opened(world(store))
    blocked(session, to="ana@example.com", cc=["+49 30 901820"])
    [waiting] = store.all()
    assert waiting.asked.arguments == {"to": "[EMAIL_1]", "cc": ["[PHONE_1]"]}
    assert waiting.asked.identity == session.identity
    assert b"ana" not in store.path.read_bytes()


def test_an_approval_for_one_person_s_data_is_none_for_another_s(store: ApprovalStore) -> None:
    made = world(store, policies={"pii_redaction": True})
    first, second = opened(made), opened(made)
    first.redacted("ana@example.com")
    second.redacted("ben@example.com")
    waiting = blocked(first, to="[EMAIL_1]")
    assert waiting.approval is not None
    store.grant(waiting.approval, by="kim", team="legal")
    blocked(second, to="[EMAIL_1]")
    first.authorize(call("sign", to="[EMAIL_1]"))


def test_two_sessions_that_share_an_approval_use_it_once(store: ApprovalStore) -> None:
    made = world(store)
    sessions = [opened(made) for _ in range(2)]
    waiting = blocked(sessions[0])
    assert waiting.approval is not None
    store.grant(waiting.approval, by="kim", team="legal")
    passed = 0
    for session in sessions:
        try:
            session.authorize(call("sign"))
            passed += 1
        except PolicyBlocked:
            pass
    assert passed == 1
