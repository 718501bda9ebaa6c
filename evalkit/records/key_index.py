"""Numbers found by what they stand for, in 16 bytes each: for a million cases no dict would do."""

from array import array

_FIRST_SLOTS = 64
_EMPTY = -1


class KeyIndex:
    """Entries numbered from 0 in the order in which they were added, found by a 64-bit key.

    Keys are hashes, so whoever finds an entry has to see for himself that it is the right one.
    """

    __slots__ = ("_keys", "_mask", "_slots")

    def __init__(self) -> None:
        """Empty."""
        self._keys = array("q")
        self._slots = array("i", [_EMPTY]) * _FIRST_SLOTS
        self._mask = _FIRST_SLOTS - 1

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._keys)

    def add(self, key: int) -> int:
        """Add an entry. Returns its number."""
        number = len(self._keys)
        if 5 * number >= 3 * len(self._slots):
            self._grow()
        self._keys.append(key)
        self._put(key, number)
        return number

    def find(self, key: int) -> list[int]:
        """The entries with this key, in the order in which they were added."""
        slots, keys, mask = self._slots, self._keys, self._mask
        at = key & mask
        found = []
        while (number := slots[at]) != _EMPTY:
            if keys[number] == key:
                found.append(number)
            at = (at + 1) & mask
        return found

    def key(self, number: int) -> int:
        """The key of an entry."""
        return self._keys[number]

    def _put(self, key: int, number: int) -> None:
        slots, mask = self._slots, self._mask
        at = key & mask
        while slots[at] != _EMPTY:
            at = (at + 1) & mask
        slots[at] = number

    def _grow(self) -> None:
        self._slots = array("i", [_EMPTY]) * (2 * len(self._slots))
        self._mask = len(self._slots) - 1
        for number, key in enumerate(self._keys):
            self._put(key, number)
