"""The traces of a bundle found by the place of their attempt, in some 30 bytes each."""

from array import array
from pathlib import Path

import msgspec

from evalkit.records.attempt import Place
from evalkit.records.key_index import KeyIndex
from evalkit.records.run import TraceRecord
from evalkit.store.file_spans import FileSpans
from evalkit.store.journal import decode_line, placed_lines


class _Placed(msgspec.Struct):
    suite: str
    variant: str
    case: str
    trial: int


class TraceLines:
    """One trace a place, the last one that was journalled.

    Of every line the place is read when this is made. Raises StoreError.
    """

    def __init__(self, path: Path) -> None:
        """A file that is not there holds nothing."""
        self._path = path
        self._file = FileSpans(path)
        self._decoder = msgspec.json.Decoder(TraceRecord)
        self._starts = array("q", [0])
        self._index = KeyIndex()
        for end, line in placed_lines(path, msgspec.json.Decoder(_Placed), journal=True):
            self._index.add(hash((line.suite, line.variant, line.case, line.trial)))
            self._starts.append(end)

    def at(self, place: Place) -> TraceRecord | None:
        """The trace of the attempt at that place."""
        for number in reversed(self._index.find(hash(place))):
            raw = self._file.read(self._starts[number], self._starts[number + 1])
            trace = decode_line(raw, self._decoder, self._path, number + 1)
            if trace.place == place:
                return trace
        return None
