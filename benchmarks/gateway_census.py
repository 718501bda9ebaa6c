"""`evalkit serve` that tells, when it is sent SIGUSR1, what its allocators have handed out.

    python benchmarks/gateway_census.py FILE serve --port 0

Resident memory also holds what allocators keep for later: a leak is what they have handed out and
never get back. Each signal appends a JSON line to FILE: `blocks` of Python's allocator, and bytes
of malloc's (`malloc`, larger blocks and those of extensions). glibc 2.33 or later only.
"""

import ctypes
import json
import signal
import sys
from pathlib import Path

# as in malloc.h
FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"


class MallInfo(ctypes.Structure):
    """struct mallinfo2."""

    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS.split()]


def main() -> None:
    """Be the command, and tell when asked."""
    path = Path(sys.argv.pop(1))
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = MallInfo

    def tell(*_: object) -> None:
        info = libc.mallinfo2()
        line = {"blocks": sys.getallocatedblocks(), "malloc": info.uordblks + info.hblkhd}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    signal.signal(signal.SIGUSR1, tell)
    from evalkit.__main__ import main as evalkit

    evalkit()


if __name__ == "__main__":
    main()
