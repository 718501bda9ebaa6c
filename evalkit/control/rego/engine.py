"""Rego without a server: evalkit starts a process that evaluates it (extra `rego`)."""

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from evalkit.control.rego.decision import Undecided, read_decision, undecided
from evalkit.control.rego.sources import check_sources
from evalkit.control.ruling import Ruling
from evalkit.errors import ConfigError, Problem

_HOST = Path(__file__).with_name("host.py")
_START_S = 30.0


class RegoEngine:
    """One package, compiled once from the files that make it up. Safe between threads.

    Implements `PolicyCheck`. A policy that takes longer than `timeout_s`, or crashes, leaves an act
    undecided; the next act has a new process.
    """

    waits = False

    def __init__(
        self, sources: Mapping[str, str], *, package: str, shadow: bool, timeout_s: float = 1.0
    ) -> None:
        """`sources` are Rego modules by path.

        Raises ConfigError for what does not compile, looks outside, or needs the extra.
        """
        check_sources(sources)
        self.name = f"the policy in {', '.join(sources)}"
        self.package = package
        self._sources = dict(sources)
        self._shadow = shadow
        self._timeout_s = timeout_s
        self._lock = Lock()
        if find_spec("regopy") is None:
            raise ConfigError(
                [
                    self._problem(
                        "policies in Rego need the extra `rego`",
                        suggestion="pip install 'evalkit[rego]', or ask an OPA server with `opa:`",
                    )
                ]
            )
        self._process: _Process | None = None
        try:
            self._process = self._started()
        except Undecided as why:
            raise ConfigError([self._problem(f"the policy cannot be compiled: {why}")]) from None

    def check(self, document: Mapping[str, Any]) -> Sequence[Ruling]:
        """What the package says of one act; a no where it cannot be evaluated."""
        try:
            return self._decide(document)
        except Undecided as why:
            return undecided(self.name, why, shadow=self._shadow)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.end()

    def _decide(self, document: Mapping[str, Any]) -> Sequence[Ruling]:
        """Raises Undecided."""
        try:
            text = json_of(document)
        except (ValueError, TypeError, RecursionError) as error:
            raise Undecided(f"the input document is no JSON: {error}") from None
        with self._lock:
            if self._process is None:
                self._process = self._started()
            try:
                decided = self._process.ask(text, self._timeout_s)
            except _Gone as gone:
                self._process.end()
                self._process = None
                raise Undecided(str(gone)) from None
        return read_decision(decided, package=self.package, shadow=self._shadow)

    def _started(self) -> "_Process":
        """A process that has compiled the policy. Raises Undecided."""
        process = _Process()
        try:
            asked = json.dumps({"modules": self._sources, "package": self.package})
            process.ask(asked, _START_S)
        except (_Gone, Undecided) as why:
            process.end()
            raise Undecided(str(why)) from None
        return process

    def _problem(self, message: str, *, suggestion: str | None = None) -> Problem:
        files = ", ".join(self._sources) or None
        return Problem(file=files, message=message, suggestion=suggestion)


class _Gone(Exception):
    """The process is of no use any more."""


class _Process:
    """The host: a line in, a line out."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_HOST)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,  # Ctrl-C is for the run, which ends it
        )
        self._unread = b""

    def ask(self, line: str, timeout_s: float) -> Any:
        """The answer to a line. Raises Undecided where it says so, and _Gone where none comes."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            while b"\n" not in self._unread:
                ready, _, _ = select.select([process.stdout], [], [], timeout_s)
                if not ready:
                    raise _Gone(f"no decision within {timeout_s:g} s")
                piece = os.read(process.stdout.fileno(), 1 << 16)
                if not piece:
                    raise _Gone("its process ended")
                self._unread += piece
        except OSError as error:
            raise _Gone(f"its process ended: {error.strerror}") from None
        written, _, self._unread = self._unread.partition(b"\n")
        answer = json.loads(written)
        if "error" in answer:
            raise Undecided(answer["error"])
        return answer["ok"]

    def end(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()


def json_of(document: Mapping[str, Any]) -> str:
    """The input document as one line of JSON, a lone surrogate as a question mark.

    Raises ValueError for numbers that JSON does not have, RecursionError for what is too deep.
    """
    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
