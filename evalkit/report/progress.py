"""Progress of a run on stderr: a live display on a terminal, plain lines elsewhere, or nothing."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from evalkit.ports import Clock, EventSink
from evalkit.records.event import (
    Event,
    JudgingStarted,
    JudgmentMade,
    RunEnded,
    RunEscalating,
    RunNoted,
    RunStarted,
    RunStopping,
)
from evalkit.report.figures import count, duration
from evalkit.report.screen import Screen, screen_of, styled
from evalkit.report.tally import Tally
from evalkit.report.untrusted import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_LINES = 10
_LINE_PAUSE_S = 10.0
_SHORTEST_PAUSE_S = 1.0
_REFRESHES_PER_S = 8
_BAR = 24
_DRAWN_AT_ONCE = RunStarted | JudgingStarted | RunStopping | RunEnded


@contextmanager
def progress_display(
    stream: TextIO,
    *,
    clock: Clock,
    quiet: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[EventSink]:
    """A sink for a run's events that shows them on `stream`, closed whatever the run ends with.

    `quiet` shows nothing. A terminal that can move its cursor gets a live display, which is gone
    when the run has ended; anything else gets a line every tenth of the run or every ten seconds.
    """
    if quiet:
        yield _nothing
    elif stream.isatty() and environ.get("TERM") != "dumb":
        with live_progress(stream, clock=clock, screen=screen_of(stream, environ)) as sink:
            yield sink
    else:
        yield LineProgress(stream, clock)


def _nothing(event: Event) -> None:
    pass


class LineProgress:
    """Plain lines: at the start, every ~10 % or ~10 s whichever comes first, and at the end.

    Never more than one a second: a run that takes no time needs no progress.
    """

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        """Write to `stream`; a stream that is closed or full ends the lines, not the run."""
        self._stream = stream
        self._tally = Tally(clock)
        self._clock = clock
        self._shown_part = 0
        self._shown_s = 0.0

    def __call__(self, event: Event) -> None:
        """Take one event."""
        self._tally.take(event)
        if isinstance(event, RunStarted):
            kept = f", {self._tally.kept_words()}" if event.done else ""
            self._write(f"running {count(event.attempts, 'attempt')}{kept}")
            self._mark()
        elif isinstance(event, RunStopping):
            self._write(self._tally.stopping_words())
        elif isinstance(event, RunEscalating):
            self._write(escalating_line(event))
        elif isinstance(event, RunNoted):
            self._write(event.message)
        elif isinstance(event, RunEnded):
            self._write(end_line(self._tally))
        elif isinstance(event, JudgingStarted):
            self._write(f"judging {count(event.questions, 'output')}")
            self._mark()
        elif isinstance(event, JudgmentMade) and not self._tally.judging:
            self._write(judged_line(self._tally))
            self._mark()
        elif self._due():
            self._write(progress_line(self._tally))
            self._mark()

    def _due(self) -> bool:
        if self._tally.made >= self._tally.attempts and not self._tally.judging:
            return False  # the last line says it
        pause_s = self._clock.monotonic() - self._shown_s
        further = self._part() > self._shown_part and pause_s >= _SHORTEST_PAUSE_S
        return further or pause_s >= _LINE_PAUSE_S

    def _part(self) -> int:
        """How many tenths of the run are done; in integers, so that none is missed."""
        if self._tally.judging:
            return int(_LINES * self._tally.judging_share)
        return _LINES * self._tally.made // max(1, self._tally.attempts)

    def _mark(self) -> None:
        self._shown_part = self._part()
        self._shown_s = self._clock.monotonic()

    def _write(self, line: str) -> None:
        try:
            self._stream.write(one_line(line) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass  # progress that nobody can read must not stop a run


def progress_line(tally: Tally) -> str:
    """'240/800 (30 %): 120 cases; baseline 78.3 %, …'; of judges '12/36 judged (33 %): …'."""
    if tally.judging:
        told = (tally.trouble_words(), tally.spent_words(), tally.left_words())
        share = f"({100 * tally.judging_share:.0f} %)"
        words = "; ".join(each for each in told if each)
        return f"{tally.judged:,}/{tally.questions:,} judged {share}: {words}"
    parts = [
        tally.kept_words(),
        _case_words(tally),
        tally.rate_words(),
        tally.trouble_words(),
        tally.spent_words(),
        tally.left_words(),
    ]
    words = "; ".join(part for part in parts if part)
    return f"{tally.made:,}/{tally.attempts:,} ({100 * tally.share:.0f} %): {words}"


def _case_words(tally: Tally) -> str:
    """'16 cases'; of a resumed run '16 more cases', because its first part's are not known here."""
    words = count(tally.cases, "case")
    return words.replace(" ", " more ", 1) if tally.done else words


def end_line(tally: Tally) -> str:
    """How much was made in how long, and why it stopped if it did."""
    kept = f" ({tally.kept_words()})" if tally.done else ""
    stopped = f", stopped: {tally.reason}" if tally.reason else ""
    trouble = f"; {tally.trouble_words()}" if tally.trouble_words() else ""
    return (
        f"{tally.made:,} of {tally.attempts:,} attempts{kept} in {duration(tally.elapsed_s)}"
        f"{stopped}; {tally.spent_words()}{trouble}"
    )


def judged_line(tally: Tally) -> str:
    """How many outputs were judged in how long, and what was spent by then."""
    trouble = f"; {tally.trouble_words()}" if tally.trouble_words() else ""
    number = count(tally.questions, "output")
    if tally.judging:  # it ended early
        number = f"{tally.judged:,} of {number}"
    return f"judged {number} in {duration(tally.judging_s)}; {tally.spent_words()}{trouble}"


def escalating_line(event: RunEscalating) -> str:
    """Which suites are open and how many trials they go on to."""
    suites = ", ".join(event.suites)
    return f"{suites}: inconclusive so far, going on to {count(event.trials, 'trial')} a case"


@contextmanager
def live_progress(
    stream: TextIO, *, clock: Clock, screen: Screen, refreshing: bool = True
) -> Iterator[EventSink]:
    """A display that stays in place while the run goes on. Without `refreshing` it is redrawn by
    every event only, and no thread is started.
    """
    from rich.live import Live

    tally = Tally(clock)
    lock = threading.Lock()  # the display is drawn by a thread of its own

    def view() -> "RenderableType":
        with lock:
            return live_view(tally, screen)

    live = Live(
        console=screen.console(stream),
        get_renderable=view,
        auto_refresh=refreshing,
        refresh_per_second=_REFRESHES_PER_S,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )

    def sink(event: Event) -> None:
        with lock:
            tally.take(event)
        if isinstance(event, RunEscalating):
            live.console.print(styled(one_line(escalating_line(event)), "yellow"))
        elif isinstance(event, RunNoted):
            live.console.print(styled(one_line(event.message), "yellow"))
        if not refreshing or isinstance(event, _DRAWN_AT_ONCE):
            live.refresh()

    with live:
        yield sink
    if tally.ended:
        stream.write(one_line(end_line(tally)) + "\n")
    if tally.judged:
        stream.write(one_line(judged_line(tally)) + "\n")


def live_view(tally: Tally, screen: Screen) -> "RenderableType":
    """The display: a bar, then a line each for pass rates, spending and trouble."""
    from rich.console import Group

    if not tally.started:
        return styled("planning", "dim")
    left = tally.left_words()
    if tally.judging:
        head = _bar(tally.judging_share)
        head.append(f" {tally.judged:,}/{tally.questions:,} outputs judged, ")
        head.append(f"after {count(tally.made, 'attempt')}")
    else:
        head = _bar(tally.share)
        head.append(f" {tally.made:,}/{tally.attempts:,} attempts, ")
        head.append(", ".join(each for each in (tally.kept_words(), _case_words(tally)) if each))
    lines = [head]
    if tally.stopping is not None:
        lines.append(styled(tally.stopping_words(), "bold yellow"))
    if left:
        lines.append(styled(f"{left}, {duration(tally.elapsed_s)} so far", "dim"))
    lines += [styled(each) for each in (tally.rate_words(), tally.spent_words()) if each]
    if tally.trouble_words():
        lines.append(styled(one_line(tally.trouble_words()), "yellow"))
    for line in lines:
        line.truncate(screen.width - 1, overflow="ellipsis")
    return Group(*lines)


def _bar(share: float) -> "Text":
    full = round(_BAR * share)
    return styled("━" * full, "cyan").append("─" * (_BAR - full), style="dim")
