"""Which entries of the audit log are meant."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from evalkit.records.audit_log import AuditEntry
from evalkit.workflows.auditing import open_audit


def find_entries(
    root: Path,
    *,
    since: datetime | None,
    kind: str | None,
    actor: str | None,
    now: Callable[[], datetime],
) -> tuple[AuditEntry, ...]:
    """The entries that fit everything given, oldest first.

    A `kind` stands for those below it too: `approval` for `approval.granted`. Raises StoreError.
    """
    return tuple(
        entry
        for entry in open_audit(root, now=now).entries()
        if (since is None or datetime.fromisoformat(entry.at) >= since)
        and (kind is None or entry.kind == kind or entry.kind.startswith(f"{kind}."))
        and (actor is None or actor in entry.actor.values())
    )
