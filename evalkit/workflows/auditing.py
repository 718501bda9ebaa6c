"""What goes into the audit log, and whose name stands there.

Approvals, denials of production sessions, exhausted budgets, prunes, what a run's gate was told to
accept, what of production was played again or became a case, and which policies are in force.
Measurements are none of its business: what a policy denied in a run is in the run's bundle.
"""

import getpass
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from evalkit.control.redaction.redactor import Redactor
from evalkit.errors import StoreError
from evalkit.ports import Clock
from evalkit.records.audit_log import AuditReport
from evalkit.records.run import StoredRun
from evalkit.store.audit import KEY_VARIABLE, AuditFile, verify_file

_CI_ACTORS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_REQUESTEDFOR")
_ACCEPTED = ("accepted by --accept-gate-change", "accepted by --allow-unexercised")


def open_audit(
    root: Path, *, now: Callable[[], datetime], environ: Mapping[str, str] = os.environ
) -> AuditFile:
    """The project's audit log; its heads are signed where EVALKIT_AUDIT_KEY is set."""
    return AuditFile(root, now=now, redact=Redactor().redact, key=audit_key(environ))


def audit_key(environ: Mapping[str, str] = os.environ) -> bytes | None:
    """The key that signs heads and checkpoints; None without one."""
    return environ.get(KEY_VARIABLE, "").encode() or None


def verify_audit(
    root: Path | None,
    file: Path | None,
    *,
    now: Callable[[], datetime],
    environ: Mapping[str, str] = os.environ,
) -> AuditReport:
    """Whether a file, or the log of the project at `root`, is what was written."""
    if file is not None:
        return verify_file(file, key=audit_key(environ))
    assert root is not None, "there is a project or a file"
    return open_audit(root, now=now, environ=environ).verify()


def whoever_runs(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Who uses the command line, as far as it can be told: the CI's actor, else the login."""
    for name in _CI_ACTORS:
        if environ.get(name):
            return {"user": environ[name], "through": name}
    try:
        return {"user": getpass.getuser()}
    except (KeyError, OSError):  # no name for the process's user, as in some containers
        return {"user": f"uid {os.getuid()}"}


def audit_run(root: Path, stored: StoredRun, *, clock: Clock) -> str | None:
    """Keep what a run's gate was told to accept, and that it played stored sessions. Returns a
    warning where that failed."""
    accepted = [each for each in stored.record.warnings if each.startswith(_ACCEPTED)]
    verdict = stored.record.verdict
    waived = [
        (suite.suite, part.name, part.waiver)
        for suite in (verdict.suites if verdict else ())
        for part in suite.parts
        if part.waiver is not None
    ]
    replayed = stored.record.request.get("traces", ()) if stored.record.replay else ()
    if not accepted and not waived and not replayed:
        return None
    who = whoever_runs()
    log = open_audit(root, now=clock.now)
    try:
        if replayed:
            log.append("traces.replayed", who, _replay_words(stored, len(replayed)))
        if accepted:
            log.append("gate.accepted", who, {"run": stored.record.id, "accepted": accepted})
        for suite, part, waiver in waived:
            log.append(
                "waiver.used",
                {**who, "accepted_by": waiver.accepted_by},
                {
                    "run": stored.record.id,
                    "suite": suite,
                    "part": part,
                    "waiver": waiver.id,
                    "reason": waiver.reason,
                    "until": waiver.until,
                },
            )
    except StoreError as error:
        return f"what this run accepted or replayed is not in the audit log: {error}"
    return None


def _replay_words(stored: StoredRun, sessions: int) -> dict[str, Any]:
    """Which models got to read what was said in production."""
    record = stored.record
    candidates = [suite.variant("candidate") for suite in record.suites]
    models = {name for each in candidates if each is not None for name in each.models}
    return {
        "run": record.id,
        "suite": ", ".join(suite.suite for suite in record.suites),
        "sessions": sessions,
        "models": sorted(models),
    }
