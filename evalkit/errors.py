"""Everything evalkit raises on purpose, in one tree, each with the exit code it stands for.

    EvalkitError                      70 unless a subclass says otherwise
    ├── UsageError                    2   the command line or the call cannot mean what it says
    ├── ConfigError                   2   evalkit.yaml or an asset is wrong; `.problems` lists all
    ├── Refused                       2   a run would say nothing: nothing to gate
    │   └── NotMeasured                   replies that are written down cannot measure the change
    ├── StoreError                    4   the project's private state cannot be read or written
    ├── EngineError                   4   the cluster that makes a run's attempts cannot be used
    ├── HostError                     4   GitHub, GitLab or the like cannot be asked, or said no
    └── SessionError                  what a session's act ends with; the run goes on
        ├── PolicyBlocked             a policy said no; `.rule` names it
        ├── BudgetExhausted           a hold did not fit under a cap
        ├── ProviderError             infrastructure: `.code`, `.retryable`, `.retry_after_s`,
        │                             `.may_be_billed`
        └── InvalidReply              the model answered, and not in the form that was asked for

A run that stops early (a budget, a signal) is no error: its record says so and has the exit code.
Anything else that reaches the top is a bug in evalkit and ends with 70.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Severity = Literal["error", "warning"]
_LONGEST_TEXT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in a file: where it stands, what was found, what was expected, what to do.

    `file` is relative to the project; `line` and `column` count from 1. `key` is a dotted path.
    Each text is cut where it goes on for longer than anybody reads, whatever the file quotes.
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    key: str | None = None
    value: str | None = None
    expected: str | None = None
    suggestion: str | None = None
    severity: Severity = "error"

    def __post_init__(self) -> None:
        """Cut texts that repeat a file."""
        for name in ("message", "file", "key", "value", "expected", "suggestion"):
            text = getattr(self, name)
            most = _LONGEST_TEXT * (4 if name == "suggestion" else 1)  # it may say what to write
            if isinstance(text, str) and len(text) > most:
                object.__setattr__(self, name, f"{text[: most - 1]}…")

    @property
    def place(self) -> str:
        """`file:line:column`, as far as it is known."""
        parts = [self.file or ""]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        return ":".join(part for part in parts if part)

    def __str__(self) -> str:
        """One line: place, key, message, value, what was expected, what to do."""
        text = ": ".join(part for part in (self.place, self.key, self.message) if part)
        if self.value is not None:
            text += f" (found {self.value})"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        if self.suggestion is not None:
            text += f"; {self.suggestion}"
        return text


class EvalkitError(Exception):
    """The root of the tree."""

    exit_code: ClassVar[int] = 70


class UsageError(EvalkitError):
    """The command line, or a call of the Python interface, cannot mean what it says."""

    exit_code = 2


class ConfigError(EvalkitError):
    """What was loaded is wrong. `problems` holds every problem found, not the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems; the message is one line for each."""
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Refused(EvalkitError):
    """Nothing is wrong with the files, and running them would still say nothing."""

    exit_code = 2


class NotMeasured(Refused):
    """Recordings or scripts cannot measure what changed, and no model may be asked.

    `settle` says how it can be measured.
    """

    def __init__(self, message: str, *, settle: str) -> None:
        """The message tells `settle` as well."""
        self.settle = settle
        super().__init__(message)


class StoreError(EvalkitError):
    """The project's private state cannot be written or read back."""

    exit_code = 4


class EngineError(EvalkitError):
    """The cluster that attempts are made on cannot be reached, or has no worker left."""

    exit_code = 4


class HostError(EvalkitError):
    """A code host's API cannot be reached, or refused what it was asked.

    `status` is its HTTP status, None where no reply came.
    """

    exit_code = 4

    def __init__(self, message: str, *, status: int | None = None) -> None:
        """The message names the host, never a token."""
        self.status = status
        super().__init__(message)


class SessionError(EvalkitError):
    """What a session's act ended with; the attempt records it and the run goes on."""

    exit_code = 4


class PolicyBlocked(SessionError):
    """A policy of the route said no."""

    def __init__(
        self, rule: str, message: str, *, completion: Any = None, approval: str | None = None
    ) -> None:
        """`rule` is the policy's key, such as `policies.disallow_actions`.

        `completion` is the `records.call.Completion` that was held back, None where none was made.
        `approval` is the id of the request that waits for somebody's approval, if one does.
        """
        self.rule = rule
        self.completion = completion
        self.approval = approval
        super().__init__(message)


class BudgetExhausted(SessionError):
    """The upper bound of a call does not fit under what a budget has left."""

    def __init__(self, rule: str, message: str, *, degrade: bool = False) -> None:
        """`rule` names the budget, such as `budgets.run.max_usd`.

        `degrade` tells that the budget asks for a cheaper model instead (`on_exceed: degrade`).
        """
        self.rule = rule
        self.degrade = degrade
        super().__init__(message)


class ProviderError(SessionError):
    """No usable answer came from a provider, and the model is not to blame.

    `code` is one of `evalkit.records.attempt.FailureMode`.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        retry_after_s: float | None = None,
        may_be_billed: bool = False,
        output_began: bool = False,
        status: int | None = None,
    ) -> None:
        """`retry_after_s` is what the server asked for, if it did; `status` is that of HTTP.

        `may_be_billed` tells that the request had left, so that the provider may charge for it
        although no usable reply came back. `output_began` tells that pieces of a reply were handed
        on before, so that nobody may be asked again.
        """
        self.code = code
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.may_be_billed = may_be_billed
        self.output_began = output_began
        self.status = status
        super().__init__(message)


class InvalidReply(SessionError):
    """The model's own reply cannot be parsed into what was asked for."""

    def __init__(self, message: str, *, completion: Any = None) -> None:
        """`completion` is the `records.call.Completion` that holds the reply."""
        self.completion = completion
        super().__init__(message)
