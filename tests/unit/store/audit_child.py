"""A process that appends to an audit log or to traces, for tests that start several.

`full` appends to an audit log on a disk that takes no file beyond 20 kB.

python -m tests.unit.store.audit_child audit|traces ROOT NAME TIMES
"""

import resource
import signal
import subprocess
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from evalkit.records.span import SessionTrace, trace_id_of
from evalkit.store.audit import AuditFile
from evalkit.store.traces import TraceStore


def main(what: str, root: str, name: str, times: int) -> None:
    """Append `times` entries (0: until it is killed), and say when the first is there."""
    if what == "full":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    log = AuditFile(Path(root), now=lambda: datetime.now(UTC), redact=str)
    store = TraceStore(Path(root))
    for number in range(times) if times else count():
        if what == "traces":
            trace_id = trace_id_of(name, number)
            store.append(SessionTrace(trace_id=trace_id, at="2026-11-29T10:00:00+00:00", route="r"))
        elif number % 4 == 0:
            log.append("test.entry", {"user": name}, {"number": number, "text": "x" * 300})
        else:
            log.note("test.entry", {"user": name}, {"number": number, "text": "x" * 300})
        if number == 0:
            print("begun", flush=True)
    log.seal()


def start(what: str, root: Path, name: str, times: int) -> "subprocess.Popen[bytes]":
    """Start such a process; its stdout is a pipe."""
    module = [sys.executable, "-m", "tests.unit.store.audit_child"]
    arguments = [what, str(root), name, str(times)]
    return subprocess.Popen(
        [*module, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
