"""The `evalkit` command: its verbs, and what every way of ending means as an exit code."""

import os
import signal
import sys
import types
from typing import Annotated

import typer

from evalkit._version import __version__
from evalkit.cli import verbs
from evalkit.cli.output import print_error
from evalkit.errors import EvalkitError

EXIT_BUG = 70
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="evalkit",
    help="The CI gate for LLM systems. Exit codes: 0 pass, 1 fail, 2 usage or configuration, "
    "3 inconclusive, 4 incomplete, 70 bug, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
verbs.register(app)


@app.callback()
def _about(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True)
    ] = False,
) -> None:
    if version:
        print(f"evalkit {__version__}")
        raise typer.Exit


def main() -> None:
    """Run a verb and leave with its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _close_stdout()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """The exit code of one command line. A closed stdout keeps the code that was decided."""
    try:
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
        print("interrupted; what was done is kept", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        return 0
    except Exception as error:
        if os.environ.get("EVALKIT_DEBUG"):
            raise
        kind = type(error).__name__
        print(f"evalkit has a bug: {kind}: {error}", file=sys.stderr)
        print("Set EVALKIT_DEBUG=1 for the traceback, and please report it.", file=sys.stderr)
        return EXIT_BUG
    return result if isinstance(result, int) else 0


def _interrupt(number: int, frame: types.FrameType | None) -> None:
    raise KeyboardInterrupt


def _close_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush cannot fail a second time."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
