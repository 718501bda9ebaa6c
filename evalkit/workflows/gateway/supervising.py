"""Several worker processes behind one port: they are forked, watched, told, and replaced.

The parent binds the socket and serves nothing itself. It passes on the signals that it gets; a
worker whose parent is gone notices that and stops as if it were told to.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from evalkit.errors import ConfigError, EvalkitError, UsageError

_STOPS = (signal.SIGINT, signal.SIGTERM)
_WATCHED = (*_STOPS, signal.SIGHUP, signal.SIGCHLD)
# one that ends again and again is started after 1 s, 2 s, 4 s …
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
# and one that has lived for so long is started at once
_LIVED_S = 10.0
_LOOK_S = 0.05
_DONE, _USAGE, _BROKEN, _BUG, _CUT_OFF = 0, 2, 4, 70, 130

Serve = Callable[[int, int, Callable[[], None]], int]


@dataclass
class _Worker:
    """A place for a worker process; `pid` is 0 while there is none."""

    number: int
    pid: int = 0
    began_s: float = 0.0
    due_s: float = 0.0
    pause_s: float = _FIRST_PAUSE_S
    ready_fd: int = -1
    ready: bool = False
    reload: bool = False


class Supervisor:
    """Keeps a number of worker processes alive until it is told to stop."""

    def __init__(
        self,
        count: int,
        serve: Serve,
        *,
        tell: Callable[[str], None],
        on_ready: Callable[[], None],
    ) -> None:
        """`serve` is called in each worker, with its number from 0, a file descriptor that ends
        when the parent does, and what to call once it listens; it gives the exit code.

        `on_ready` is called here once all of them listen.
        """
        self._workers = [_Worker(number) for number in range(count)]
        self._serve = serve
        self._tell = tell
        self._on_ready = on_ready
        self._told_ready = False
        self._stopping = False
        self._code = _DONE
        self._parent_fds = os.pipe()

    def run(self) -> int:
        """Until all have ended: 0 where each had finished its requests, 130 where something was cut
        off, and what a worker ended with that could not start at all."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        try:
            for worker in self._workers:
                self._fork(worker)
            while any(worker.pid for worker in self._workers) or not self._stopping:
                self._hear()
                self._look_for_ready()
                self._reap()
                self._replace()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        return self._code

    def _fork(self, worker: _Worker) -> None:
        ready_fd, told_fd = os.pipe()
        os.set_blocking(ready_fd, False)
        sys.stderr.flush()
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            self._be_worker(worker.number, ready_fd, told_fd)
        os.close(told_fd)
        worker.pid, worker.ready_fd, worker.ready, worker.reload = pid, ready_fd, False, False
        worker.began_s = time.monotonic()

    def _be_worker(self, number: int, ready_fd: int, told_fd: int) -> None:
        """In the new process; does not return."""
        code = _BUG
        try:
            os.close(ready_fd)
            os.close(self._parent_fds[1])  # else the pipe would outlive the parent
            for each in self._workers:
                if each.ready_fd >= 0:
                    os.close(each.ready_fd)
            os.setpgid(0, 0)  # Ctrl-C is for the parent, which passes it on
            for each_signal in _STOPS:
                signal.signal(each_signal, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
            code = self._serve(number, self._parent_fds[0], lambda: _say(told_fd))
        except EvalkitError as error:
            code = _USAGE if isinstance(error, ConfigError | UsageError) else _BROKEN
            self._tell(f"worker {number}: {error}")
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)

    def _hear(self) -> None:
        """Wait for a signal for a moment, and pass it on."""
        heard = signal.sigtimedwait(_WATCHED, _LOOK_S if not self._told_ready else 0.5)
        if heard is None or heard.si_signo == signal.SIGCHLD:
            return
        if heard.si_signo in _STOPS:
            self._stopping = True
            self._send(signal.SIGTERM)
        elif not self._stopping:
            for worker in self._workers:
                # one that does not listen yet would end by it
                worker.reload = not worker.ready
                if worker.pid and worker.ready:
                    os.kill(worker.pid, signal.SIGHUP)

    def _send(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, number)

    def _look_for_ready(self) -> None:
        for worker in self._workers:
            if worker.ready_fd >= 0 and not worker.ready:
                with suppress(BlockingIOError):
                    worker.ready = bool(os.read(worker.ready_fd, 1))
                if worker.ready and worker.reload:
                    worker.reload = False
                    os.kill(worker.pid, signal.SIGHUP)
        if not self._told_ready and all(worker.ready for worker in self._workers):
            self._told_ready = True
            self._on_ready()

    def _reap(self) -> None:
        for worker in self._workers:
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if not pid:
                continue
            code = os.waitstatus_to_exitcode(status)
            self._ended(worker, code)

    def _ended(self, worker: _Worker, code: int) -> None:
        pid, was_ready = worker.pid, worker.ready
        os.close(worker.ready_fd)
        worker.pid, worker.ready_fd, worker.ready = 0, -1, False
        if self._stopping:
            # one that was told to stop before it listened has cut nothing off
            if code != _DONE and (was_ready or code != -signal.SIGTERM):
                self._code = self._code or _CUT_OFF
            return
        if not self._told_ready:
            self._tell(f"worker {worker.number} could not start; the others stop")
            self._code = code if code > 0 else _BUG
            self._stopping = True
            self._send(signal.SIGTERM)
            return
        now_s = time.monotonic()
        if was_ready and now_s - worker.began_s >= _LIVED_S:
            worker.pause_s = _FIRST_PAUSE_S
            worker.due_s = now_s
        else:
            worker.due_s = now_s + worker.pause_s
            worker.pause_s = min(2 * worker.pause_s, _LONGEST_PAUSE_S)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        lost = (
            ". What it held of budgets is charged when its leases end; sessions that were under "
            "way leave no trace"
        )
        self._tell(
            f"worker {worker.number} (process {pid}) has ended with {how}; another one takes its "
            f"place in {worker.due_s - now_s:g} s{lost if was_ready else ''}"
        )

    def _replace(self) -> None:
        for worker in self._workers:
            if not (worker.pid or self._stopping) and worker.due_s <= time.monotonic():
                self._fork(worker)


def _say(fd: int) -> None:
    os.write(fd, b"1")
    os.close(fd)
