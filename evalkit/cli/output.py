"""Writing results to stdout and everything else to stderr."""

import io
import os
import sys
from pathlib import Path
from typing import TextIO

from evalkit.errors import ConfigError, EvalkitError, Problem, StoreError


class _Stream(io.TextIOWrapper):
    """A standard stream that goes quiet on some errors: no exit code depends on who reads it. Any
    other is a StoreError, which is `lost` from then on, and the stream quiet.

    One that is no terminal is UTF-8, so that JSON and Markdown read alike everywhere; what a
    terminal cannot show is escaped.
    """

    def __init__(self, stream: io.TextIOWrapper, quiet_on: type[OSError]) -> None:
        super().__init__(
            stream.buffer,
            encoding=stream.encoding if stream.isatty() else "utf-8",
            errors="backslashreplace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self._quiet_on = quiet_on
        self.lost: StoreError | None = None

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        # pointed at nothing, so that no later flush fails a second time
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
        if not isinstance(error, self._quiet_on):
            name = str(self.name).strip("<>")
            self.lost = StoreError(f"nothing can be written to {name}: {error.strerror}")
            raise self.lost from error


def open_streams() -> None:
    """Make stdout and stderr safe to write to, whatever they were opened as.

    A stream that was closed (`>&-`) or whose reader went away swallows what is written; so does a
    stderr that cannot be written for any other reason, since it never holds the result.
    """
    sys.stdout = _opened(sys.stdout, BrokenPipeError)
    sys.stderr = _opened(sys.stderr, OSError)


def _opened(stream: TextIO | None, quiet_on: type[OSError]) -> TextIO:
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    return _Stream(stream, quiet_on) if type(stream) is io.TextIOWrapper else stream


def what_was_lost() -> StoreError | None:
    """Why not all that was to be told could be written to stdout; what raised it may have been
    caught by somebody who knows no better."""
    try:
        sys.stdout.flush()
    except StoreError as error:
        return error
    return sys.stdout.lost if isinstance(sys.stdout, _Stream) else None


def print_result(text: str) -> None:
    """Write a result to stdout.

    Raises StoreError for a result that cannot be written whole, such as to a full disk.
    """
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def print_note(text: str) -> None:
    """Write what is not the result to stderr, in one go: other processes may write there as well.

    Notes and errors quote keys, values and names out of files that a stranger may have written:
    what a terminal would obey is written out.
    """
    from evalkit.report.untrusted import visible

    sys.stderr.write(f"{visible(text)}\n")  # print() writes the line's end by itself


def print_problem(problem: Problem) -> None:
    """Write a problem of a file to stderr, on one line whatever it quotes."""
    from evalkit.report.untrusted import one_line

    print_note(f"{problem.severity}: {one_line(str(problem))}")


def print_error(error: EvalkitError) -> None:
    """Write an error to stderr: every problem of a load on a line of its own."""
    if isinstance(error, ConfigError):
        for problem in error.problems:
            print_problem(problem)
        count = len(error.problems)
        print_note(f"{count} problem{'' if count == 1 else 's'}; nothing was run")
    else:
        print_note(f"error: {error}")
