"""Embeddings on disk: kept, whole, and never a reason to crash."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from evalkit.errors import StoreError
from evalkit.store.vectors import VectorCache


def test_what_was_put_is_there_in_another_process_too(tmp_path: Path) -> None:
    first = VectorCache(tmp_path)
    first.put({f"k{number}": bytes([number % 256]) for number in range(1200)})
    first.close()
    again = VectorCache(tmp_path)
    found = again.get([f"k{number}" for number in range(1201)])
    again.close()
    assert len(found) == 1200 and found["k7"] == b"\x07"


def test_it_lies_in_the_private_folder_that_git_ignores(tmp_path: Path) -> None:
    VectorCache(tmp_path).close()
    assert (tmp_path / ".evalkit/cache/embeddings.sqlite3").is_file()
    assert (tmp_path / ".evalkit/.gitignore").is_file()


def test_a_row_that_was_changed_is_as_good_as_none(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    cache.put({"a": b"one", "b": b"two"})
    cache.close()
    with closing(sqlite3.connect(cache.path, isolation_level=None)) as connection:
        connection.execute("UPDATE vectors SET vector = x'00' WHERE key = 'a'")
    again = VectorCache(tmp_path)
    assert dict(again.get(["a", "b"])) == {"b": b"two"}
    again.close()


def test_a_damaged_file_is_a_store_error_that_says_what_to_do(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    cache.close()
    cache.path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="remove the file"):
        VectorCache(tmp_path)


def test_a_file_of_a_newer_evalkit_is_refused(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    cache.close()
    with closing(sqlite3.connect(cache.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(StoreError, match="newer evalkit"):
        VectorCache(tmp_path)
