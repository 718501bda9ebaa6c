"""The reply cache of a run, opened as the request asks for it and closed again."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from evalkit.config.model import Config
from evalkit.config.telemetry import size_of
from evalkit.ports import Cache
from evalkit.store.cache import MAX_BYTES
from evalkit.store.cache_ways import ForgetfulCache, RunCache
from evalkit.workflows.setup.request import RunRequest


@contextmanager
def open_cache(
    root: Path, request: RunRequest, *, note: Callable[[str], None] | None = None
) -> Iterator[Cache | None]:
    """The project's cache; none for `off` and for a drill, one that only stores for `refresh`.

    `note` is told once what was wrong with it. Raises StoreError.
    """
    if request.cache == "off" or request.faults:
        yield None
        return
    with closing(RunCache(root)) as cache:
        try:
            yield ForgetfulCache(cache) if request.cache == "refresh" else cache
        finally:
            if note is not None:
                for each in cache.notes:
                    note(each)


def limit_cache(cache: Cache | None, config: Config) -> None:
    """Hold a cache to the size that the configuration gives it."""
    size = config.retention.cache.max_size
    limited = cache.kept_in if isinstance(cache, ForgetfulCache) else cache
    if isinstance(limited, RunCache):
        limited.hold_to(MAX_BYTES if size is None else size_of(size))
