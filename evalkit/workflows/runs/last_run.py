"""`.evalkit/last.json`: how the last run ended, also when nothing was run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from evalkit.errors import (
    ConfigError,
    EvalkitError,
    NotMeasured,
    Refused,
    StoreError,
    UsageError,
)
from evalkit.ports import Clock
from evalkit.records.last_run import LastKind, LastRun
from evalkit.records.run import StoredRun
from evalkit.sources.git import head_commit
from evalkit.store.files import drop_abandoned, write_whole
from evalkit.store.folder import PRIVATE, private_folder

LAST = "last.json"
_INTERRUPTED, _BUG = 130, 70
_UNDER_WAY = LastRun(
    at="",
    command=(),
    exit_code=_INTERRUPTED,
    kind="interrupted",
    message="The run has not ended: it is under way, or it was killed (as for want of memory).",
)


class RunEnding:
    """Takes the run that ended, while `remember_end` waits for an error."""

    def __init__(self) -> None:
        """Nothing has ended yet."""
        self.stored: StoredRun | None = None

    def take(self, stored: StoredRun) -> StoredRun:
        """This is the run."""
        self.stored = stored
        return stored


@contextmanager
def remember_end(root: Path, *, clock: Clock, command: Sequence[str]) -> Iterator[RunEnding]:
    """Write how what happens inside ends. What is raised goes on; a file that cannot be written
    changes nothing, as it is only read to report.

    Until it ends the file says so: a run that is killed would else be reported as the one before.
    """

    def write(last: LastRun) -> None:
        last = msgspec.structs.replace(
            last,
            at=clock.now().isoformat(),
            command=tuple(command),
            sha=_head(root),
        )
        with suppress(StoreError, OSError):
            private_folder(root)
            drop_abandoned(root / PRIVATE / LAST)
            write_whole(root / PRIVATE / LAST, msgspec.json.format(msgspec.json.encode(last)))

    ending = RunEnding()
    error: BaseException | None = None
    write(_UNDER_WAY)
    try:
        yield ending
    except BaseException as raised:
        error = raised
        raise
    finally:
        write(_last_run(ending.stored, error))


def _head(root: Path) -> str | None:
    try:
        return head_commit(root)
    except Refused:
        return None


def read_last(root: Path) -> LastRun | None:
    """How the last run of the project ended; None where none was made.

    Raises StoreError for a file that is damaged.
    """
    path = root / PRIVATE / LAST
    try:
        return msgspec.json.decode(path.read_bytes(), type=LastRun)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{path} cannot be read ({error}); run evalkit again") from error


def _last_run(stored: StoredRun | None, error: BaseException | None) -> LastRun:
    if error is None and stored is not None:
        record = stored.record
        return LastRun(at="", command=(), exit_code=record.exit_code, kind="run", run=record.id)
    code = error.exit_code if isinstance(error, EvalkitError) else _BUG
    interrupted = isinstance(error, KeyboardInterrupt | SystemExit)
    return LastRun(
        at="",
        command=(),
        exit_code=_INTERRUPTED if interrupted else code,
        kind="interrupted" if interrupted else _kind(error),
        message="" if error is None else str(error),
        problems=tuple(str(each) for each in error.problems)
        if isinstance(error, ConfigError)
        else (),
        settle=error.settle if isinstance(error, NotMeasured) else None,
    )


def _kind(error: BaseException | None) -> LastKind:
    kinds: tuple[tuple[type[BaseException], LastKind], ...] = (
        (NotMeasured, "not_measured"),
        (ConfigError, "config"),
        (UsageError, "usage"),
        (Refused, "refused"),
        (StoreError, "store"),
    )
    return next((kind for each, kind in kinds if isinstance(error, each)), "bug")
