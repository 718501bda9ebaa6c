"""A page of text for a terminal, or for a file or pipe that is none.

Rich wraps, measures wide characters and colours; there are no boxes, so a page reads the same in a
log. On a `Screen` without colour not one control character is written.
"""

import io
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

import msgspec

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

NARROWEST, WIDEST, LOG_WIDTH = 40, 110, 100
_ROOMY = 72


class Screen(msgspec.Struct, frozen=True):
    """Where a page goes: `width` columns, with or without colour."""

    width: int = 80
    color: bool = False

    @property
    def gap(self) -> int:
        """Blanks between the columns of a table."""
        return 2 if self.width >= _ROOMY else 1

    def console(self, terminal: TextIO | None = None) -> "Console":
        """A rich console that takes nothing from the environment; without `terminal` it writes to
        memory."""
        from rich.console import Console

        return Console(
            file=terminal or io.StringIO(),
            width=self.width,
            force_terminal=self.color or terminal is not None,
            color_system="standard" if self.color else None,
            no_color=not self.color,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            _environ={},
        )


def screen_of(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Screen:
    """The screen behind a stream.

    COLUMNS sets the width, else the terminal does; a log has 100 columns. NO_COLOR and TERM=dumb
    switch colour off, FORCE_COLOR switches it on for a stream that is no terminal.
    """
    terminal = stream.isatty()
    width = LOG_WIDTH
    if environ.get("COLUMNS", "").isdecimal():
        width = int(environ["COLUMNS"])
    elif terminal:
        try:
            width = os.get_terminal_size(stream.fileno()).columns
        except (OSError, ValueError):
            width = 80
    color = (terminal and environ.get("TERM") != "dumb") or bool(environ.get("FORCE_COLOR"))
    if environ.get("NO_COLOR"):
        color = False
    return Screen(width=max(NARROWEST, min(WIDEST, width)), color=color)


class Page:
    """Lines that are put together and rendered once."""

    def __init__(self, screen: Screen) -> None:
        """An empty page."""
        self.screen = screen
        self._console = screen.console()
        self._lines: list[Text | Table] = []

    def line(self, text: "Text | str" = "", *, indent: int = 0, hang: int = 0) -> None:
        """A paragraph, wrapped; its further lines stand `hang` columns deeper."""
        self.labelled("", text, indent=indent, width=0, hang=hang)

    def literal(self, text: "Text | str", *, indent: int = 0) -> None:
        """A line to copy, such as a command or a path: never wrapped."""
        self._lines.append(styled(" " * indent).append_text(styled(text)))

    def labelled(
        self,
        label: str,
        text: "Text | str",
        *,
        indent: int = 2,
        width: int = 10,
        hang: int = 0,
        style: str = "dim",
    ) -> None:
        """A label in a column of `width`, and beside it a text that wraps within its own column."""
        room = max(20, self.screen.width - indent - width - hang)
        for number, part in enumerate(self._wrapped(styled(text), room)):
            head = styled(" " * indent)
            if number == 0:
                head.append(label.ljust(width), style=style)
            else:
                head.append(" " * (width + hang))
            self._lines.append(head.append_text(part))

    def _wrapped(self, text: "Text", room: int) -> "Sequence[Text]":
        """The text in lines of `room` columns; most fit as they are, and wrapping is slow."""
        if "\n" in text.plain or "\t" in text.plain or text.cell_len > room:
            return list(text.wrap(self._console, room, tab_size=4))
        return [text]

    def table(
        self,
        header: Sequence[str],
        rows: "Sequence[Sequence[Text | str]]",
        *,
        indent: int = 2,
        folds: bool = False,
    ) -> None:
        """Columns without borders: the first to the left, the rest to the right.

        Only the first gives way where there is no room, or every one with `folds`.
        """
        from rich.padding import Padding
        from rich.table import Table

        grid = Table(
            box=None, padding=(0, self.screen.gap, 0, 0), pad_edge=False, header_style="dim"
        )
        for index, name in enumerate(header):
            grid.add_column(
                name,
                justify="right" if index else "left",
                overflow="fold",
                no_wrap=bool(index) and not folds,
            )
        for row in rows:
            grid.add_row(*(styled(cell) for cell in row))
        self._lines.append(Padding(grid, (0, 0, 0, indent)))  # type: ignore[arg-type]

    def text(self) -> str:
        """The page. Lines have no blanks at their end; one newline ends it."""
        from rich.text import Text

        lines: list[str] = []
        for each in self._lines:
            if isinstance(each, Text) and not self.screen.color:
                lines.append(each.plain.rstrip())
                continue
            with self._console.capture() as capture:
                self._console.print(each, soft_wrap=isinstance(each, Text))
            lines += [line.rstrip() for line in capture.get().rstrip("\n").split("\n")]
        return "\n".join(lines).strip("\n") + "\n"


def styled(text: "Text | str", style: str = "") -> "Text":
    """Text in a style that what is appended does not inherit; a Text is taken as it is."""
    from rich.text import Text

    return Text().append(text, style or None) if isinstance(text, str) else text
