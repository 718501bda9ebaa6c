"""The reply cache: what was paid for once, kept whole or not at all."""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import StoreError
from evalkit.records.call import Reply
from evalkit.store.cache import ReplyCache

Build = Callable[..., Any]
INSERT = "INSERT INTO replies (key, reply, digest, measured_at) VALUES ('k1', ?, ?, '')"


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ReplyCache]:
    """An empty cache."""
    with ReplyCache(tmp_path) as cache:
        yield cache


def change(cache: ReplyCache, statement: str, *values: object) -> None:
    """Change the file behind the cache's back."""
    connection = sqlite3.connect(cache.path, isolation_level=None)
    try:
        assert connection.execute(statement, values).rowcount != 0
    finally:
        connection.close()


def test_a_reply_comes_back_as_it_was_stored(cache: ReplyCache, reply: Build) -> None:
    cache.put("k1", reply("naïve \n"))
    assert cache.get("k1") == reply("naïve \n")
    assert cache.get("k2") is None
    assert len(cache) == 1


def test_the_later_reply_of_a_key_stays(cache: ReplyCache, reply: Build) -> None:
    cache.put("k1", reply("first"))
    cache.put("k1", reply("second"))
    assert cache.get("k1") == reply("second")
    assert len(cache) == 1


def test_replies_outlive_the_process_that_stored_them(tmp_path: Path, reply: Build) -> None:
    with ReplyCache(tmp_path) as cache:
        cache.put("k1", reply())
    with ReplyCache(tmp_path) as cache:
        assert cache.get("k1") == reply()


def test_the_cache_is_private_state(cache: ReplyCache, tmp_path: Path) -> None:
    assert cache.path == tmp_path / ".evalkit" / "cache.sqlite3"
    assert (tmp_path / ".evalkit" / ".gitignore").exists()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE replies SET reply = substr(reply, 1, length(reply) - 1) WHERE key = 'k1'",
        "UPDATE replies SET reply = zeroblob(10) WHERE key = 'k1'",
        "UPDATE replies SET reply = x'' WHERE key = 'k1'",
        "UPDATE replies SET digest = x'00' WHERE key = 'k1'",
        "UPDATE replies SET form = 2 WHERE key = 'k1'",
        "UPDATE replies SET reply = (SELECT reply FROM replies WHERE key = 'k2'),"
        " digest = (SELECT digest FROM replies WHERE key = 'k2') WHERE key = 'k1'",
    ],
    ids=["cut", "zeroes", "empty", "digest", "another form", "another's reply"],
)
def test_a_damaged_row_is_dropped_and_can_be_stored_again(
    cache: ReplyCache, reply: Build, damage: str
) -> None:
    cache.put("k1", reply("one"))
    cache.put("k2", reply("two"))
    change(cache, damage)
    assert cache.get("k1") is None
    assert cache.dropped == 1
    assert len(cache) == 1
    assert cache.get("k2") == reply("two")
    cache.put("k1", reply("again"))
    assert cache.get("k1") == reply("again")


def test_a_row_of_another_evalkit_is_dropped(tmp_path: Path, reply: Build) -> None:
    with ReplyCache(tmp_path) as cache:
        raw = b'{"content":"x","colour":"red"}'
        digest = hashlib.sha256(b"k1\0" + raw).digest()
        change(cache, INSERT, raw, digest)
        assert cache.get("k1") is None
        assert cache.dropped == 1


def test_a_newer_cache_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with ReplyCache(tmp_path) as cache:
        path = cache.path
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA user_version = 3")
    connection.close()
    with pytest.raises(StoreError, match=r"newer evalkit \(version 3; .* upgrade evalkit"):
        ReplyCache(tmp_path)


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_file_that_is_no_database_is_refused_with_what_to_do(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / ".evalkit").mkdir()
    (tmp_path / ".evalkit" / "cache.sqlite3").write_bytes(content)
    with pytest.raises(StoreError, match=r"cache\.sqlite3: is damaged .* remove it"):
        ReplyCache(tmp_path)


def test_an_empty_file_becomes_a_cache(tmp_path: Path, reply: Build) -> None:
    (tmp_path / ".evalkit").mkdir()
    (tmp_path / ".evalkit" / "cache.sqlite3").touch()
    with ReplyCache(tmp_path) as cache:
        cache.put("k1", reply())
        assert cache.get("k1") == reply()


def test_a_cache_that_somebody_writes_to_is_still_read(cache: ReplyCache, reply: Build) -> None:
    cache.put("k1", reply())
    writer = sqlite3.connect(cache.path, isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        assert cache.get("k1") == reply()
    finally:
        writer.close()


def test_a_locked_cache_is_an_error_after_a_short_wait(tmp_path: Path, reply: Build) -> None:
    with ReplyCache(tmp_path, busy_timeout_s=0.01) as cache:
        writer = sqlite3.connect(cache.path, isolation_level=None)
        try:
            writer.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="another process keeps it locked"):
                cache.put("k1", reply())
        finally:
            writer.close()
        cache.put("k1", reply())
        assert cache.get("k1") == reply()


def test_a_cache_that_stays_locked_is_waited_for_once(tmp_path: Path, reply: Build) -> None:
    with ReplyCache(tmp_path, busy_timeout_s=0.5) as cache:
        writer = sqlite3.connect(cache.path, isolation_level=None)
        try:
            writer.execute("BEGIN IMMEDIATE")
            taken = [_seconds_of_a_refusal(cache, reply()) for _ in range(3)]
        finally:
            writer.close()
        assert taken[0] >= 0.5 > taken[1] + taken[2]
        cache.put("k1", reply())
        writer = sqlite3.connect(cache.path, isolation_level=None)
        try:
            writer.execute("BEGIN IMMEDIATE")
            assert _seconds_of_a_refusal(cache, reply()) >= 0.5
        finally:
            writer.close()


def _seconds_of_a_refusal(cache: ReplyCache, reply: Reply) -> float:
    started = time.monotonic()
    with pytest.raises(StoreError, match="another process keeps it locked"):
        cache.put("k1", reply)
    return time.monotonic() - started


def test_a_cache_of_the_first_version_keeps_its_replies(tmp_path: Path, reply: Build) -> None:
    with ReplyCache(tmp_path) as cache:
        cache.put("k1", reply())
        for statement in (
            "DROP INDEX replies_by_use",
            "ALTER TABLE replies DROP COLUMN form",
            "ALTER TABLE replies DROP COLUMN used_at",
            "PRAGMA user_version = 1",
        ):
            change(cache, statement)
    with ReplyCache(tmp_path) as cache:
        assert cache.get("k1") == reply()
        cache.put("k2", reply())
        assert len(cache) == 2


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path, reply: Build) -> None:
    now = [0.0]
    text = "x" * 3_000
    with ReplyCache(tmp_path, max_bytes=1_000_000, now=lambda: now[0]) as cache:
        for number in range(1_000):
            now[0] += 3_600
            cache.put(f"k{number}", reply(text))
            assert cache.get("k0") == reply(text)  # in use all the time
        assert 150 < len(cache) < 330
        assert cache.get("k1") is None
        assert cache.get("k999") == reply(text)
        assert cache.path.stat().st_size < 1_300_000


def test_uses_are_known_to_the_next_process(tmp_path: Path, reply: Build) -> None:
    for moment, act in ((10_000.0, "put"), (20_000.0, "get")):
        with ReplyCache(tmp_path, now=lambda at=moment: at) as cache:  # type: ignore[misc]
            if act == "put":
                cache.put("old", reply("x" * 900))
                cache.put("new", reply("x" * 900))
            else:
                assert cache.get("old") is not None
    with ReplyCache(tmp_path, now=lambda: 20_001.0) as cache:
        count, size = cache.prune(before=None, max_bytes=2_000)
        assert (count, size > 900) == (1, True)
        assert cache.get("old") is not None
        assert cache.get("new") is None


def test_two_processes_that_evict_keep_what_they_use(tmp_path: Path, reply: Build) -> None:
    with (
        ReplyCache(tmp_path, max_bytes=400_000) as one,
        ReplyCache(tmp_path, max_bytes=400_000) as two,
    ):
        for number in range(300):
            one.put(f"a{number}", reply("x" * 3_000))
            two.put(f"b{number}", reply("x" * 3_000))
        assert one.get("b299") == two.get("b299") == reply("x" * 3_000)
        assert 60 < len(one) < 140


def test_a_damaged_row_is_no_answer_where_it_cannot_be_removed(
    tmp_path: Path, reply: Build
) -> None:
    with ReplyCache(tmp_path, busy_timeout_s=0.01) as cache:
        cache.put("k1", reply())
        change(cache, "UPDATE replies SET digest = x'00'")
        writer = sqlite3.connect(cache.path, isolation_level=None)
        try:
            writer.execute("BEGIN IMMEDIATE")
            assert cache.get("k1") is None
            assert cache.get("k1") is None
        finally:
            writer.close()
        assert cache.dropped == 1


def test_a_closed_cache_can_be_closed_again(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path)
    cache.close()
    cache.close()
