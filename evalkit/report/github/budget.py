"""Blocks of Markdown up to a size: what does not fit is left out whole, and counted."""

from collections.abc import Callable
from dataclasses import dataclass, field


def utf16_units(text: str) -> int:
    """Its length as the strictest reader of "characters" counts: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf8_bytes(text: str) -> int:
    """Its length in a file."""
    return len(text.encode("utf-8", "surrogatepass"))


@dataclass(slots=True, kw_only=True)
class Budget:
    """Blocks that are joined with an empty line. `reserve` is kept for the note and the foot."""

    limit: int
    reserve: int
    measure: Callable[[str], int] = utf16_units
    blocks: list[str] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    _size: int = 0

    def add(self, block: str, *, lost: str) -> bool:
        """Add a block if it fits; else count it under the words `lost`."""
        size = self.measure(block) + 2
        if self._size + size > self.limit - self.reserve:
            self.lose(lost)
            return False
        self.blocks.append(block)
        self._size += size
        return True

    def lose(self, what: str, number: int = 1) -> None:
        """Count what was left out."""
        if number > 0:
            self.lost[what] = self.lost.get(what, 0) + number

    def text(self, foot: str, *, whole: str) -> str:
        """Everything, with a note of what was left out; `whole` says where all of it is."""
        note = []
        if self.lost:
            lost = ", ".join(f"{what} ({number:,})" for what, number in self.lost.items())
            note.append(f"> **Cut to fit in here.** Left out: {lost}. {whole}")
        return "\n\n".join([*self.blocks, *note, foot]) + "\n"
