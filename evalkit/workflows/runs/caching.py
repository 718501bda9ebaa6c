"""The reply cache of a run, opened as the request asks for it and closed again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalkit.ports import Cache
from evalkit.store.cache import ForgetfulCache, ReplyCache
from evalkit.workflows.setup.request import RunRequest


@contextmanager
def open_cache(root: Path, request: RunRequest) -> Iterator[Cache | None]:
    """The project's cache; none for `off` and for a drill, one that only stores for `refresh`.

    Raises StoreError.
    """
    if request.cache == "off" or request.faults:
        yield None
        return
    with ReplyCache(root) as cache:
        yield ForgetfulCache(cache) if request.cache == "refresh" else cache
