"""The `evalkit` command: its verbs, and what every way of ending means as an exit code."""

import io
import os
import signal
import sys
import traceback
import types
from typing import Annotated

import typer

from evalkit._version import __version__
from evalkit.cli import verbs
from evalkit.cli.leaving import leave
from evalkit.cli.output import open_streams, print_error, print_note, what_was_lost
from evalkit.errors import EvalkitError

EXIT_BUG = 70
EXIT_INTERRUPTED = 130


def build_app(asked: str | None = None) -> typer.Typer:
    """The application: with every verb, or where `asked` names one, with that one alone."""
    app = typer.Typer(
        name="evalkit",
        help="The CI gate for LLM systems. Exit codes: 0 pass, 1 fail, 2 usage or configuration, "
        "3 inconclusive, 4 incomplete, 70 bug, 130 interrupted.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # its panels cost more to import than everything else of --help
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    verbs.register(app, asked)
    app.callback()(_about)
    return app


def _print_version(asked: bool) -> None:
    if asked:
        print(f"evalkit {__version__}")
        raise typer.Exit


def _about(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, help="Print the version.", is_eager=True
        ),
    ] = False,
) -> None:
    """Verbs do the work; the callback of --version ends before one is asked for."""


def main() -> None:
    """Run a verb and leave with its exit code."""
    for each, meaning in (
        (signal.SIGINT, signal.default_int_handler),  # which an event loop looks for
        (signal.SIGTERM, _interrupt),
    ):
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, meaning)
    for stream in (sys.stdout, sys.stderr):
        # a terminal or pipe that cannot show a character gets its escape instead of a crash
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    open_streams()
    code = _flushed(run(sys.argv[1:]))
    for each in (signal.SIGINT, signal.SIGTERM):
        # all is done and told: while the interpreter is taken down a signal would change the code
        signal.signal(each, signal.SIG_IGN)
    leave(code)


def run(arguments: list[str]) -> int:
    """The exit code of one command line."""
    try:
        app = build_app(arguments[0] if arguments else None)
        result = app(arguments, prog_name="evalkit", standalone_mode=False)
    except typer.TyperException as error:
        error.show(sys.stderr)  # type: ignore[attr-defined]  # every one of typer's has it
        return 2
    except typer.Exit as ended:
        return ended.exit_code
    except EvalkitError as error:
        print_error(error)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if os.environ.get("EVALKIT_DEBUG"):
            traceback.print_exc()  # raising it would end with 1, which means a regression
        kind = type(error).__name__
        print_note(f"evalkit has a bug: {kind}: {error}")
        print_note("Set EVALKIT_DEBUG=1 for the traceback, and please report it.")
        return EXIT_BUG
    return result if isinstance(result, int) else 0


def _flushed(code: int) -> int:
    """The exit code when all is written: what cannot be is an error of its own."""
    lost = what_was_lost()
    if lost is None or code == lost.exit_code:
        return code
    print_error(lost)
    return lost.exit_code


def _interrupt(number: int, frame: types.FrameType | None) -> None:
    raise KeyboardInterrupt
