"""Whether an approval that was given beforehand covers the execution of a tool."""

from collections.abc import Mapping
from datetime import UTC, datetime

from evalkit.control.ruling import POLICY_ERROR, Ruling

RULE = "approvals.on_execute"


def rule_given_approval(
    team: str, name: str, approval: Mapping[str, str] | None, now: datetime
) -> Ruling:
    """Whether `approval` lets the tool be executed: `granted_by`, `team`, and `expires` if it does.

    `expires` is ISO 8601 with its offset from UTC; from that moment on the approval is none.
    """
    if approval is None:
        return Ruling(False, RULE, f"{name} executes something, and {team} has not approved it")
    if approval.get("team") != team:
        given = approval.get("team") or "no team"
        return Ruling(False, RULE, f"{name} needs the approval of {team}, not of {given}")
    if not approval.get("granted_by"):
        return Ruling(False, RULE, f"the approval of {name} does not say who granted it")
    expires = approval.get("expires")
    if expires is not None:
        try:
            ends = datetime.fromisoformat(expires)
        except (TypeError, ValueError):
            ends = None
        if ends is None or ends.tzinfo is None:
            message = f"the approval of {name} expires at {expires!r}, which is no time in UTC"
            return Ruling(False, POLICY_ERROR, message)
        if now.astimezone(UTC) >= ends:
            return Ruling(False, RULE, f"the approval of {name} by {team} expired at {expires}")
    return Ruling(True, RULE, f"{name} was approved by {team}")
