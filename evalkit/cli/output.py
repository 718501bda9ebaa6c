"""Writing results to stdout and everything else to stderr."""

import os
import sys

from evalkit.errors import ConfigError, EvalkitError


def print_result(text: str) -> None:
    """Write a result to stdout; a reader that went away (`| head`) changes nothing."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_note(text: str) -> None:
    """Write what is not the result to stderr."""
    print(text, file=sys.stderr)


def print_error(error: EvalkitError) -> None:
    """Write an error to stderr: every problem of a load on a line of its own."""
    if isinstance(error, ConfigError):
        for problem in error.problems:
            print_note(f"{problem.severity}: {problem}")
        count = len(error.problems)
        print_note(f"{count} problem{'' if count == 1 else 's'}; nothing was run")
    else:
        print_note(f"error: {error}")
