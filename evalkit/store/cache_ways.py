"""How a cache is used: to store only, or so that damage to it stops nothing."""

from pathlib import Path

from evalkit.ports import Cache
from evalkit.records.call import Reply
from evalkit.store.cache import ReplyCache, file_of, set_aside
from evalkit.store.cache_errors import CacheDamaged, CacheReadOnly


class RunCache:
    """The project's cache, as a run uses it: one that is damaged is put aside and begun anew, one
    that can only be read is only read.

    That is told in `notes`. Raises StoreError as ReplyCache does, for damage the second time.
    """

    def __init__(self, root: Path) -> None:
        """Open it."""
        self._root = root
        self._renewed = False
        self._unstored = 0
        self._dropped = 0
        self._cache = self._open()

    def _open(self) -> ReplyCache:
        self._file = file_of(self._root)
        try:
            cache = ReplyCache(self._root)
        except CacheDamaged:
            set_aside(self._root, self._file)
            self._renewed = True
            cache = ReplyCache(self._root)
        self._file = file_of(self._root)
        return cache

    def _renew(self) -> None:
        """Go on with a new file. Raises what is being handled where this one was new already."""
        if self._renewed:
            raise
        self._renewed = True
        limit = self._cache.max_bytes
        self._dropped += self._cache.dropped
        self._cache.close()
        set_aside(self._root, self._file)
        self._cache = ReplyCache(self._root, max_bytes=limit)

    def hold_to(self, max_bytes: int) -> None:
        """How many bytes it may take from now on."""
        self._cache.max_bytes = max_bytes

    def get(self, key: str) -> Reply | None:
        """The stored reply, or None."""
        try:
            return self._cache.get(key)
        except CacheDamaged:
            self._renew()
            return self._cache.get(key)

    def put(self, key: str, reply: Reply) -> None:
        """Store a reply."""
        if self._unstored:
            self._unstored += 1
            return
        try:
            self._cache.put(key, reply)
        except CacheReadOnly:
            self._unstored = 1
        except CacheDamaged:
            self._renew()
            self._cache.put(key, reply)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was wrong with it, in words; nothing of a sound one."""
        notes = []
        if self._renewed:
            notes.append(
                f"the reply cache was damaged: it is now {self._cache.path.name}.damaged, and "
                "what it held was asked for again"
            )
        if self._unstored:
            replies = "1 reply was" if self._unstored == 1 else f"{self._unstored:,} replies were"
            notes.append(
                f"the reply cache {self._cache.path} can only be read: {replies} not stored, and "
                "will be asked for again"
            )
        dropped = self._dropped + self._cache.dropped
        if dropped:
            replies = "1 stored reply was" if dropped == 1 else f"{dropped:,} stored replies were"
            notes.append(
                f"{replies} damaged or of another form: not used, and asked for again where needed"
            )
        return tuple(notes)

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._cache.close()


class ForgetfulCache:
    """A cache that has nothing and keeps everything: all is asked anew, for later to read."""

    def __init__(self, cache: Cache) -> None:
        """`cache` keeps the replies."""
        self.kept_in = cache

    def get(self, key: str) -> Reply | None:
        """Nothing."""
        return None

    def put(self, key: str, reply: Reply) -> None:
        """Store a reply, in place of an older one."""
        self.kept_in.put(key, reply)
