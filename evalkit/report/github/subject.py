"""What is published: how the last run ended, and its bundle where there is one."""

import hashlib
from dataclasses import dataclass

from evalkit.records.comparison import Comparison
from evalkit.records.last_run import LastKind, LastRun
from evalkit.records.run import RunRecord, StoredRun
from evalkit.records.verdict import Outcome, Verdict
from evalkit.report.headline import run_mark, run_reason
from evalkit.report.untrusted import one_line

NOT_MEASURED = "NOT MEASURED"
_MARKS: dict[LastKind, str] = {
    "run": "NOT GATED",  # its bundle says more, wherever it is there
    "not_measured": NOT_MEASURED,
    "config": "NOT RUN",
    "usage": "NOT RUN",
    "refused": "NOT RUN",
    "store": "BROKEN OFF",
    "bug": "BROKEN OFF",
    "interrupted": "INTERRUPTED",
}
_REASONS: dict[LastKind, str] = {
    "run": "its bundle is not here",
    "not_measured": "recorded and scripted replies cannot measure what changed here",
    "config": "the project's files have errors, so nothing was run",
    "usage": "the command cannot mean what it says, so nothing was run",
    "refused": "a run would have said nothing, so nothing was run",
    "store": "the run's own files cannot be written or read",
    "bug": "evalkit failed over a bug of its own",
    "interrupted": "it was stopped before anything was decided",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A run as it is published. `last` and `run` are not both None.

    `last` is how the command ended, None where a run was named; `run` and `comparison` its bundle,
    None where nothing was run. `project` is the project's folder in its repository, with slashes,
    empty at the top. `fork` tells that the change comes from a fork, `newer_head` that the pull
    request is at that commit by now and the run is not about it.
    """

    last: LastRun | None = None
    run: StoredRun | None = None
    comparison: Comparison | None = None
    project: str = ""
    fork: bool = False
    newer_head: str | None = None

    @property
    def record(self) -> RunRecord | None:
        """run.json, where there is a bundle."""
        return None if self.run is None else self.run.record

    @property
    def verdict(self) -> Verdict | None:
        """What the gate decided, where it did."""
        return None if self.run is None else self.run.record.verdict

    @property
    def kind(self) -> LastKind:
        """How the command ended; `run` where a run was named."""
        return "run" if self.last is None else self.last.kind

    @property
    def exit_code(self) -> int:
        """The run's exit code. 0 only where the command and its bundle both say 0."""
        codes = [0 if self.last is None else self.last.exit_code]
        if self.record is not None:
            codes.append(self.record.exit_code)
        return next((code for code in reversed(codes) if code != 0), 0)

    @property
    def green(self) -> bool:
        """Whether it passed: the only state that is shown in green anywhere."""
        passed = self.verdict is not None and self.verdict.outcome is Outcome.PASS
        whole = self.record is not None and self.record.state == "complete"
        return self.kind == "run" and self.exit_code == 0 and passed and whole

    @property
    def mark(self) -> str:
        """How it came out, in capitals."""
        if self.kind == "run" and self.record is not None:
            return run_mark(self.record)
        return _MARKS[self.kind]

    @property
    def reason(self) -> str:
        """Why, on one line, without a full stop. Plain text: it is data to any markup."""
        if self.kind == "run" and self.record is not None:
            return one_line(run_reason(self.record))
        return _REASONS[self.kind]

    @property
    def sentence(self) -> str:
        """Mark and reason: 'FAIL: routing: the pass rate fell 10 pp; less than 3 pp is allowed'."""
        return f"{self.mark}: {self.reason}"

    @property
    def id(self) -> str:
        """The run's id; of a command that left no bundle, when it ended."""
        if self.record is not None:
            return self.record.id
        return "" if self.last is None else self.last.run or self.last.at

    @property
    def at(self) -> str:
        """When it started (ISO 8601); of a command that left no bundle, when it ended."""
        if self.record is not None:
            return self.record.started_at
        return "" if self.last is None else self.last.at

    @property
    def sha(self) -> str | None:
        """The commit of the tree it ran in, if that is known."""
        if self.record is not None and self.record.git.sha is not None:
            return self.record.git.sha
        return None if self.last is None else self.last.sha

    @property
    def suites(self) -> str:
        """A short digest of which suites it ran; `none` where nothing was run."""
        if self.record is None:
            return "none"
        names = "\n".join(sorted(suite.suite for suite in self.record.suites))
        return hashlib.sha256(names.encode()).hexdigest()[:12]
