"""Whether a process of this machine is still there."""

import os


def is_alive(process: int) -> bool:
    """Whether there is a process of that number, somebody else's included."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
