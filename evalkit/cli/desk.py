"""The desk that somebody labels at: single keys on a terminal, or lines from a pipe."""

import codecs
import os
import select
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TextIO

from evalkit.report.labelling import ItemView, Panel, render_end, render_item
from evalkit.report.screen import Screen, screen_of

try:
    import termios
    import tty
except ImportError:  # no such terminals on this system: lines it is
    termios = None  # type: ignore[assignment]

CLEAR = "\x1b[2J\x1b[3J\x1b[H"
_DOWN, _UP = frozenset({" ", "\x1b[B", "\x1b[6~"}), frozenset({"b", "\x1b[A", "\x1b[5~"})
_END = frozenset({"", "\x04"})  # end of input, Ctrl-D
_FEWEST = 3
_LOOK_S = 0.1


def open_desk(source: TextIO, shown: TextIO) -> "KeyDesk | LineDesk":
    """Keys where both are terminals, else lines."""
    if termios is not None and source.isatty() and shown.isatty():
        return KeyDesk(source.fileno(), shown)
    return LineDesk(source, shown)


class KeyDesk:
    """A terminal: one key does it, and what is too long for the screen scrolls."""

    def __init__(self, descriptor: int, shown: TextIO) -> None:
        """Keys come from `descriptor`, the screen is drawn on `shown`."""
        self._descriptor = descriptor
        self._shown = shown
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def ask(self, view: ItemView) -> str:
        """The key of `view` that was pressed."""
        return self._scroll(lambda screen: render_item(view, screen), view.keys)

    def end(self, total: int) -> str:
        """`u` for undo, else `q`, once all outputs were shown."""
        key = self._scroll(lambda screen: render_end(total, screen), ("u", "q", "\n"))
        return "u" if key == "u" else "q"

    def read(self, render: Callable[[Screen], Panel]) -> None:
        """Show a text until a key is pressed that does not scroll."""
        self._scroll(render, None)

    def line(self, prompt: str) -> str:
        """A line, edited as the terminal does it."""
        self._write(prompt)
        found = bytearray()
        while not found.endswith(b"\n"):
            piece = self._read(4096)
            if not piece:
                break
            found += piece
        return found.decode("utf-8", "replace").strip()

    def _scroll(self, render: Callable[[Screen], Panel], keys: Collection[str] | None) -> str:
        offset, drawn = 0, False
        while True:
            screen = screen_of(self._shown)
            panel = render(screen)
            room = self._room(panel)
            last = max(0, len(panel.body) - room)
            offset = min(offset, last)
            self._draw(panel, offset, room)
            if not drawn:
                # what was pressed before this was on the screen was not about it
                termios.tcflush(self._descriptor, termios.TCIFLUSH)
                drawn = True
            key = self._key()
            if key in _END:
                return "q"
            if key in _DOWN and offset < last:
                offset = min(last, offset + room)
            elif key in _UP and offset > 0:
                offset = max(0, offset - room)
            elif keys is None or key in keys:
                return key

    def _room(self, panel: Panel) -> int:
        """Lines that the body may take."""
        try:
            height = os.get_terminal_size(self._shown.fileno()).lines
        except (OSError, ValueError):
            height = 24
        return max(_FEWEST, height - len(panel.head) - len(panel.foot) - 3)

    def _draw(self, panel: Panel, offset: int, room: int) -> None:
        end = offset + room
        lines = [*panel.head, "", *panel.body[offset:end]]
        if len(panel.body) > room:
            last = min(end, len(panel.body))
            lines.append(f"-- lines {offset + 1}-{last} of {len(panel.body)}: space down, b up --")
        clear = "" if os.environ.get("TERM") == "dumb" else CLEAR
        self._write(clear + "\n".join([*lines, "", *panel.foot]) + "\n")

    def _key(self) -> str:
        """One key, or an escape sequence as a whole; empty at the end of input."""
        with self._single_keys():
            while True:
                piece = self._read(1)
                if not piece:
                    return ""
                if piece == b"\x1b":
                    return "\x1b" + "".join(self._rest())
                if key := self._decoder.decode(piece):
                    return key

    def _read(self, limit: int) -> bytes:
        """What was typed, once something was; nothing at the end of input."""
        # A read without end sleeps through a Ctrl-C that came just before it: the interpreter has
        # taken the signal, and looks at it when the read is over.
        while not select.select([self._descriptor], [], [], _LOOK_S)[0]:
            pass
        return os.read(self._descriptor, limit)

    def _rest(self) -> Iterator[str]:
        """What follows an escape at once."""
        while select.select([self._descriptor], [], [], 0.03)[0]:
            piece = os.read(self._descriptor, 1).decode("latin-1")
            yield piece
            if not piece or piece.isalpha() or piece == "~":
                return

    @contextmanager
    def _single_keys(self) -> Iterator[None]:
        """Keys without Enter and without an echo; Ctrl-C and Ctrl-Z work as ever."""
        before = termios.tcgetattr(self._descriptor)
        try:
            tty.setcbreak(self._descriptor, termios.TCSADRAIN)
            yield
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)

    def _write(self, text: str) -> None:
        self._shown.write(text)
        self._shown.flush()


class LineDesk:
    """A pipe or a file: a key a line (`n TEXT` for a note), everything written out in full."""

    def __init__(self, source: TextIO, shown: TextIO) -> None:
        """Lines come from `source`; what is asked goes to `shown`."""
        self._source = source
        self._shown = shown
        self._pending: str | None = None

    def ask(self, view: ItemView) -> str:
        """The next line that is a key of `view`; `q` at the end."""
        self._put(render_item(view, screen_of(self._shown)))
        words = {does: key for key, does in view.keys.items()}
        while line := self._source.readline():
            word, _, rest = line.strip().partition(" ")
            key = words.get(word.casefold(), word.casefold())
            if key == "n":
                self._pending = rest or None
            elif rest or key not in view.keys:
                self._shown.write(f"{line.strip()!r} is no key here\n")
                continue
            return key
        return "q"

    def end(self, total: int) -> str:
        """`u` where the next line says so."""
        self._put(render_end(total, screen_of(self._shown)))
        return "u" if self._source.readline().strip().casefold() in ("u", "undo") else "q"

    def read(self, render: Callable[[Screen], Panel]) -> None:
        """Write a text out."""
        self._put(render(screen_of(self._shown)))

    def line(self, prompt: str) -> str:
        """The text beside the key, else the next line."""
        found, self._pending = self._pending, None
        text = self._source.readline().strip() if found is None else found
        return text.encode("utf-8", "replace").decode()  # bytes that are no text come as halves

    def _put(self, panel: Panel) -> None:
        lines = [*panel.head, "", *panel.body, "", *panel.foot, ""]
        self._shown.write("\n".join(lines) + "\n")
        self._shown.flush()


def standard_desk() -> KeyDesk | LineDesk:
    """The desk at this command's own input; the screen is on stderr, so that stdout is a result."""
    return open_desk(sys.stdin, sys.stderr)
