"""A cache that is damaged: put aside, begun anew, told once, and never a wrong answer."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.store.cache import ReplyCache, set_aside
from evalkit.store.cache_ways import ForgetfulCache, RunCache

Build = Callable[..., Any]
KEYS = 40


@pytest.fixture
def stored(tmp_path: Path, reply: Build) -> Path:
    """The file of a cache with some replies, closed."""
    with ReplyCache(tmp_path) as cache:
        for number in range(KEYS):
            cache.put(f"k{number}", reply(f"answer {number} " * 40))
    return cache.path


@pytest.mark.parametrize("seed", range(60))
def test_no_flipped_byte_becomes_an_answer_or_an_error(
    stored: Path, tmp_path: Path, reply: Build, seed: int
) -> None:
    chance = random.Random(seed)
    content = bytearray(stored.read_bytes())
    for _ in range(1 if seed % 2 else 200):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    if seed % 7 == 0:
        content[:100] = chance.randbytes(100)
    # a version that says that a newer evalkit wrote it is refused, not repaired
    content[60:64] = (2).to_bytes(4, "big")
    stored.write_bytes(content)
    _check(tmp_path, reply)


@pytest.mark.parametrize("left", [0, 1, 15, 50, 100, 4_000, 4_096, 5_000, 9_000, 20_000])
def test_a_file_that_was_cut_is_no_error(
    stored: Path, tmp_path: Path, reply: Build, left: int
) -> None:
    stored.write_bytes(stored.read_bytes()[:left])
    _check(tmp_path, reply)


def _check(root: Path, reply: Build) -> None:
    cache = RunCache(root)
    for number in range(KEYS):
        assert cache.get(f"k{number}") in (None, reply(f"answer {number} " * 40))
        cache.put(f"k{number}", reply(f"answer {number} " * 40))
    cache.close()
    cache = RunCache(root)
    for number in range(KEYS):
        assert cache.get(f"k{number}") in (None, reply(f"answer {number} " * 40))
    cache.put("new", reply())
    assert cache.get("new") == reply()
    cache.close()


def test_damage_is_told_once_and_the_damaged_file_is_kept(
    stored: Path, tmp_path: Path, reply: Build
) -> None:
    stored.write_bytes(b"no database at all" * 500)
    cache = RunCache(tmp_path)
    assert cache.get("k1") is None
    (note,) = cache.notes
    assert "it is now cache.sqlite3.damaged" in note
    cache.close()
    assert stored.with_name("cache.sqlite3.damaged").read_bytes().startswith(b"no database")
    again = RunCache(tmp_path)
    assert again.notes == ()
    again.close()


def test_replies_that_are_no_good_are_counted(stored: Path, tmp_path: Path, reply: Build) -> None:
    connection = sqlite3.connect(stored, isolation_level=None)
    connection.execute("UPDATE replies SET reply = x'00' WHERE key IN ('k1', 'k2')")
    connection.close()
    cache = RunCache(tmp_path)
    assert cache.notes == ()
    assert [cache.get(key) for key in ("k1", "k2", "k1")] == [None] * 3
    assert cache.get("k3") == reply("answer 3 " * 40)
    assert cache.notes == (
        "2 stored replies were damaged or of another form: not used, and asked for again where "
        "needed",
    )
    cache.close()


def test_a_table_of_another_shape_is_damage(tmp_path: Path, reply: Build) -> None:
    (tmp_path / ".evalkit").mkdir()
    connection = sqlite3.connect(tmp_path / ".evalkit/cache.sqlite3", isolation_level=None)
    connection.execute("CREATE TABLE replies (key TEXT)")
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    cache = RunCache(tmp_path)
    assert cache.get("k1") is None
    cache.put("k1", reply())
    assert cache.get("k1") == reply()
    cache.close()


def test_the_file_that_took_a_damaged_ones_place_stays(stored: Path, tmp_path: Path) -> None:
    set_aside(tmp_path, stored.stat().st_ino + 1)
    with ReplyCache(tmp_path) as cache:
        assert len(cache) == KEYS


def test_a_cache_that_only_stores_replaces_what_is_there(tmp_path: Path, reply: Build) -> None:
    with ReplyCache(tmp_path) as cache:
        cache.put("k1", reply("old"))
        forgetful = ForgetfulCache(cache)
        assert forgetful.get("k1") is None
        forgetful.put("k1", reply("new"))
        assert cache.get("k1") == reply("new")
