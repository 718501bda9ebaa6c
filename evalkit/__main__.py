"""The `evalkit` command, and `python -m evalkit`: what a signal means while modules are loaded."""

import os
import signal
import sys
import types

_INTERRUPTED = 130


def _leave(number: int, frame: types.FrameType | None) -> None:
    """Nothing has begun: there is nothing to tell and nothing to end in order."""
    os.write(sys.stderr.fileno(), b"interrupted\n")
    os._exit(_INTERRUPTED)


def main() -> None:
    """Load the command line, and hand over to it."""
    for each in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(each) is not signal.SIG_IGN:  # as nohup and some shells set it
            signal.signal(each, _leave)
    from evalkit.collector import look_hardly_ever
    from evalkit.environment import ask_for_no_plugins

    look_hardly_ever()
    ask_for_no_plugins()
    from evalkit.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
