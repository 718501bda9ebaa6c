"""List prices that were looked up once: `.evalkit/prices.json`, by a digest of the question."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from evalkit.store.files import write_whole
from evalkit.store.folder import PRIVATE, private_folder

FILE = "prices.json"
_KEPT = 500


class StoredPrices:
    """Answers by their questions; a file that cannot be read is as good as none."""

    def __init__(self, root: Path) -> None:
        """Of the project at `root`. Nothing is read before it is asked for."""
        self._root = root
        self._known: dict[str, Any] | None = None

    def get(self, question: tuple[str, ...]) -> tuple[bool, Any]:
        """Whether it was asked before, and the answer as JSON (None: there is no price)."""
        known = self._read()
        key = _digest(question)
        return key in known, known.get(key)

    def put(self, question: tuple[str, ...], answer: Any) -> None:
        """Store an answer. Raises StoreError."""
        known = self._read() | {_digest(question): answer}
        # the oldest were asked at days long past, and can be asked again
        self._known = dict(list(known.items())[-_KEPT:])
        write_whole(private_folder(self._root) / FILE, msgspec.json.encode(self._known))

    def _read(self) -> dict[str, Any]:
        if self._known is None:
            try:
                raw = (self._root / PRIVATE / FILE).read_bytes()
                self._known = msgspec.json.decode(raw, type=dict[str, Any])
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                self._known = {}
        return self._known


def _digest(question: tuple[str, ...]) -> str:
    return hashlib.sha256(msgspec.json.encode(question)).hexdigest()
