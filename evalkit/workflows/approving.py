"""Approvals of tool calls: who waits for one, and the decisions of the teams that may give it."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from evalkit.config.model import Config
from evalkit.config.problems import listed
from evalkit.errors import UsageError
from evalkit.ports import AuditLog, Clock
from evalkit.records.approval import Approval
from evalkit.sources.assets import read_config
from evalkit.sources.tree import WorkingTree
from evalkit.store.approvals import ApprovalStore
from evalkit.workflows.auditing import open_audit
from evalkit.workflows.wiring import SystemClock


class ApprovalDesk:
    """The approvals of a project, for the people who decide on them."""

    def __init__(
        self, root: Path, *, clock: Clock | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        """Reads who may approve from the working tree. Raises ConfigError."""
        clock = clock or SystemClock()
        self._config = read_config(WorkingTree(root))
        self._store = ApprovalStore(root, now=clock.now)
        self._audit: AuditLog = open_audit(root, now=clock.now, environ=environ)

    def waiting(self) -> tuple[Approval, ...]:
        """Those that wait for a decision or were granted and not used yet. Raises StoreError."""
        return tuple(each for each in self._store.all() if each.state in ("pending", "granted"))

    def all(self) -> tuple[Approval, ...]:
        """Every approval. Raises StoreError."""
        return self._store.all()

    def grant(
        self,
        id_: str,
        *,
        by: str,
        team: str,
        expires_s: float | None = None,
        any_arguments: bool = False,
    ) -> Approval:
        """Let one call run. Raises UsageError where that is not theirs to say, StoreError."""
        _check_approver(self._config, by, team)
        return self._store.grant(
            self._store.find(id_).id,
            by=by,
            team=team,
            expires_s=expires_s,
            any_arguments=any_arguments,
            tell=self._teller("approval.granted", by, team),
        )

    def deny(self, id_: str, *, by: str, team: str | None, reason: str) -> Approval:
        """Say no to a call; without `team` for the team that was asked. Raises as `grant` does."""
        if not reason.strip():
            raise UsageError("a denial needs its --reason: whoever asked gets to read it")
        known = self._store.find(id_)
        team = known.asked.team if team is None else team
        _check_approver(self._config, by, team)
        return self._store.deny(
            known.id,
            by=by,
            team=team,
            reason=reason,
            tell=self._teller("approval.denied", by, team),
        )

    def _teller(self, kind: str, by: str, team: str) -> Callable[[Approval], None]:
        """Writes the audit log before a decision holds: one that cannot be audited is not made."""

        def tell(approval: Approval) -> None:
            asked = approval.asked
            about = {
                "approval": approval.id,
                "route": asked.route,
                "tool": asked.tool,
                "identity": asked.identity,
                "arguments": asked.digest,
                "any_arguments": approval.any_arguments,
                "expires_at": approval.expires_at,
                "reason": approval.reason,
                # the command line believes who somebody says they are; a list narrows it down
                "listed": self._config.approvers is not None,
            }
            self._audit.append(kind, {"user": by, "team": team}, about)

        return tell


def _check_approver(config: Config, by: str, team: str) -> None:
    """Raise UsageError for somebody who may not decide for a team."""
    if not by.strip():
        raise UsageError("--as names nobody: give the user who decides")
    if config.approvers is None:
        return
    users = config.approvers.get(team)
    if users is None:
        teams = listed(list(config.approvers)) or "none"
        raise UsageError(
            f"evalkit.yaml lists no approvers of {team}, so nobody may decide for it; it lists "
            f"those of: {teams}"
        )
    if by not in users:
        raise UsageError(f"{by} is not one of the approvers of {team} in evalkit.yaml")
