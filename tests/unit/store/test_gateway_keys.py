"""Keys of the gateway in their file, and as a gateway remembers them."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evalkit.errors import StoreError, UsageError
from evalkit.records.gateway_key import GatewayKey
from evalkit.records.ledger import KeyCaps
from evalkit.store.gateway_keys import GatewayKeys
from evalkit.store.key_cache import KeyCache

START = datetime(2026, 1, 1, tzinfo=UTC)


class Time:
    """The time of day and seconds, which a test moves."""

    def __init__(self) -> None:
        self.s = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.s)

    def monotonic(self) -> float:
        return self.s


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def keys(tmp_path: Path, time: Time) -> GatewayKeys:
    return GatewayKeys(tmp_path, now=time.now)


def cached(find: Callable[[str], GatewayKey | None], time: Time, most: int = 10) -> KeyCache:
    return KeyCache(find, now=time.now, monotonic=time.monotonic, most=most)


def test_a_key_is_found_with_all_that_is_known_of_it(keys: GatewayKeys) -> None:
    key, known = keys.add(user="u1", routes=["a"], caps=KeyCaps(5.0, None, "month"))
    assert keys.find(key) == known
    assert known.caps == KeyCaps(5.0, None, "month")
    assert known.may_use("a")
    assert not known.may_use("b")


def test_a_key_for_metrics_opens_no_route(keys: GatewayKeys) -> None:
    _, known = keys.add(purpose="metrics")
    assert not known.may_use("a")


def test_the_file_holds_no_secret(keys: GatewayKeys) -> None:
    key, _ = keys.add(user="u1")
    assert key.split("-", 2)[2].encode() not in keys.path.read_bytes()
    assert keys.path.stat().st_mode & 0o077 == 0


def test_an_expired_key_opens_nothing(keys: GatewayKeys, time: Time) -> None:
    key, _ = keys.add(expires_in=timedelta(days=30))
    time.s = 30 * 86_400 - 1
    assert keys.find(key) is not None
    time.s += 1
    assert keys.find(key) is None


@pytest.mark.parametrize("sent", ["", "ek-", "ek-0123456789-short", "Bearer x", "ek-\ud800"])
def test_what_is_no_key_is_not_looked_for(keys: GatewayKeys, sent: str) -> None:
    assert keys.find(sent) is None
    assert not keys.path.exists()


def test_an_ambiguous_or_unknown_id_is_refused(keys: GatewayKeys) -> None:
    keys.add()
    with pytest.raises(UsageError, match="no key with an id that begins with 'zz'"):
        keys.revoke("zz")
    with pytest.raises(UsageError, match="no key"):
        keys.revoke("")


def test_a_newer_file_is_refused(keys: GatewayKeys) -> None:
    key, _ = keys.add()
    with sqlite3.connect(keys.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer evalkit"):
        keys.find(key)


def test_a_gateway_asks_the_file_once_a_second_and_notices_a_revocation(
    keys: GatewayKeys, time: Time
) -> None:
    key, known = keys.add()
    asked: list[str] = []

    def find(sent: str) -> GatewayKey | None:
        asked.append(sent)
        return keys.find(sent)

    cache = cached(find, time)
    assert cache.find(key) == cache.find(key) == known
    assert len(asked) == 1
    keys.revoke(known.id)
    time.s = 0.99
    assert cache.find(key) == known
    time.s = 1.0
    assert cache.find(key) is None
    assert cache.find(key) is None
    assert len(asked) == 2


def test_expiry_is_kept_to_the_second_by_what_is_remembered(keys: GatewayKeys, time: Time) -> None:
    key, known = keys.add(expires_in=timedelta(seconds=10))
    cache = KeyCache(keys.find, now=time.now, monotonic=lambda: 0.0)
    assert cache.find(key) == known
    time.s = 10
    assert cache.find(key) is None


def test_keys_that_are_none_do_not_fill_the_memory(time: Time) -> None:
    asked: list[str] = []
    cache = cached(lambda sent: asked.append(sent), time, most=2)
    for sent in ("a", "b", "c", "a"):
        assert cache.find(sent) is None
    assert asked == ["a", "b", "c", "a"]
