"""Progress: live on a terminal, lines elsewhere, nothing when quiet; time is the test's."""

import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from evalkit.records.attempt import Attempt
from evalkit.records.event import (
    AttemptFinished,
    AttemptRetried,
    Event,
    JudgingStarted,
    JudgmentMade,
    RunEnded,
    RunStarted,
    RunStopping,
)
from evalkit.report.progress import live_progress, progress_display
from evalkit.report.screen import Screen
from tests.unit.report.conftest import MakeRun
from tests.unit.report.judged_run import call, judgment, opinion


class FakeClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Stream(io.StringIO):
    def __init__(self, terminal: bool = False) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def attempts(make_run: MakeRun) -> list[tuple[Attempt, bool | None]]:
    """20 cases on both sides: the candidate fails every second one and has one error."""
    run, passes = make_run(
        {f"c{n:02}": ((True,), (n % 2 == 0 if n else None,)) for n in range(20)}, origin="live"
    )
    return [(attempt, passes[attempt.place]) for attempt in run.attempts]


def events(attempts: Sequence[tuple[Attempt, bool | None]]) -> list[Event]:
    started: Event = RunStarted(attempts=len(attempts), done=0, max_usd=5.0)
    finished = [AttemptFinished(attempt=each, passed=passed) for each, passed in attempts]
    return [started, *finished, RunEnded(reason=None)]


def test_lines_come_about_every_tenth_of_the_run(
    attempts: list[tuple[Attempt, bool | None]],
) -> None:
    stream, clock = Stream(), FakeClock()
    with progress_display(stream, clock=clock, environ={}) as sink:
        for event in events(attempts):
            clock.now_s += 0.75
            sink(event)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "running 40 attempts"
    assert len(lines) == 1 + 9 + 1
    assert lines[5] == (
        "20/40 (50 %): 10 cases; baseline 100.0 %, candidate 40.0 % passed; 1 without a result; "
        "13,676 tokens, $0 of $5.00, 19 live; about 15 s left"
    )
    assert lines[-1] == (
        "40 of 40 attempts in 31 s; 27,756 tokens, $0 of $5.00, 39 live; 1 without a result"
    )


def test_a_run_that_takes_no_time_has_no_lines_between_the_first_and_the_last(
    attempts: list[tuple[Attempt, bool | None]],
) -> None:
    stream = Stream()
    with progress_display(stream, clock=FakeClock(), environ={}) as sink:
        for event in events(attempts):
            sink(event)
    assert len(stream.getvalue().splitlines()) == 2


def test_a_slow_run_gets_a_line_every_ten_seconds(
    attempts: list[tuple[Attempt, bool | None]],
) -> None:
    stream, clock = Stream(), FakeClock()
    with progress_display(stream, clock=clock, environ={}) as sink:
        sink(RunStarted(attempts=1_000, done=0, max_usd=None))
        for attempt, passed in attempts[:12]:
            clock.now_s += 4
            sink(AttemptFinished(attempt=attempt, passed=passed))
    lines = stream.getvalue().splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["3/1,000", "6/1,000", "9/1,000", "12/1,000"]


def test_a_resumed_run_counts_what_was_already_made(
    attempts: list[tuple[Attempt, bool | None]],
) -> None:
    stream, clock = Stream(), FakeClock()
    with progress_display(stream, clock=clock, environ={}) as sink:
        sink(RunStarted(attempts=40, done=30, max_usd=None))
        for attempt, passed in attempts[:5]:
            clock.now_s += 2
            sink(AttemptFinished(attempt=attempt, passed=passed))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "running 40 attempts, 30 kept from before"
    # the pace is of this part of the run: 2 s each, 8 left
    assert lines[1].startswith("32/40 (80 %): 30 kept from before; 1 more case; ")
    assert lines[1].endswith("about 16 s left")


def test_the_end_of_a_resumed_run_tells_what_was_kept(
    attempts: list[tuple[Attempt, bool | None]],
) -> None:
    for terminal in (False, True):
        stream = Stream(terminal)
        with progress_display(stream, clock=FakeClock(), environ={"COLUMNS": "100"}) as sink:
            sink(RunStarted(attempts=40, done=30, max_usd=None))
            sink(AttemptFinished(attempt=attempts[0][0], passed=True))
            sink(RunEnded(reason="interrupted"))
        last = stream.getvalue().splitlines()[-1]
        assert "31 of 40 attempts (30 kept from before) in 0.0 s, stopped: interrupted" in last


def test_a_stop_that_was_asked_for_is_told_at_once_as_a_line() -> None:
    stream = Stream()
    with progress_display(stream, clock=FakeClock(), environ={}) as sink:
        sink(RunStarted(attempts=40, done=0, max_usd=None))
        sink(RunStopping(again=False))
        sink(RunStopping(again=True))
    assert stream.getvalue().splitlines()[1:] == [
        "stopping: waiting for the calls in flight; press Ctrl-C again to drop them",
        "dropping the calls in flight",
    ]


@pytest.mark.parametrize("width", [60, 100])
def test_a_stop_that_was_asked_for_is_told_in_the_live_display(width: int) -> None:
    stream = Stream(terminal=True)
    screen = Screen(width=width)
    with live_progress(stream, clock=FakeClock(), screen=screen, refreshing=False) as sink:
        sink(RunStarted(attempts=40, done=0, max_usd=None))
        assert "stopping" not in stream.getvalue()
        sink(RunStopping(again=False))
        assert "stopping: waiting for the calls in flight" in stream.getvalue()
        assert "dropping" not in stream.getvalue()
        sink(RunStopping(again=True))
        assert "dropping the calls in flight" in stream.getvalue()


def test_retries_and_the_reason_of_a_stop_are_told(
    attempts: list[tuple[Attempt, bool | None]],
) -> None:
    stream, clock = Stream(), FakeClock()
    with progress_display(stream, clock=clock, environ={}) as sink:
        sink(RunStarted(attempts=40, done=0, max_usd=None))
        sink(AttemptRetried(suite="routing", case="c01", code="rate_limited", wait_s=2.0))
        sink(AttemptFinished(attempt=attempts[1][0], passed=False))
        sink(RunEnded(reason="budget"))
    last = stream.getvalue().splitlines()[-1]
    assert "1 of 40 attempts in 0.0 s, stopped: budget" in last
    assert "1 retry, last for rate_limited" in last


def test_quiet_writes_nothing(attempts: list[tuple[Attempt, bool | None]]) -> None:
    for terminal in (True, False):
        stream = Stream(terminal)
        with progress_display(stream, clock=FakeClock(), quiet=True, environ={}) as sink:
            for event in events(attempts):
                sink(event)
        assert stream.getvalue() == ""


def test_a_dumb_terminal_gets_lines(attempts: list[tuple[Attempt, bool | None]]) -> None:
    stream = Stream(terminal=True)
    with progress_display(stream, clock=FakeClock(), environ={"TERM": "dumb"}) as sink:
        for event in events(attempts):
            sink(event)
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().startswith("running 40 attempts\n")


@pytest.mark.parametrize("width", [40, 60, 100])
def test_the_live_display_fits_the_terminal_and_is_gone_at_the_end(
    attempts: list[tuple[Attempt, bool | None]], width: int
) -> None:
    stream, clock = Stream(terminal=True), FakeClock()
    screen = Screen(width=width, color=False)
    with live_progress(stream, clock=clock, screen=screen, refreshing=False) as sink:
        for event in events(attempts)[:-1]:
            clock.now_s += 0.5
            sink(event)
        shown = stream.getvalue()
        sink(RunEnded(reason=None))
    frames = re.split(r"\x1b\[\d*[A-Z]", shown)
    lines = [
        re.sub(r"\x1b\[[0-9;?]*\w", "", line) for frame in frames for line in frame.split("\n")
    ]
    assert max(len(line.strip("\r")) for line in lines) < width
    assert "━" * 12 + "─" * 12 + " 20/40 attemp" in shown
    assert "baseline 100.0 %, candidate" in shown
    end = stream.getvalue()[len(shown) :]
    assert "\x1b[2K" in end  # the display's lines are erased
    assert end.rstrip("\n").endswith("1 without a result")


def test_an_exception_in_the_run_leaves_the_terminal_usable(
    attempts: list[tuple[Attempt, bool | None]],
) -> None:
    stream = Stream(terminal=True)
    screen = Screen(width=60)
    with (
        pytest.raises(KeyboardInterrupt),
        live_progress(stream, clock=FakeClock(), screen=screen, refreshing=False) as sink,
    ):
        sink(events(attempts)[0])
        raise KeyboardInterrupt
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex(
        "\x1b[?25l"
    )  # the cursor


class BrokenStream(Stream):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_stream_that_went_away_does_not_stop_the_run(
    attempts: list[tuple[Attempt, bool | None]],
) -> None:
    with progress_display(BrokenStream(), clock=FakeClock(), environ={}) as sink:
        for event in events(attempts):
            sink(event)


def judged(number: int, *, failed: bool = False) -> JudgmentMade:
    said = opinion("error", call("error")) if failed else opinion(True)
    return JudgmentMade(judgment=judgment(("routing", "candidate", f"c{number:02}", 1), said))


def test_judging_is_a_phase_of_its_own_and_counts_as_spent(
    attempts: list[tuple[Attempt, bool | None]],
) -> None:
    stream, clock = Stream(), FakeClock()
    with progress_display(stream, clock=clock, environ={}) as sink:
        for event in events(attempts):
            sink(event)
        sink(JudgingStarted(questions=36))
        for number in range(36):
            clock.now_s += 0.5
            sink(judged(number, failed=number == 20))
    lines = stream.getvalue().splitlines()
    assert lines[2] == "judging 36 outputs"
    assert lines[3].startswith("4/36 judged (11 %): 1 without a result; 29,756 tokens, $0.0200 of ")
    assert lines[3].endswith("; about 16 s left")
    assert len(lines) == 2 + 1 + 9 + 1
    assert lines[-1] == (
        "judged 36 outputs in 18 s; 45,756 tokens, $0.1800 of $5.00, 39 live; 1 without a result, "
        "1 not judged for an error"
    )


def test_a_run_that_judges_again_at_its_next_look_counts_on(
    attempts: list[tuple[Attempt, bool | None]],
) -> None:
    stream, clock = Stream(), FakeClock()
    with progress_display(stream, clock=clock, environ={}) as sink:
        for questions in (2, 3):
            sink(JudgingStarted(questions=questions))
            for number in range(questions):
                clock.now_s += 0.5
                sink(judged(number))
            clock.now_s += 60
    lines = stream.getvalue().splitlines()
    assert [line.partition(";")[0] for line in lines if line.startswith("judg")] == [
        "judging 2 outputs",
        "judged 2 outputs in 1.0 s",
        "judging 3 outputs",
        "judged 5 outputs in 2.5 s",
    ]


def test_a_run_without_a_judge_has_no_line_about_one(
    attempts: list[tuple[Attempt, bool | None]],
) -> None:
    stream = Stream()
    with progress_display(stream, clock=FakeClock(), environ={}) as sink:
        for event in events(attempts):
            sink(event)
    assert "judg" not in stream.getvalue()


def test_the_live_display_turns_to_judging_and_ends_with_what_was_judged(
    attempts: list[tuple[Attempt, bool | None]],
) -> None:
    stream, clock = Stream(terminal=True), FakeClock()
    with live_progress(stream, clock=clock, screen=Screen(width=100), refreshing=False) as sink:
        for event in events(attempts):
            sink(event)
        sink(JudgingStarted(questions=36))
        for number in range(9):
            clock.now_s += 1
            sink(judged(number))
    text = stream.getvalue()
    assert "0/36 outputs judged, after 40 attempts" in text
    assert "9/36 outputs judged, after 40 attempts" in text
    assert "about 27 s left" in text
    assert text.endswith(
        "judged 9 of 36 outputs in 9.0 s; 32,256 tokens, $0.0450 of $5.00, 39 live; "
        "1 without a result\n"
    )
