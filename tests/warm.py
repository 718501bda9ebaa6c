"""Starting `evalkit` as a process of its own without loading it again: most of what a start costs.

`python -m tests.warm DESCRIPTOR` loads every module of evalkit once. For each request it forks
itself, and the child goes on as `python -m evalkit ...` does from there: with its own descriptors,
folder, environment and arguments, its own signals, and a normal end of the interpreter. What a
start itself can get wrong is for the first call of each verb, and for tests that start one cold.
"""

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import pydantic

ROOT = Path(__file__).parents[1]
# with the first request to a model, and by no module of evalkit before
_LOADED_LATE = ("aiohttp", "httpx", "sqlite3")
# what the interpreter itself looks at when it starts
_AT_START = ("PYTHON", "LANG", "LC_", "MALLOC_")


class Warm:
    """One process that has loaded evalkit. All of its children hash strings alike."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def run(
        self, arguments: Sequence[str], *, cwd: Path, environ: Mapping[str, str], typed: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command line to its end."""
        told, answer = socket.socketpair()
        asked = {"arguments": arguments, "cwd": str(cwd.resolve()), "environ": dict(environ)}
        with (
            told,
            TemporaryFile() as request,
            TemporaryFile() as given,
            TemporaryFile() as out,
            TemporaryFile() as err,
        ):
            _fill(request, json.dumps(asked))
            _fill(given, typed)
            with answer:
                files = [each.fileno() for each in (answer, request, given, out, err)]
                socket.send_fds(self._control, [b"run"], files)
            ended = told.recv(64)
            assert ended, "the process that evalkit is forked from has ended"
            return subprocess.CompletedProcess(
                ["evalkit", *arguments], int(ended), _text(out), _text(err)
            )

    def close(self) -> None:
        """Let it end, and wait for that."""
        self._control.close()
        self._process.wait(20)


class WarmPool:
    """Two of them by turns: the order of sets differs between runs, as between cold starts."""

    def __init__(self) -> None:
        self._both: list[Warm] = []
        self._turns = count()
        self._cold: set[str] = set()
        self._lock = threading.Lock()

    def take(self, arguments: Sequence[str], environ: Mapping[str, str]) -> Warm | None:
        """The one whose turn it is. None where the start has to be a cold one: for the first call
        of a verb, and for an environment that the interpreter starts otherwise with."""
        verb = arguments[0] if arguments else ""
        with self._lock:
            if verb not in self._cold or _at_start(environ) != _at_start(os.environ):
                self._cold.add(verb)
                return None
            if not self._both:
                self._both = [Warm(), Warm()]
            return self._both[next(self._turns) % 2]

    def close(self) -> None:
        """Let both end."""
        for each in self._both:
            each.close()


@cache
def warm_pool() -> WarmPool:
    """The pool of this process."""
    pool = WarmPool()
    atexit.register(pool.close)
    return pool


def _at_start(environ: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environ.items() if key.startswith(_AT_START)}


def _fill(file: IO[bytes], text: str) -> None:
    file.write(text.encode())
    file.flush()
    file.seek(0)


def _text(file: IO[bytes]) -> str:
    """As a pipe in text mode would give it."""
    file.seek(0)
    return io.TextIOWrapper(io.BytesIO(file.read())).read()


@dataclass(frozen=True)
class _Request:
    """What a child is to do, and the descriptors it does it with."""

    arguments: list[str]
    cwd: str
    environ: dict[str, str]
    descriptors: list[int]


def _load() -> None:
    import evalkit

    for module in pkgutil.walk_packages(evalkit.__path__, "evalkit."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in _LOADED_LATE:
        importlib.import_module(name)
    _complete(pydantic.BaseModel)
    gc.collect()
    gc.freeze()  # no collection of a child looks at, and so copies, what was there before


def _complete(model: type[pydantic.BaseModel]) -> None:
    """Make the validators that pydantic puts off until a model is used first."""
    for each in model.__subclasses__():
        each.model_rebuild()
        _complete(each)


def _serve(control: socket.socket) -> _Request | None:
    """Fork a child for each request, and tell who asked how it ended. Returns a request in its
    child, and None where nobody asks any more."""
    waited = selectors.DefaultSelector()
    waited.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in waited.select():
            if key.fileobj is control:
                _, files, _, _ = socket.recv_fds(control, 16, 5)
                if not files:
                    return None
                child = _fork(files)
                if isinstance(child, _Request):
                    waited.close()
                    control.close()
                    return child
                waited.register(os.pidfd_open(child), selectors.EVENT_READ, (child, files[0]))
                for each in files[1:]:
                    os.close(each)
            else:
                child, answer = key.data
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                waited.unregister(key.fileobj)
                os.close(key.fd)
                os.write(answer, str(code).encode())
                os.close(answer)


def _fork(files: list[int]) -> int | _Request:
    """The child's id; its request in the child."""
    if (child := os.fork()) != 0:
        return child
    os.close(files[0])
    with open(files[1], "rb") as file:
        return _Request(**json.load(file), descriptors=files[2:])


def _become(request: _Request) -> None:
    """What an interpreter makes of its descriptors, environment and folder when it starts."""
    for number, each in enumerate(request.descriptors):
        os.dup2(each, number)
        os.close(each)
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.environ)
    time.tzset()
    sys.argv = ["evalkit", *request.arguments]
    sys.path[0] = request.cwd
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, "r", closefd=False)))
    sys.stdout, sys.stderr = _written(1), _written(2)
    # who puts another in place of these does not close what they write to
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]


def _written(number: int) -> io.TextIOWrapper:
    file = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
    if number == 1:
        return io.TextIOWrapper(file)
    return io.TextIOWrapper(file, errors="backslashreplace", line_buffering=True)


def _run() -> int:
    """Run the command, and end as an interpreter does but for taking everything apart: that would
    copy all that the parent loaded."""
    code: int | str | None = None
    try:
        runpy.run_module("evalkit", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # waits for those that are no daemons
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


def main() -> None:
    """Serve requests that come over the socket of this descriptor."""
    control = socket.socket(fileno=int(sys.argv[1]))
    _load()
    request = _serve(control)
    if request is not None:
        _become(request)
        os._exit(_run())


if __name__ == "__main__":
    main()
