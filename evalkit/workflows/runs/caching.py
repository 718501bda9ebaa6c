"""The reply cache of a run, opened as the request asks for it and closed again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalkit.ports import Cache
from evalkit.records.call import Reply
from evalkit.store.cache import ReplyCache
from evalkit.workflows.setup.request import RunRequest


@contextmanager
def open_cache(root: Path, request: RunRequest) -> Iterator[Cache | None]:
    """The project's cache; none for `off`, one that only stores for `refresh`.

    Raises StoreError.
    """
    if request.cache == "off":
        yield None
        return
    with ReplyCache(root) as cache:
        yield _Refresh(cache) if request.cache == "refresh" else cache


class _Refresh:
    """A cache that forgets: everything is asked again, and stored."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def get(self, key: str) -> Reply | None:
        return None

    def put(self, key: str, reply: Reply) -> None:
        self._cache.put(key, reply)
