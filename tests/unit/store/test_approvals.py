"""The file of approvals: claims, decisions, expiry, and two processes at once."""

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.errors import StoreError, UsageError
from evalkit.records.approval import Approval, ApprovalAsked
from evalkit.store.approvals import ApprovalStore

ASKED = ApprovalAsked(
    route="support",
    tool="refund",
    team="legal",
    identity="u-1",
    digest="sha256:a",
    expires_s=600.0,
    arguments={"order": "O-1"},
)


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store(tmp_path: Path, time: Time) -> ApprovalStore:
    return ApprovalStore(tmp_path, now=time)


def other(**changes: Any) -> ApprovalAsked:
    return msgspec.structs.replace(ASKED, **changes)


def asked_for(store: ApprovalStore, asked: ApprovalAsked = ASKED) -> Approval:
    claim = store.claim(asked)
    assert not claim.allowed
    return claim.approval


def events(store: ApprovalStore) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        return connection.execute("SELECT event, by FROM events ORDER BY number").fetchall()


def test_nothing_is_made_before_somebody_asks(store: ApprovalStore) -> None:
    assert store.all() == ()
    assert not store.path.parent.exists()


def test_a_call_without_an_approval_leaves_one_request(store: ApprovalStore) -> None:
    first, again = asked_for(store), asked_for(store)
    assert first == again
    assert store.all() == (first,)
    assert (first.state, first.asked) == ("pending", ASKED)


def test_a_granted_call_may_run_once(store: ApprovalStore) -> None:
    waiting = asked_for(store)
    granted = store.grant(waiting.id, by="kim", team="legal")
    assert granted.expires_at == "2026-11-24T09:10:00.000+00:00"
    claim = store.claim(ASKED)
    assert claim.allowed
    assert (claim.approval.id, claim.approval.state) == (waiting.id, "used")
    assert asked_for(store).id != waiting.id
    assert events(store) == [("asked", ""), ("granted", "kim"), ("used", ""), ("asked", "")]


@pytest.mark.parametrize(
    "call",
    [
        other(digest="sha256:b"),
        other(identity="u-2"),
        other(route="billing"),
        other(tool="wipe"),
        other(team="finance"),
    ],
)
def test_an_approval_is_of_one_call_of_one_identity(
    store: ApprovalStore, call: ApprovalAsked
) -> None:
    store.grant(asked_for(store).id, by="kim", team="legal")
    assert not store.claim(call).allowed
    assert store.claim(ASKED).allowed


def test_any_arguments_are_covered_only_where_the_grant_says_so(store: ApprovalStore) -> None:
    store.grant(asked_for(store).id, by="kim", team="legal", any_arguments=True)
    assert not store.claim(other(identity="u-2")).allowed
    assert store.claim(other(digest="sha256:b")).allowed
    assert not store.claim(other(digest="sha256:b")).allowed
    assert not store.claim(ASKED).allowed


@pytest.mark.parametrize(("after_s", "allowed"), [(599.999, True), (600.0, False), (9e6, False)])
def test_an_approval_expires(
    store: ApprovalStore, time: Time, after_s: float, allowed: bool
) -> None:
    waiting = asked_for(store)
    store.grant(waiting.id, by="kim", team="legal")
    time.pass_(after_s)
    claim = store.claim(ASKED)
    assert claim.allowed is allowed
    if not allowed:
        assert (claim.approval.id, claim.approval.state) == (waiting.id, "pending")
        assert events(store)[-1] == ("expired", "")
        store.grant(waiting.id, by="kim", team="legal", expires_s=1.0)
        assert store.claim(ASKED).allowed


def test_one_that_expired_covers_no_other_arguments(store: ApprovalStore, time: Time) -> None:
    store.grant(asked_for(store).id, by="kim", team="legal", any_arguments=True, expires_s=5.0)
    time.pass_(5.0)
    assert not store.claim(other(digest="sha256:b")).allowed
    assert [each.state for each in store.all()] == ["pending", "pending"]


def test_a_denied_call_stays_denied(store: ApprovalStore, time: Time) -> None:
    waiting = asked_for(store)
    store.deny(waiting.id, by="kim", team="legal", reason="no ticket")
    time.pass_(9e6)
    denied = asked_for(store)
    assert (denied.id, denied.state, denied.reason) == (waiting.id, "denied", "no ticket")


def test_a_no_stands_against_an_approval_of_any_arguments(store: ApprovalStore) -> None:
    denied, wide = asked_for(store), asked_for(store, other(digest="sha256:b"))
    store.grant(wide.id, by="kim", team="legal", any_arguments=True)
    store.deny(denied.id, by="kim", team="legal", reason="not this one")
    assert asked_for(store).state == "denied"
    assert store.claim(other(digest="sha256:c")).allowed


def test_a_denial_is_taken_back_by_granting_the_request(store: ApprovalStore) -> None:
    waiting = asked_for(store)
    store.deny(waiting.id, by="kim", team="legal", reason="no ticket")
    store.grant(waiting.id, by="lee", team="legal")
    assert store.claim(ASKED).allowed
    assert [event for event, _ in events(store)] == ["asked", "denied", "granted", "used"]


def test_a_grant_that_no_call_used_can_be_denied_again(store: ApprovalStore) -> None:
    waiting = asked_for(store)
    store.grant(waiting.id, by="kim", team="legal", any_arguments=True)
    store.deny(waiting.id, by="kim", team="legal", reason="on second thought")
    assert not store.claim(ASKED).allowed
    assert not store.claim(other(digest="sha256:b")).allowed


def test_only_the_team_that_was_asked_decides(store: ApprovalStore) -> None:
    waiting = asked_for(store)
    with pytest.raises(UsageError, match="is for legal to decide, not for sales"):
        store.grant(waiting.id, by="kim", team="sales")
    with pytest.raises(UsageError, match="is for legal to decide"):
        store.deny(waiting.id, by="kim", team="sales", reason="no")
    assert store.all() == (waiting,)


@pytest.mark.parametrize(("expires_s", "taken"), [(600.0, True), (600.001, False)])
def test_nobody_grants_for_longer_than_the_route_lets_them(
    store: ApprovalStore, expires_s: float, taken: bool
) -> None:
    waiting = asked_for(store)
    if taken:
        store.grant(waiting.id, by="kim", team="legal", expires_s=expires_s)
        return
    with pytest.raises(UsageError, match="for at most 600 s"):
        store.grant(waiting.id, by="kim", team="legal", expires_s=expires_s)


def test_what_was_decided_is_not_decided_again_by_mistake(store: ApprovalStore) -> None:
    waiting = asked_for(store)
    store.grant(waiting.id, by="kim", team="legal")
    with pytest.raises(UsageError, match="granted by kim already"):
        store.grant(waiting.id, by="lee", team="legal")
    store.claim(ASKED)
    with pytest.raises(UsageError, match="and used at"):
        store.grant(waiting.id, by="lee", team="legal")
    with pytest.raises(UsageError, match="and used at"):
        store.deny(waiting.id, by="lee", team="legal", reason="no")
    second = asked_for(store)
    store.deny(second.id, by="kim", team="legal", reason="no")
    with pytest.raises(UsageError, match="denied by kim already: no"):
        store.deny(second.id, by="lee", team="legal", reason="no")


def test_a_decision_that_cannot_be_told_is_not_made(store: ApprovalStore) -> None:
    waiting = asked_for(store)

    def refuse(approval: Approval) -> None:
        raise StoreError("the audit log is full")

    with pytest.raises(StoreError, match="full"):
        store.grant(waiting.id, by="kim", team="legal", tell=refuse)
    with pytest.raises(StoreError, match="full"):
        store.deny(waiting.id, by="kim", team="legal", reason="no", tell=refuse)
    assert store.all() == (waiting,)


def test_ids_are_found_by_a_unique_beginning(store: ApprovalStore) -> None:
    first, second = asked_for(store), asked_for(store, other(tool="wipe"))
    assert store.find(first.id) == first
    with pytest.raises(UsageError, match="the beginning of several"):
        store.find("ap-")
    for wrong in ("", "ap-zz", "%"):
        with pytest.raises(UsageError, match="there is no approval"):
            store.find(wrong)
    assert second in store.all()


def test_one_approval_is_used_by_exactly_one_of_many_sessions(tmp_path: Path, time: Time) -> None:
    store = ApprovalStore(tmp_path, now=time, busy_timeout_s=30.0)
    store.grant(asked_for(store).id, by="kim", team="legal")
    start, allowed = threading.Barrier(12), []

    def claim() -> None:
        own = ApprovalStore(tmp_path, now=time, busy_timeout_s=30.0)
        start.wait()
        allowed.append(own.claim(ASKED).allowed)

    threads = [threading.Thread(target=claim) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(allowed) == [False] * 11 + [True]
    assert [each.state for each in store.all()] == ["used", "pending"]


def test_a_locked_file_is_an_error_after_a_while(store: ApprovalStore, tmp_path: Path) -> None:
    asked_for(store)
    hasty = ApprovalStore(tmp_path, now=Time(), busy_timeout_s=0.01)
    holder = sqlite3.connect(store.path, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process keeps them locked"):
            hasty.claim(ASKED)
        with pytest.raises(StoreError, match="another process keeps them locked"):
            hasty.all()
    finally:
        holder.close()


@pytest.mark.parametrize(
    "content", [b"no database at all, only text" * 50, b"SQLite format 3\0bad"]
)
def test_a_damaged_file_is_an_error_and_stays(tmp_path: Path, content: bytes) -> None:
    store = ApprovalStore(tmp_path, now=Time())
    store.path.parent.mkdir()
    store.path.write_bytes(content)
    for act in (lambda: store.claim(ASKED), store.all):
        with pytest.raises(StoreError, match=r"damaged|disk"):
            act()
    assert store.path.read_bytes() == content


def test_a_row_that_cannot_be_read_is_an_error(store: ApprovalStore) -> None:
    waiting = asked_for(store)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("UPDATE approvals SET arguments = '[1'")
    with pytest.raises(StoreError, match="are damaged"):
        store.find(waiting.id)


def test_a_file_of_a_newer_evalkit_is_left_alone(store: ApprovalStore) -> None:
    asked_for(store)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer evalkit"):
        store.claim(ASKED)


def test_the_file_is_its_owner_s_alone(store: ApprovalStore) -> None:
    asked_for(store)
    assert store.path.stat().st_mode & 0o077 == 0
