"""A desk whose keys are written down beforehand."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from evalkit.report.labelling import ItemView, Panel
from evalkit.report.screen import Screen

END = "q"


class ScriptedDesk:
    """Answers with `keys`, then quits; a key may be a function of what is on the screen.

    `views` and `panels` are what was shown.
    """

    def __init__(self, *keys: str | Callable[[ItemView], str], lines: tuple[str, ...] = ()) -> None:
        self._keys: Iterator[str | Callable[[ItemView], str]] = iter(keys)
        self._lines = iter(lines)
        self.views: list[ItemView] = []
        self.panels: list[Panel] = []

    def ask(self, view: ItemView) -> str:
        self.views.append(view)
        key = next(self._keys, END)
        return key if isinstance(key, str) else key(view)

    def end(self, total: int) -> str:
        key = next(self._keys, END)
        assert isinstance(key, str)
        return key

    def read(self, render: Callable[[Screen], Panel]) -> None:
        self.panels.append(render(Screen()))

    def line(self, prompt: str) -> str:
        return next(self._lines, "")

    @property
    def outputs(self) -> list[object]:
        """The outputs in the order in which they were shown."""
        return [view.subject.output for view in self.views]


def noon() -> datetime:
    """Now."""
    return datetime(2026, 5, 4, 12, tzinfo=UTC)
