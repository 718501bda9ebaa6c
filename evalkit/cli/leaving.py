"""The end of the process, when all is done and told."""

import atexit
import gc
import os
import sys
import threading
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End with that exit code.

    An interpreter that ends frees object by object what ends with the process anyway, which takes
    10 to 20 ms after a run. Where nothing else is at work and nobody looks on, what was registered
    for the end is done, streams are flushed, and the process is over, as mypy ends.
    """
    if threading.active_count() == 1 and not _is_watched():
        atexit._run_exitfuncs()
        try:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        except OSError:
            pass  # the interpreter tells it, below
        else:
            os._exit(code)
    gc.freeze()  # else the interpreter looks through all objects several times
    sys.exit(code)


def _is_watched() -> bool:
    """Whether a debugger, a profiler or `python -i` waits for the interpreter to end."""
    looked_at = sys.gettrace() is not None or sys.getprofile() is not None
    # where debuggers and profilers register since Python 3.12
    tool = getattr(getattr(sys, "monitoring", None), "get_tool", None)
    looked_at = looked_at or (tool is not None and any(map(tool, range(6))))
    return looked_at or bool(sys.flags.inspect or os.environ.get("PYTHONINSPECT"))
