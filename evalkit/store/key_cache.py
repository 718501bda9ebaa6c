"""Keys that a gateway saw a moment ago: what they stand for, without asking the file each time."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

from evalkit.records.gateway_key import GatewayKey

# A key that is revoked, or made, is noticed after so long at most.
KNOWN_S = 1.0
_MOST = 10_000


class KeyCache:
    """What `find` said, for `known_s`: also that a key is none. Expiry is looked at each time."""

    def __init__(
        self,
        find: Callable[[str], GatewayKey | None],
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        known_s: float = KNOWN_S,
        most: int = _MOST,
    ) -> None:
        """Remembers the `most` keys that were asked for last, by their digests."""
        self._find = find
        self._now = now
        self._monotonic = monotonic
        self._known_s = known_s
        self._most = most
        self._known: OrderedDict[bytes, tuple[float, GatewayKey | None]] = OrderedDict()

    def find(self, key: str) -> GatewayKey | None:
        """Whose key it is, as of `known_s` ago at most. Raises what `find` raises."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        at_s = self._monotonic()
        known = self._known.get(digest)
        if known is None or known[0] + self._known_s <= at_s:
            known = self._known[digest] = (at_s, self._find(key))
            self._known.move_to_end(digest)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        holder = known[1]
        if holder is None or not holder.expires_at:
            return holder
        now = self._now().astimezone(UTC).isoformat(timespec="seconds")
        return None if holder.ended(now) else holder
